"""Activities on the wire: one form for comments, requests and transitions alike (contracts/databricks.md 1.4, 2.5)."""

from modelyard.database.session import reading
from modelyard.registry.activity_feed import SeenActivity, list_activities
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import arguments
from modelyard.web.api.model_versions import NamedVersion
from modelyard.web.identity import current_actor
from modelyard.web.site import site


def activity_json(seen: SeenActivity) -> Json:
    """Return an activity as the wire shows it, with what its viewer may do about it."""
    activity = seen.activity
    shown: Json = {
        "id": str(activity.id),
        "activity_type": activity.activity_type,
        "user_id": activity.actor,
        "creation_timestamp": activity.created_at_ms,
        "last_updated_timestamp": activity.updated_at_ms,
        "comment": activity.comment,
        "available_actions": list(seen.actions),
    }
    optional = {
        "from_stage": activity.from_stage,
        "to_stage": activity.to_stage,
        "system_comment": activity.system_comment,
    }
    return shown | {name: value for name, value in optional.items() if value}


def list_all() -> Json:
    """List what happened to a version, oldest first."""
    asked = arguments(NamedVersion)
    with reading(site().engine) as session:
        found = list_activities(session, current_actor(), asked.name, asked.number)
        return {"activities": [activity_json(one) for one in found]}
