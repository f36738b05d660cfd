"""The trash: what was deleted, brought back or purged for good."""

from flask import Response

from modelyard.database.session import reading, transaction
from modelyard.errors import AlreadyExists, InvalidState, InvalidValue
from modelyard.registry import trash as registry
from modelyard.registry.usage import model_usage, version_usage
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import page_size, place, sealed_place, typed
from modelyard.web.ui.frame import Refusal, go, page, sheet
from modelyard.web.ui.words import address

_QUESTION = "trash page"


def show() -> Response:
    """Show what lies in the trash, what was deleted last first."""
    last = place(_QUESTION)
    with reading(site().engine) as session:
        items, following = registry.list_trash(
            session, current_actor(), limit=page_size(), last=(int(str(last[0])), str(last[1])) if last else None
        )
    after = sealed_place(_QUESTION, following)
    return page(
        "trash.html",
        title="Trash",
        section="trash",
        items=items,
        trash_ms=site().trash_ms,
        first="/trash" if last else "",
        following=address("trash", after=after) if after else "",
    )


def confirm_restore(public_id: str, refusal: Refusal | None = None) -> Response:
    """Ask under which name something comes back."""
    with reading(site().engine) as session:
        found = registry.find_in_trash(session, current_actor(), public_id, lock=False)
        name, number = found.model.name, found.version.version if found.version else None
    return sheet(
        "restore.html",
        title=f"Restore {name}" if number is None else f"Restore version {number} of {name}",
        section="trash",
        action=address("trash", public_id, "restore"),
        back="/trash",
        refusal=refusal,
        name=typed("name") or name,
        number=number,
    )


def restore(public_id: str) -> Response:
    """Bring something back."""
    try:
        with transaction(site().engine) as session:
            found = registry.restore(
                session, current_actor(), public_id, name=typed("name") or None, lifecycle=site().lifecycle
            )
            name, number = found.model.name, found.version.version if found.version else None
    except (AlreadyExists, InvalidValue, InvalidState) as error:
        return confirm_restore(public_id, Refusal(error.message, "name"))
    if number is None:
        return go(address("models", name), f"The model {name} was restored.")
    return go(address("models", name, "versions", number), f"Version {number} was restored.")


def confirm_purge(public_id: str) -> Response:
    """Say what a purge frees, and that it is final."""
    with reading(site().engine) as session:
        found = registry.find_in_trash(session, current_actor(), public_id, lock=False)
        used = version_usage(session, found.version.id) if found.version else model_usage(session, found.model.id)
        name, number = found.model.name, found.version.version if found.version else None
    return sheet(
        "purge.html",
        title="Purge for good",
        section="trash",
        action=address("trash", public_id, "purge"),
        back="/trash",
        name=name,
        number=number,
        used=used,
    )


def purge(public_id: str) -> Response:
    """Purge something now, by a job."""
    with transaction(site().engine) as session:
        job_id = registry.purge_now(session, current_actor(), public_id, lifecycle=site().lifecycle).id
    return go(address("jobs", job_id))
