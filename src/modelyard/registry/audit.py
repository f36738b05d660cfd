"""The audit log: who changed what, written in the transaction of the change itself."""

from typing import Any

from sqlmodel import Session

from modelyard.database.tables import AuditEntry, ModelVersion, RegisteredModel
from modelyard.registry.access import Actor
from modelyard.rules.audit import Action


def record(
    session: Session,
    actor: Actor,
    action: Action,
    *,
    model: RegisteredModel | None = None,
    version: ModelVersion | None = None,
    principal: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write down a change: what it was about, and the fields that differ, as they were and as they are."""
    session.add(
        AuditEntry(
            actor=actor.name,
            token_id=actor.via.token_id,
            address=actor.via.address,
            request_id=actor.via.request_id,
            action=action,
            model_id=model.id if model else None,
            model_name=model.name if model else None,
            version=version.version if version else None,
            principal=principal,
            before=before,
            after=after,
        )
    )
