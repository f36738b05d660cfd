"""The outbox: what the world outside may hear of, written in the transaction of the change itself."""

from typing import Any

from sqlmodel import Session

from modelyard.database.appending import append
from modelyard.database.tables import ModelVersion, RegisteredModel, metadata
from modelyard.registry.access import Actor
from modelyard.rules.events import RegistryEvent

_outbox = metadata.tables["outbox_events"]


def record(
    session: Session,
    actor: Actor,
    event: RegistryEvent,
    model: RegisteredModel,
    version: ModelVersion | None = None,
    **payload: Any,
) -> None:
    """Put an event into the outbox; `payload` is what it tells beside the model's name and the version's number."""
    row = {
        "event": event,
        "model_id": model.id,
        "version_id": version.id if version else None,
        "actor": actor.name,
        "payload": told(model.name, version.version if version else None, **payload),
        "job_id": None,
    }
    append(session, _outbox, row)


def told(model_name: str, number: int | None, **payload: Any) -> dict[str, Any]:
    """Return what an event tells. Versions are strings, as on the wire."""
    about: dict[str, Any] = {"model_name": model_name}
    if number is not None:
        about["version"] = str(number)
    return about | payload
