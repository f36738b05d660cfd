"""The forms that models and versions share: a description, a tag."""

import hashlib
from dataclasses import dataclass

from flask import Response

from modelyard.web.ui.asked import query, typed
from modelyard.web.ui.frame import Refusal, sheet


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody made of a text. `seen` is the digest of the text that they began with."""

    text: str
    seen: str
    before: str = ""

    def is_overtaken_by(self, text: str) -> bool:
        """Whether the text is another one by now than the one that was edited."""
        return bool(self.seen) and digest(text) != self.seen and text != self.text


def digest(text: str) -> str:
    """Return what tells whether a text is still the same."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_edit() -> Edit:
    """Return the edited text of this form. Raises InvalidValue."""
    return Edit(typed("description"), typed("seen"))


def description_form(
    title: str, here: str, current: str, *, edit: Edit | None = None, refusal: Refusal | None = None
) -> Response:
    """Ask for a description. With `edit` and no refusal somebody else was faster: both texts stand side by side."""
    overtaken = edit is not None and refusal is None
    if overtaken:
        refusal = Refusal("Somebody else saved another description meanwhile. Saving again replaces theirs by yours.")
    return sheet(
        "description.html",
        title=title,
        section="models",
        action=f"{here}/description",
        back=here,
        refusal=refusal,
        text=edit.text if edit else current,
        # Whoever has been told may replace what they were told of, and nothing newer.
        seen=edit.seen if edit and not overtaken else digest(current),
        theirs=current if overtaken else None,
    )


def tag_form(title: str, here: str, refusal: Refusal | None = None) -> Response:
    """Ask for a tag's key and value."""
    return sheet(
        "tag.html",
        title=title,
        section="models",
        action=f"{here}/tags",
        back=here,
        refusal=refusal,
        key=typed("key") or query("key"),
        value=typed("value"),
    )
