"""What a page is asked for: texts of the query or of a form, checked before anything else sees them."""

from collections.abc import Mapping, Sequence

from flask import request

from modelyard.errors import InvalidValue
from modelyard.rules.tags import merge_tags
from modelyard.rules.texts import check_storable
from modelyard.web.api.paging import question_of
from modelyard.web.site import site

PAGE_SIZES = (25, 50, 100)


def query(name: str, default: str = "") -> str:
    """Return a text of the query. Raises InvalidValue for one that no database holds."""
    return _storable(name, request.args.get(name, default))


def queries(name: str) -> list[str]:
    """Return every text that the query holds under a name. Raises InvalidValue."""
    return [_storable(name, text) for text in request.args.getlist(name)]


def typed(name: str, default: str = "") -> str:
    """Return a text of the form, its line ends as everywhere else. Raises InvalidValue."""
    return _storable(name, request.form.get(name, default)).replace("\r\n", "\n")


def numbers(texts: Sequence[str], *, most: int) -> list[int]:
    """Return the row ids among `texts`, each once, `most` of them. What is no number names nothing."""
    found = (int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 16)
    return list(dict.fromkeys(found))[:most]


def typed_all(name: str) -> list[str]:
    """Return every text that the form holds under a name. Raises InvalidValue."""
    return [_storable(name, text) for text in request.form.getlist(name)]


def ticked(name: str) -> bool:
    """Whether a box of the form is checked."""
    return name in request.form


def chosen(name: str, options: Mapping[str, object] | Sequence[str]) -> str:
    """Return a text of the query that is one of `options`; "" for another: an old bookmark still shows the list."""
    found = request.args.get(name, "")
    return found if found in options else ""


def page_size() -> int:
    """Return how many rows a page shows."""
    wanted = request.args.get("size", "")
    return int(wanted) if wanted in map(str, PAGE_SIZES) else PAGE_SIZES[0]


def place(question: str) -> list[object] | None:
    """Return behind which row the page begins, None for the first page. Raises InvalidValue for a forged place."""
    token = request.args.get("after")
    return site().signer.open_page(token, question) if token else None


def sealed_place(question: str, last: Sequence[object] | None) -> str:
    """Return the `after` of the next page, "" when there is none."""
    return site().signer.sign_page(question, last) if last is not None else ""


def tag_lines(text: str) -> dict[str, str]:
    """Return tags written one a line as `key: value`. Raises InvalidValue for a line without a key."""
    pairs = []
    for line in text.splitlines():
        if not line.strip():
            continue
        key, parted, value = line.partition(":")
        if not parted or not key.strip():
            raise InvalidValue(f"The tag {line[:60]!r} cannot be read; write one a line, as `key: value`.")
        pairs.append((key.strip(), value.strip()))
    return merge_tags(pairs)


def seq_of(*parts: object) -> str:
    """Return a short text that is the same for the same state of a live region."""
    return question_of(*parts)


def _storable(name: str, text: str) -> str:
    check_storable(name, text)
    return text
