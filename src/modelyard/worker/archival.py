"""The work of `archive_versions`: what archiving means for each version that a promotion moved aside.

The stages themselves changed in the promotion's own transaction; the list was fixed there. Source: architecture.md,
"Stage changes are atomic".
"""

from sqlalchemy import select
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_or
from modelyard.database.session import repeat_conflicts, transaction
from modelyard.database.tables import metadata
from modelyard.jobs.guards import Claim, hold, lock_registry_rows
from modelyard.worker.context import Context, Pulse

versions = metadata.tables["model_versions"]
activities = metadata.tables["activities"]

_BATCH = 200


def archive_versions(context: Context, claim: Claim, pulse: Pulse) -> None:
    """Record one SYSTEM_TRANSITION for each version of the job's list, in batches; a repeat writes nothing twice.

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
        rows = [_activity(claim, version_id) for version_id in _ids(session, claim, numbers)]
        if rows:
            session.execute(insert_or(session, activities).values(rows).on_conflict_do_nothing())


def _ids(session: Session, claim: Claim, numbers: list[int]) -> list[int]:
    found = select(versions.c.id).where(versions.c.model_id == claim.model_id, versions.c.version.in_(numbers))
    return list(session.scalars(found.order_by(versions.c.version)))


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
