"""The figures of `/metrics` that only grow, kept so that no transaction of a job waits for another's.

What rows tell is read from `job_attempts`, and added to `counters` in bulk some time after an attempt has ended: what a
reader sees is both together. What no row tells is added by small statements of their own. Nothing is counted within
the transactions that move jobs, for the counter's row would be a queue before all of them.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, bindparam, select, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_or
from modelyard.database.session import transaction
from modelyard.database.tables import metadata
from modelyard.jobs.attempts import attempts
from modelyard.jobs.guards import jobs
from modelyard.rules.figures import AttemptFacts, Figures, figures_of

counters = metadata.tables["counters"]

BATCH = 500
ENDED: ColumnElement[bool] = attempts.c.ended_at_ms.is_not(None)

_FACTS = (
    jobs.c.kind,
    jobs.c.queue,
    attempts.c.attempt,
    (attempts.c.started_at_ms - jobs.c.created_at_ms).label("waited_ms"),
    (attempts.c.ended_at_ms - attempts.c.started_at_ms).label("ran_ms"),
    attempts.c.outcome,
)
_MARK = (
    update(attempts)
    .where(attempts.c.job_id == bindparam("its_job"), attempts.c.attempt == bindparam("its_attempt"))
    .values(counted_at_ms=now_ms())
)


def count(engine: Engine, figures: Figures) -> None:
    """Add to figures that no row tells, in a transaction of its own."""
    with transaction(engine) as session:
        _add(session, figures)


def fold_attempts(session: Session, *conditions: ColumnElement[bool]) -> int:
    """Add what some attempts tell to the counters, once; return how many there were, at most `BATCH`.

    Whoever deletes attempts folds them first, in the same transaction: a counter never falls.
    """
    rows = session.execute(
        select(attempts.c.job_id, *_FACTS)
        .join(jobs, jobs.c.id == attempts.c.job_id)
        .where(attempts.c.counted_at_ms.is_(None), *conditions)
        .order_by(attempts.c.job_id, attempts.c.attempt)
        .limit(BATCH)
        # Two at once: the second waits here, and then finds these counted.
        .with_for_update(of=attempts)
    ).all()
    if rows:
        # By a statement for each: SQLite reads its whole table for a list of pairs.
        keys = [{"its_job": row.job_id, "its_attempt": row.attempt} for row in rows]
        session.connection().execute(_MARK, keys)
        _add(session, figures_of(AttemptFacts(*row[1:]) for row in rows))
    return len(rows)


def read_figures(session: Session) -> Figures:
    """Return every figure as it stands: what was folded, and what attempts that were not tell. Needs one snapshot."""
    rows: Sequence[Any] = session.execute(
        select(*_FACTS).join(jobs, jobs.c.id == attempts.c.job_id).where(attempts.c.counted_at_ms.is_(None))
    ).all()
    figures = figures_of(AttemptFacts(*row) for row in rows)
    for name, labels, value in session.execute(select(counters.c.name, counters.c.labels, counters.c.value)):
        figures[name, labels] += int(value)
    return figures


def _add(session: Session, figures: Figures) -> None:
    rows = [
        {"name": name, "labels": labels, "value": amount}
        # Everybody in the same order, or two that count the same figures wait for each other.
        for (name, labels), amount in sorted(figures.items())
        if amount
    ]
    if rows:
        upsert = insert_or(session, counters)
        grown = {"value": counters.c.value + upsert.excluded.value}
        upsert = upsert.on_conflict_do_update(index_elements=["name", "labels"], set_=grown)
        session.connection().execute(upsert, rows)
