"""Routes of transition requests (contracts/databricks.md 2.3)."""

from modelyard.database.session import reading, transaction
from modelyard.registry import transition_requests as registry
from modelyard.registry.activities import activity_of_id
from modelyard.registry.activity_feed import list_open_requests, see_one
from modelyard.rules.stages import Stage, parse_stage
from modelyard.web.api.activities import activity_json
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Flag, Required, Text, arguments
from modelyard.web.api.keyed_creates import made_before, note_made
from modelyard.web.api.model_versions import NamedVersion
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class NamedRequest(NamedVersion):
    """A request about moving one version to one stage."""

    stage: Required
    comment: Text = ""

    @property
    def to(self) -> Stage:
        """The stage. Raises InvalidValue."""
        return parse_stage(self.stage)


class Approve(NamedRequest):
    """The body of transition-requests/approve."""

    archive_existing_versions: Flag = False


class Cancel(NamedRequest):
    """What transition-requests/delete asks: whose request it is."""

    creator: Required


def create() -> Json:
    """Ask for a version to be moved."""
    asked = arguments(NamedRequest)
    to, actor = asked.to, current_actor()
    with transaction(site().engine) as session:
        earlier = made_before(session, "transition-requests/create", asked, new_id="")
        if earlier is not None:
            wish = activity_of_id(session, actor, earlier)
        else:
            wish = registry.create_transition_request(
                session, actor, asked.name, asked.number, to=to, comment=asked.comment
            )
            note_made(session, str(wish.id))
        return {"request": activity_json(see_one(session, actor, wish))}


def list_open() -> Json:
    """List the open requests of a version."""
    asked = arguments(NamedVersion)
    with reading(site().engine) as session:
        found = list_open_requests(session, current_actor(), asked.name, asked.number)
        return {"requests": [activity_json(one) for one in found]}


def approve() -> Json:
    """Move a version as somebody asked."""
    asked = arguments(Approve)
    to, actor = asked.to, current_actor()
    with transaction(site().engine) as session:
        approval = registry.approve_transition_request(
            session,
            actor,
            asked.name,
            asked.number,
            to=to,
            archive_existing=asked.archive_existing_versions,
            comment=asked.comment,
            queue=site().queue,
        )
        return {"activity": activity_json(see_one(session, actor, approval))}


def reject() -> Json:
    """Decline to move a version."""
    asked = arguments(NamedRequest)
    to, actor = asked.to, current_actor()
    with transaction(site().engine) as session:
        rejection = registry.reject_transition_request(
            session, actor, asked.name, asked.number, to=to, comment=asked.comment
        )
        return {"activity": activity_json(see_one(session, actor, rejection))}


def cancel() -> Json:
    """Take a request back."""
    asked = arguments(Cancel)
    to, actor = asked.to, current_actor()
    with transaction(site().engine) as session:
        step = registry.cancel_transition_request(
            session, actor, asked.name, asked.number, to=to, creator=asked.creator, comment=asked.comment
        )
        return {"activity": activity_json(see_one(session, actor, step))}
