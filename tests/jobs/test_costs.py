"""Moves of one job cost the same whether ten jobs wait or thousands."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, text
from sqlmodel import Session

from modelyard.database.session import autocommit, transaction
from modelyard.jobs.guards import jobs
from modelyard.jobs.statements import CLAIM, WAITING
from modelyard.registry.purging import is_worked_on
from tests.costs import Question, cost

FEW, MANY = 50, 4000
LAST = "the last of a subject"


def add_jobs(engine: Engine, count: int) -> int:
    """Let jobs wait, half of them with a subject of their own; return the id of a last one."""
    row = {"kind": "probe", "queue": "fast", "max_attempts": 5, "requested_by": "ann", "wake_at_ms": 0}
    with transaction(engine) as session:
        rows = [{**row, "subject": f"s:{number}" if number % 2 else None} for number in range(count)]
        session.execute(insert(jobs), rows)
        last = session.execute(insert(jobs).returning(jobs.c.id), {**row, "subject": LAST}).scalar_one()
    if engine.dialect.name == "postgresql":
        with autocommit(engine) as connection:
            connection.execute(text("VACUUM ANALYZE jobs"))
    return int(last)


@pytest.fixture
def moves(job_house) -> Callable[[int], dict[str, Question]]:
    """Statements about the one job with this id."""
    queue = job_house.lifecycle.queue

    def of(job_id: int) -> dict[str, Question]:
        claim = {"its_job": job_id, "worker": "w", "lease_ms": 1000}
        return {
            "wake the next of a subject": lambda connection: queue.wake_next(Session(connection), "nothing waits"),
            "ask whether a subject is busy": lambda connection: is_worked_on(Session(connection), LAST),
            "claim": lambda connection: connection.execute(CLAIM, claim).all(),
        }

    return of


def test_a_move_costs_the_same_however_many_jobs_wait(job_house, moves):
    few = {what: cost(job_house.engine, move) for what, move in moves(add_jobs(job_house.engine, FEW)).items()}
    many = {what: cost(job_house.engine, move) for what, move in moves(add_jobs(job_house.engine, MANY)).items()}

    dear = {what: (few[what], many[what]) for what in few if many[what] > 2 * few[what] + 20}
    assert dear == {}


def test_the_sweep_finds_what_waits_without_comparing_each_with_each(job_house):
    def look(connection):
        return connection.execute(WAITING, {"its_queue": "fast", "most": 200}).all()

    add_jobs(job_house.engine, MANY // 20)
    few = cost(job_house.engine, look)
    add_jobs(job_house.engine, MANY)

    assert cost(job_house.engine, look) <= 2 * 20 * few
