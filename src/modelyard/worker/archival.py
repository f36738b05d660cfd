"""The work of `archive_versions`: what archiving means for each version that a promotion moved aside.

The stages themselves changed in the promotion's own transaction; the list was fixed there. Source: architecture.md,
"Stage changes are atomic".
"""

from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_or
from modelyard.database.session import repeat_conflicts, transaction
from modelyard.database.tables import metadata
from modelyard.jobs.guards import Claim, hold, lock_registry_rows
from modelyard.registry.events import told
from modelyard.rules.events import RegistryEvent
from modelyard.worker.context import Context, Pulse

versions = metadata.tables["model_versions"]
models = metadata.tables["registered_models"]
activities = metadata.tables["activities"]
outbox = metadata.tables["outbox_events"]

_BATCH = 200


def archive_versions(context: Context, claim: Claim, pulse: Pulse) -> None:
    """Record and announce a SYSTEM_TRANSITION for each version of the job's list, in batches; never one twice.

    Arguments: `versions` (version numbers), `from_stage`, `promoted` (version number).
    """
    numbers: list[int] = claim.arguments["versions"]
    for start in range(0, len(numbers), _BATCH):
        batch = numbers[start : start + _BATCH]
        repeat_conflicts(lambda batch=batch: _record(context, claim, batch))  # type: ignore[misc]
        pulse(step="Recording", items_done=start + len(batch), items_total=len(numbers))


def _record(context: Context, claim: Claim, numbers: list[int]) -> None:
    with transaction(context.engine) as session:
        lock_registry_rows(session, claim.model_id, None)
        hold(session, claim)
        found = _versions(session, claim, numbers)
        if found:
            recorded = [_activity(claim, row.id) for row in found]
            session.execute(insert_or(session, activities).values(recorded).on_conflict_do_nothing())
            announced = [_event(claim, row) for row in found]
            session.execute(insert_or(session, outbox).values(announced).on_conflict_do_nothing())


def _versions(session: Session, claim: Claim, numbers: list[int]) -> list[Any]:
    found = select(versions.c.id, versions.c.version, models.c.name).join(models, models.c.id == versions.c.model_id)
    found = found.where(versions.c.model_id == claim.model_id, versions.c.version.in_(numbers))
    return list(session.execute(found.order_by(versions.c.version)))


def _activity(claim: Claim, version_id: int) -> dict[str, object]:
    stage = claim.arguments["from_stage"]
    return {
        "model_id": claim.model_id,
        "version_id": version_id,
        "activity_type": "SYSTEM_TRANSITION",
        "actor": claim.requested_by,
        "created_at_ms": now_ms(),
        "updated_at_ms": now_ms(),
        "from_stage": stage,
        "to_stage": "Archived",
        "comment": "",
        "system_comment": f"Archived because version {claim.arguments['promoted']} was transitioned to {stage}.",
        "job_id": claim.job_id,
    }


def _event(claim: Claim, row: Any) -> dict[str, object]:
    return {
        "event": RegistryEvent.TRANSITIONED,
        "model_id": claim.model_id,
        "version_id": row.id,
        "actor": claim.requested_by,
        "payload": told(row.name, row.version, from_stage=claim.arguments["from_stage"], to_stage="Archived"),
        "job_id": claim.job_id,
        "created_at_ms": now_ms(),
    }
