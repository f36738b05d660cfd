"""The work of `prune_audit`: forgets audit entries older than the database keeps them, and says that it did."""

from sqlalchemy import delete, select

from modelyard.database.clock import now_ms
from modelyard.database.session import repeat_conflicts, transaction
from modelyard.database.tables import metadata
from modelyard.jobs.guards import Claim, hold
from modelyard.registry import audit
from modelyard.rules.audit import Action
from modelyard.worker.context import Context, Pulse

audit_log = metadata.tables["audit_log"]
registry = metadata.tables["registry"]

_BATCH = 500
_DAY_MS = 24 * 3600 * 1000
# The trigger asks the clock again; a row on the edge waits for the next night.
_MARGIN_MS = 60_000


def prune_audit(context: Context, claim: Claim, pulse: Pulse) -> None:
    """Delete entries beyond the retention, in batches, oldest first."""
    done = 0
    while removed := repeat_conflicts(lambda: _prune_batch(context, claim)):
        done += removed
        pulse(step="Pruning", items_done=done)
    pulse.say(f"Removed {done} entries of the audit log that are older than it is kept.")


def _prune_batch(context: Context, claim: Claim) -> int:
    with transaction(context.engine) as session:
        hold(session, claim)
        kept_ms = select(registry.c.audit_days * _DAY_MS).scalar_subquery()
        old = select(audit_log.c.id).where(audit_log.c.at_ms < now_ms() - kept_ms - _MARGIN_MS)
        ids = list(session.scalars(old.order_by(audit_log.c.id).limit(_BATCH)))
        if ids:
            session.execute(delete(audit_log).where(audit_log.c.id.in_(ids)))
            told = {"entries": len(ids), "first_id": ids[0], "last_id": ids[-1]}
            audit.record_job(session, claim, Action.PRUNE_AUDIT, before=told, after=None)
    return len(ids)
