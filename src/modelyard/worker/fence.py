"""The transactions of a running job's work: short ones, each counted only while the job is still ours."""

from collections.abc import Callable
from typing import TypeVar

from sqlmodel import Session

from modelyard.database.session import reading, repeat_conflicts, transaction
from modelyard.jobs.guards import Claim, hold, lock_registry_rows
from modelyard.worker.context import Context

Answer = TypeVar("Answer")


def fenced(
    context: Context,
    claim: Claim,
    work: Callable[[Session], Answer],
    *,
    model_id: int | None = None,
    version_id: int | None = None,
) -> Answer:
    """Return `work(session)`, done in a transaction of its own that begins with the fence; repeated on conflicts.

    `model_id` and `version_id` name rows to lock before the job's own, as everybody does. Raises ClaimLost.
    """

    def once() -> Answer:
        with transaction(context.engine) as session:
            lock_registry_rows(session, model_id, version_id)
            hold(session, claim)
            return work(session)

    return repeat_conflicts(once)


def looked_up(context: Context, work: Callable[[Session], Answer]) -> Answer:
    """Return `work(session)`, which only reads, and so waits for nobody."""
    with reading(context.engine) as session:
        return work(session)
