"""The audit log: who changed what, written in the transaction of the change itself."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session

from modelyard.database.appending import append
from modelyard.database.clock import now_ms
from modelyard.database.tables import ModelVersion, RegisteredModel, metadata
from modelyard.jobs.guards import Claim, models, versions
from modelyard.registry.access import Actor
from modelyard.rules.audit import Action
from modelyard.rules.stages import Stage

_audit_log = metadata.tables["audit_log"]
_INSERT = insert(_audit_log)


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
    row = {
        "actor": actor.name,
        "token_id": actor.via.token_id,
        "address": actor.via.address,
        "request_id": actor.via.request_id,
        "action": action,
        "model_id": model.id if model else None,
        "model_name": model.name if model else None,
        "version": version.version if version else None,
        "principal": principal,
        "before": before,
        "after": after,
    }
    append(session, _audit_log, row)


def record_archived(session: Session, actor: Actor, archived: Iterable[tuple[int, str, int, str]]) -> None:
    """Write down that versions were archived: row id and name of the model, number and stage of each before."""
    rows = [
        {
            "actor": actor.name,
            "token_id": actor.via.token_id,
            "address": actor.via.address,
            "request_id": actor.via.request_id,
            "action": Action.TRANSITION,
            "model_id": model_id,
            "model_name": model_name,
            "version": number,
            "principal": None,
            "before": {"stage": stage},
            "after": {"stage": Stage.ARCHIVED},
        }
        for model_id, model_name, number, stage in archived
    ]
    session.connection().execute(_INSERT, rows)


def record_job(
    session: Session, claim: Claim, action: Action, *, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    """Write down what the end of a job changed, in the name of whoever asked for the job; model and version are its."""
    model_name = select(models.c.name).where(models.c.id == claim.model_id).scalar_subquery()
    number = select(versions.c.version).where(versions.c.id == claim.version_id).scalar_subquery()
    session.execute(
        _INSERT.values(
            at_ms=now_ms(),
            actor=claim.requested_by,
            address=f"job {claim.job_id}",
            request_id="",
            action=action,
            model_id=claim.model_id,
            model_name=model_name,
            version=number,
            before=before,
            after=after,
        )
    )
