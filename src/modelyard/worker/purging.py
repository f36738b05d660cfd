"""The work of `purge_version` and `purge_model`: removes what was deleted, in batches, for good.

Nothing of it can be restored once the first transaction has marked it. The bytes stay for a collection to free: the
report says how many are no longer referenced.
"""

from collections.abc import Callable
from functools import partial

from sqlalchemy import Table
from sqlmodel import Session

from modelyard.errors import TemporaryFailure
from modelyard.jobs.guards import Claim
from modelyard.registry import audit, purging
from modelyard.registry.job_effects import Report
from modelyard.registry.progress import version_subject
from modelyard.registry.usage import version_usage
from modelyard.rules.audit import Action
from modelyard.rules.counts import counted
from modelyard.storage import sizes
from modelyard.worker.context import Context, Pulse
from modelyard.worker.fence import fenced, looked_up

# Rows of one transaction.
_BATCH = 500
_RESTORED = Report("It was restored meanwhile; nothing was purged.")


def purge_version(context: Context, claim: Claim, pulse: Pulse) -> Report:
    """Remove a deleted version with everything that hangs on it. An attempt that comes later goes on from there."""
    version_id = claim.version_id or 0
    number = looked_up(context, partial(purging.number_of, version_id=version_id))
    if number is not None:
        if not _mark(context, claim, purging.versions, version_id):
            return _RESTORED
        _purge_one(context, claim, version_id, pulse, tell_model=number)
    return _report(context, claim, pulse)


def purge_model(context: Context, claim: Claim, pulse: Pulse) -> Report:
    """Remove a deleted model with all of its versions, one after the other.

    Versions that a job still works on are left out. Raises TemporaryFailure while there are any, to come back.
    """
    model_id = claim.model_id or 0
    if not _mark(context, claim, purging.models, model_id):
        is_there = looked_up(context, partial(purging.is_there, table=purging.models, row_id=model_id))
        return _RESTORED if is_there else _report(context, claim, pulse)
    purged, _ = looked_up(context, partial(purging.counted_so_far, job_id=claim.job_id))
    total = purged + looked_up(context, partial(purging.count_versions, model_id=model_id))
    busy = 0
    after = 0
    while batch := looked_up(context, partial(purging.versions_of, model_id=model_id, after=after, limit=_BATCH)):
        for version_id, public_id in batch:
            # How many are done is counted by the transactions that remove them.
            pulse(step="Purging", items_total=total)
            if looked_up(context, partial(purging.is_worked_on, subject=version_subject(public_id))):
                busy += 1
            else:
                _purge_one(context, claim, version_id, pulse)
        after = batch[-1][0]
    if busy:
        raise TemporaryFailure(f"{counted(busy, 'version')} still being worked on; the purge goes on after that.")
    _remove(context, claim, purging.models, model_id, pulse, partial(_audit, claim))
    return _report(context, claim, pulse)


def _mark(context: Context, claim: Claim, table: Table, row_id: int) -> bool:
    mark = partial(purging.mark_purging, table=table, row_id=row_id, deleted_at_ms=claim.arguments["deleted_at_ms"])
    return fenced(context, claim, mark, model_id=claim.model_id, version_id=claim.version_id)


def _purge_one(context: Context, claim: Claim, version_id: int, pulse: Pulse, tell_model: int | None = None) -> None:
    """Remove one version; `tell_model` is its number if the model's feed shall say so."""
    freed = looked_up(context, partial(version_usage, version_id=version_id)).own_bytes

    def last(session: Session) -> None:
        purging.count_purged(session, claim.job_id, items=1, size_bytes=freed)
        if tell_model is not None:
            purging.note_purged(session, claim.model_id or 0, tell_model, by=claim.requested_by)
            _audit(claim, session)

    _remove(context, claim, purging.versions, version_id, pulse, last)


def _remove(
    context: Context, claim: Claim, target: Table, row_id: int, pulse: Pulse, last: Callable[[Session], None]
) -> None:
    """Remove what refers to a row, then what `last` writes, and the row itself."""

    def some(session: Session) -> bool:
        if purging.remove_dependents(session, target, row_id, limit=_BATCH) == _BATCH:
            return False
        last(session)
        purging.remove_row(session, target, row_id)
        return True

    version_id = row_id if target is purging.versions else None
    while not fenced(context, claim, some, model_id=claim.model_id, version_id=version_id):
        pulse(step="Purging")


def _audit(claim: Claim, session: Session) -> None:
    audit.record_job(session, claim, Action.FINISH_PURGE, before=None, after=None)


def _report(context: Context, claim: Claim, pulse: Pulse) -> Report:
    items, size_bytes = looked_up(context, partial(purging.counted_so_far, job_id=claim.job_id))
    freed = f"{sizes.written(size_bytes)} are no longer referenced; a collection frees them"
    report = Report(f"Purged {counted(items, 'version')}: {freed}.")
    pulse.say(report.sentence)
    return report
