"""Routes of comments on versions (contracts/databricks.md 2.4)."""

from modelyard.database.session import transaction
from modelyard.registry import comments as registry
from modelyard.registry.activities import activity_of_id
from modelyard.registry.activity_feed import see_one
from modelyard.web.api.activities import activity_json
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Arguments, Required, arguments
from modelyard.web.api.keyed_creates import made_before, note_made
from modelyard.web.api.model_versions import NamedVersion
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class CreateComment(NamedVersion):
    """The body of comments/create."""

    comment: Required


class NamedComment(Arguments):
    """A request about one comment."""

    id: Required


class UpdateComment(NamedComment):
    """The body of comments/update."""

    comment: Required


def create() -> Json:
    """Comment on a version."""
    asked = arguments(CreateComment)
    actor = current_actor()
    with transaction(site().engine) as session:
        earlier = made_before(session, "comments/create", asked, new_id="")
        if earlier is not None:
            comment = activity_of_id(session, actor, earlier)
        else:
            comment = registry.create_comment(session, actor, asked.name, asked.number, asked.comment)
            note_made(session, str(comment.id))
        return {"comment": activity_json(see_one(session, actor, comment))}


def update() -> Json:
    """Replace the words of a comment."""
    asked = arguments(UpdateComment)
    actor = current_actor()
    with transaction(site().engine) as session:
        comment = registry.update_comment(session, actor, asked.id, asked.comment)
        return {"comment": activity_json(see_one(session, actor, comment))}


def delete() -> Json:
    """Take a comment away."""
    asked = arguments(NamedComment)
    with transaction(site().engine) as session:
        registry.delete_comment(session, current_actor(), asked.id)
    return {}
