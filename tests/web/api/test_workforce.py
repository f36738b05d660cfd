"""Workers and queues over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from modelyard.database.clock import now_ms
from modelyard.database.session import transaction
from modelyard.database.tables import Worker, metadata
from tests.servers import Valkey
from tests.web.yards import Yard

jobs = metadata.tables["jobs"]


def report_worker(yard: Yard, name: str, queues: str, *, seen_ago_ms: int = 0, slots: int = 2) -> None:
    """Enter a worker as its sweep does; `name` is HOST:PID."""
    host, pid = name.split(":")
    with transaction(yard.engine) as session:
        worker = Worker(name=name, host=host, pid=int(pid), queues=queues, concurrency=slots, software_version="9")
        worker.seen_at_ms = now_ms() - seen_ago_ms  # type: ignore[assignment]
        session.add(worker)


def queue(yard: Yard, name: str) -> dict[str, Any]:
    """Return what is told of one queue."""
    (found,) = [row for row in yard.call("GET", "/api/v1/queues")["queues"] if row["queue"] == name]
    return found  # type: ignore[no-any-return]


def test_workers_are_listed_with_the_jobs_that_their_children_run(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(sweep_s=5)
    report_worker(yard, "one:10", "fast,copy", slots=3)
    report_worker(yard, "two:10", "copy", seen_ago_ms=20_000)
    own = [yard.claim(yard.add_job(), f"one:{child}:10:x").job_id for child in (11, 12)]
    yard.claim(yard.add_job(), "two:11:10:x")
    yard.claim(yard.add_job(), "an-older-release:11:x")

    one, two = yard.call("GET", "/api/v1/workers")["workers"]

    assert one == {
        "name": "one:10",
        "host": "one",
        "pid": 10,
        "queues": ["fast", "copy"],
        "slots": 3,
        "running": own,
        "started_at_ms": one["started_at_ms"],
        "seen_at_ms": one["seen_at_ms"],
        "software_version": "9",
        "alive": True,
    }
    assert (two["name"], two["alive"], len(two["running"])) == ("two:10", False, 1)


def test_queues_tell_what_waits_and_who_listens(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(sweep_s=5)
    report_worker(yard, "one:1", "fast,copy", slots=3)
    report_worker(yard, "two:2", "copy", slots=4)
    report_worker(yard, "gone:3", "copy", seen_ago_ms=20_000)
    yard.add_job()
    yard.claim(yard.add_job())
    for status, finished_at_ms in [("SUCCEEDED", now_ms()), ("FAILED", now_ms()), ("FAILED", 1), ("CANCELLED", 1)]:
        yard.add_job(status=status, finished_at_ms=finished_at_ms)

    fast, copy = queue(yard, "fast"), queue(yard, "copy")

    assert (fast["queued"], fast["running"], fast["depth"]) == (1, 1, None)
    assert (fast["succeeded_last_hour"], fast["failed_last_hour"]) == (1, 1)
    assert (fast["workers"], fast["slots"], copy["workers"], copy["slots"]) == (1, 3, 2, 7)
    assert (copy["queued"], copy["oldest_age_ms"]) == (0, None)


def test_the_oldest_job_is_the_one_that_could_have_run_longest(yard: Yard) -> None:
    for late_ms in (5_000, 90_000, -60_000):
        job_id = yard.add_job(created_at_ms=1)
        with transaction(yard.engine) as session:
            session.execute(update(jobs).where(jobs.c.id == job_id).values(run_after_ms=now_ms() - late_ms))

    assert queue(yard, "fast")["oldest_age_ms"] == pytest.approx(90_000, abs=9_000)


def test_jobs_that_wait_out_a_delay_make_no_queue_old(yard: Yard) -> None:
    job_id = yard.add_job()
    with transaction(yard.engine) as session:
        session.execute(update(jobs).where(jobs.c.id == job_id).values(run_after_ms=now_ms() + 60_000))

    assert (queue(yard, "fast")["queued"], queue(yard, "fast")["oldest_age_ms"]) == (1, None)


def test_a_queue_of_another_release_is_shown_while_jobs_wait_in_it(yard: Yard) -> None:
    yard.add_job(queue="third", kind="of_another_release")

    assert [row["queue"] for row in yard.call("GET", "/api/v1/queues")["queues"]] == ["fast", "copy", "third"]


def test_the_depth_is_the_broker_s(open_yard: Callable[..., Yard], valkey: Valkey) -> None:
    yard = open_yard(broker_url=valkey.url, sweep_s=0.1)
    yard.register()

    rung = queue(yard, "copy")
    valkey.stop()
    silent = queue(yard, "copy")

    assert (rung["queued"], rung["depth"]) == (1, 1)
    assert (silent["queued"], silent["depth"]) == (1, None)
