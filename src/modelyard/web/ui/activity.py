"""A version's history as its page tells it, comments, and requests to move it: asked for, answered."""

from typing import Any

from flask import Response, request
from sqlmodel import Session

from modelyard.database.session import reading, transaction
from modelyard.database.tables import RegisteredModel
from modelyard.errors import Damaged, InvalidState, InvalidValue, NotFound
from modelyard.registry import comments as registry_comments
from modelyard.registry import transition_requests as registry
from modelyard.registry.activities import activity_of_id
from modelyard.registry.activity_feed import history_of, list_open_requests
from modelyard.registry.request_inbox import list_requests
from modelyard.registry.shown import ShownVersion
from modelyard.rules.activities import WORKFLOW, ActivityType
from modelyard.rules.stages import Stage, parse_stage
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import chosen, ticked, typed
from modelyard.web.ui.frame import Refusal, go, page, sheet
from modelyard.web.ui.words import address

_SHOWN = 25
_SHOWN_REQUESTS = 200
# Tab -> what it shows; the first shows everything.
KINDS = {
    "": (),
    "comments": (ActivityType.NEW_COMMENT,),
    "transitions": tuple(kind for kind in WORKFLOW if kind is not ActivityType.NEW_COMMENT),
}
_ANSWERS = {"approve": "Approve", "reject": "Reject", "cancel": "Cancel"}


def of_version(session: Session, model: RegisteredModel, version: ShownVersion) -> dict[str, Any]:
    """Return what a version's page shows of its history and of the requests that wait, to whoever may see it."""
    kind, before = chosen("activity", KINDS), request.args.get("before", "")
    before_id = int(before) if before.isdigit() and len(before) < 19 else None
    found = history_of(session, current_actor(), model, version, kinds=KINDS[kind], limit=_SHOWN, before_id=before_id)
    return {
        "activities": found.page.rows,
        "activity_kind": kind,
        "before_id": before_id,
        "older": found.page.last[0] if found.page.last else None,
        "requests": found.requests,
    }


def inbox() -> Response:
    """Show the requests that wait for somebody, or that somebody has asked."""
    own = chosen("view", ("asked",)) == "asked"
    with reading(site().engine) as session:
        found = list_requests(session, current_actor(), own=own, limit=_SHOWN_REQUESTS)
    return page("requests.html", title="Approvals", section="requests", own=own, waiting=found)


def choose_answer(name: str, number: int) -> Response:
    """Ask for a comment to an answer."""
    to, answer = parse_stage(request.args.get("to", "")), request.args.get("answer", "")
    return _answer_form(name, number, to, answer, request.args.get("creator", ""))


def answer(name: str, number: int) -> Response:
    """Approve, reject or cancel what somebody asked for."""
    to, wish, creator = parse_stage(typed("to")), typed("answer"), typed("creator")
    try:
        with transaction(site().engine) as session:
            _give_answer(session, name, number, to, wish, creator)
    except (InvalidState, InvalidValue, Damaged, NotFound) as error:
        return _answer_form(name, number, to, wish, creator, Refusal(error.message))
    return go(address("models", name, "versions", number), f"The request was {_PAST[wish]}.")


def ask(name: str, number: int, to: Stage) -> None:
    """Ask that a version be moved. Raises as the registry does."""
    with transaction(site().engine) as session:
        registry.create_transition_request(session, current_actor(), name, number, to=to, comment=typed("comment"))


def comment(name: str, number: int) -> Response:
    """Comment on a version."""
    here = address("models", name, "versions", number)
    try:
        with transaction(site().engine) as session:
            registry_comments.create_comment(session, current_actor(), name, number, typed("comment"))
    except InvalidValue as error:
        return _comment_form(here, f"{here}/comments", typed("comment"), Refusal(error.message, "comment"))
    return go(f"{here}#activity")


def edit_comment(name: str, number: int, comment_id: str) -> Response:
    """Ask for other words of one's own comment."""
    with reading(site().engine) as session:
        text = activity_of_id(session, current_actor(), comment_id).comment
    here = address("models", name, "versions", number)
    return _comment_form(here, f"{here}/comments/{comment_id}", text)


def save_comment(name: str, number: int, comment_id: str) -> Response:
    """Replace the words of one's own comment."""
    here = address("models", name, "versions", number)
    try:
        with transaction(site().engine) as session:
            registry_comments.update_comment(session, current_actor(), comment_id, typed("comment"))
    except InvalidValue as error:
        return _comment_form(here, f"{here}/comments/{comment_id}", typed("comment"), Refusal(error.message, "comment"))
    return go(f"{here}#activity")


def delete_comment(name: str, number: int, comment_id: str) -> Response:
    """Take a comment away."""
    with transaction(site().engine) as session:
        registry_comments.delete_comment(session, current_actor(), comment_id)
    return go(address("models", name, "versions", number) + "#activity")


def _give_answer(session: Session, name: str, number: int, to: Stage, wish: str, creator: str) -> None:
    match wish:
        case "approve":
            registry.approve_transition_request(
                session,
                current_actor(),
                name,
                number,
                to=to,
                archive_existing=ticked("archive_existing"),
                comment=typed("comment"),
                queue=site().queue,
            )
        case "reject":
            registry.reject_transition_request(session, current_actor(), name, number, to=to, comment=typed("comment"))
        case "cancel":
            registry.cancel_transition_request(
                session, current_actor(), name, number, to=to, creator=creator, comment=typed("comment")
            )
        case _:
            raise InvalidValue(f"{wish[:50]!r} is no answer; expected approve, reject or cancel.")


def _answer_form(
    name: str, number: int, to: Stage, wish: str, creator: str, refusal: Refusal | None = None
) -> Response:
    if wish not in _ANSWERS:
        raise InvalidValue(f"{wish[:50]!r} is no answer; expected approve, reject or cancel.")
    here = address("models", name, "versions", number)
    with reading(site().engine) as session:
        waiting = list_open_requests(session, current_actor(), name, number)
    return sheet(
        "answer.html",
        title=f"{_ANSWERS[wish]} the request to {to}",
        section="models",
        action=f"{here}/requests",
        back=here,
        refusal=refusal,
        name=name,
        number=number,
        to=to,
        answer=wish,
        word=_ANSWERS[wish],
        creator=creator,
        waiting=[one for one in waiting if one.activity.to_stage == to],
        comment=typed("comment"),
    )


def _comment_form(here: str, action: str, text: str, refusal: Refusal | None = None) -> Response:
    return sheet(
        "comment.html", title="Comment", section="models", action=action, back=here, refusal=refusal, text=text
    )


_PAST = {"approve": "approved", "reject": "rejected", "cancel": "cancelled"}
