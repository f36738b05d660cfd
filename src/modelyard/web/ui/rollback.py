"""Undoing the last change of a model's Production set, after a look at what that would do."""

from flask import Response

from modelyard.database.session import reading, transaction
from modelyard.errors import InvalidState, InvalidValue, PermissionDenied
from modelyard.registry.rollbacks import Rollback, roll_back
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import typed
from modelyard.web.ui.frame import Refusal, go, sheet
from modelyard.web.ui.words import address


def choose(name: str) -> Response:
    """Say what would move, and ask for a comment."""
    return _form(name)


def do(name: str) -> Response:
    """Undo the last change."""
    try:
        with transaction(site().engine) as session:
            roll_back(session, current_actor(), name, dry_run=False, comment=typed("comment"))
    except (InvalidState, InvalidValue) as error:
        return _form(name, Refusal(error.message))
    return go(address("models", name), "The last change of Production was undone.")


def _form(name: str, refusal: Refusal | None = None) -> Response:
    found: Rollback | None = None
    problem = ""
    try:
        with reading(site().engine) as session:
            found = roll_back(session, current_actor(), name, dry_run=True)
    except (InvalidState, PermissionDenied) as error:
        problem = error.message
    return sheet(
        "rollback.html",
        title="Roll Production back",
        section="models",
        action=address("models", name, "rollback"),
        back=address("models", name),
        refusal=refusal,
        name=name,
        found=found,
        problem=problem,
        comment=typed("comment"),
    )
