"""The two routes whose answers only Databricks' clients know: a model and a version with the caller's rights.

Source: contracts/databricks.md 1.4, 2.1 and 2.2.
"""

from sqlmodel import Session

from modelyard.database.session import reading, transaction
from modelyard.database.tables import ModelVersion, RegisteredModel
from modelyard.registry import access, queries
from modelyard.registry.access import Actor
from modelyard.registry.activity_feed import see
from modelyard.registry.followers import follows
from modelyard.registry.model_versions import read_model_version
from modelyard.registry.open_requests import open_requests
from modelyard.registry.registered_models import read_registered_model
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.rules.stages import parse_stage
from modelyard.web.api import answers
from modelyard.web.api.activities import activity_json
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import arguments
from modelyard.web.api.model_versions import TransitionStage
from modelyard.web.api.registered_models import NamedModel
from modelyard.web.identity import current_actor
from modelyard.web.site import site


def get_model() -> Json:
    """Show a model with its id and what the caller may do with it."""
    asked = arguments(NamedModel)
    actor = current_actor()
    with reading(site().engine) as session:
        model = read_registered_model(session, actor, asked.name)
        shown = queries.registered_model_of_id(session.connection(), model.id)
        rights = {"id": model.public_id, "permission_level": access.level_of(session, actor, model)}
        return {"registered_model_databricks": answers.registered_model(shown) | rights}


def transition_stage() -> Json:
    """Move a version to a stage; the answer has one name for new clients and one for old ones."""
    asked = arguments(TransitionStage)
    stage, actor = parse_stage(asked.stage), current_actor()
    with transaction(site().engine) as session:
        transition_model_version_stage(
            session,
            actor,
            asked.name,
            asked.number,
            to=stage,
            archive_existing=asked.archive_existing_versions,
            comment=asked.comment,
            queue=site().queue,
        )
        shown = _version(session, actor, *read_model_version(session, actor, asked.name, asked.number))
        return {"model_version_databricks": shown, "model_version": shown}


def _version(session: Session, actor: Actor, model: RegisteredModel, version: ModelVersion) -> Json:
    requests = see(session, actor, model, version, open_requests(session, version.id))
    shown = queries.model_version_of_id(session.connection(), version.id)
    return answers.model_version(shown) | {
        "permission_level": access.level_of(session, actor, model),
        "open_requests": [activity_json(one) for one in requests],
        "email_subscription_status": "SUBSCRIBED" if follows(session, actor, version.id) else "UNSUBSCRIBED",
    }
