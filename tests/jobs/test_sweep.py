"""The sweep: lost workers, lost rings, and floods that do not happen. On both databases."""

import threading
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError, OperationalError

from modelyard.database.session import transaction
from modelyard.errors import InvalidValue
from modelyard.jobs.guards import jobs
from modelyard.jobs.sweep import Sweep
from modelyard.rules.jobs import JobKind, JobStatus
from tests.jobs.conftest import LEASE_MS, Jobs
from tests.waiting import wait_until


@dataclass
class Broker:
    """The far side of the bell: queues with a depth, and a memory of what was rung."""

    waiting: int | None = 0
    depths: dict[str, int] = field(default_factory=dict)
    deaf: bool = False
    rung: list[int] = field(default_factory=list)

    def ring(self, kind: str, queue: str, job_id: int) -> bool:
        if not self.deaf:
            self.rung.append(job_id)
        return not self.deaf

    def depth(self, queue: str) -> int | None:
        return self.depths.get(queue, self.waiting)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def sweep(job_house: Jobs, broker: Broker) -> Sweep:
    return Sweep(job_house.lifecycle, broker, period_s=5)


def test_the_job_of_a_lost_worker_waits_again_at_once(job_house, sweep):
    claim = job_house.claimed()
    job_house.pass_time(2 * LEASE_MS)

    assert sweep.reap() == 1

    assert job_house.row(claim.job_id).status == "QUEUED"
    assert job_house.lifecycle.claim(claim.job_id, "w2") is not None


def test_a_job_that_lost_two_workers_waits_longer(job_house, sweep):
    job_id = job_house.add()
    for attempt in (1, 2):
        job_house.claimed(job_id)
        job_house.pass_time(attempt * 2 * LEASE_MS)
        sweep.reap()

    assert job_house.lifecycle.claim(job_id, "w3") is None
    assert job_house.row(job_id).run_after_ms > job_house.row(job_id).created_at_ms + 4 * LEASE_MS


def test_a_worker_within_its_lease_is_left_alone(job_house, sweep):
    job_house.claimed()
    job_house.pass_time(LEASE_MS // 2)

    assert sweep.reap() == 0


def test_two_sweeps_at_once_reap_a_job_once(job_house, sweep):
    claim = job_house.claimed()
    job_house.pass_time(2 * LEASE_MS)
    counts: list[int] = []
    sweepers = [threading.Thread(target=lambda: counts.append(sweep.reap())) for _ in range(4)]

    for sweeper in sweepers:
        sweeper.start()
    for sweeper in sweepers:
        sweeper.join()

    assert sum(counts) == 1
    assert job_house.row(claim.job_id).attempt == 1


def test_a_sweep_that_was_starved_reaps_nothing(job_house, sweep):
    claim = job_house.claimed()
    job_house.pass_time(2 * LEASE_MS)
    sweep._last_round_s -= 60

    sweep.round()
    assert job_house.row(claim.job_id).status == "RUNNING"
    sweep.round()
    assert job_house.row(claim.job_id).status == "QUEUED"


def test_a_lost_message_is_rung_again_after_the_grace(job_house, sweep, broker):
    job_id = job_house.add()
    assert sweep.ring() == 0

    job_house.pass_time(6000)

    assert sweep.ring() == 1
    assert broker.rung == [job_id]


def test_a_ring_is_not_repeated_at_once(job_house, sweep, broker):
    job_house.add()
    job_house.pass_time(6000)
    sweep.ring()

    assert sweep.ring() == 0
    job_house.pass_time(12_000)
    assert sweep.ring() == 1


def test_a_ring_that_the_broker_did_not_take_stays_due(job_house, sweep, broker):
    job_id = job_house.add()
    job_house.pass_time(6000)
    broker.deaf = True

    assert sweep.ring() == 0
    broker.deaf = False
    assert sweep.ring() == 1
    assert job_house.row(job_id).wakes == 1


def test_a_queue_that_is_busy_is_not_flooded(job_house, sweep, broker):
    job_house.add()
    broker.waiting = 3

    job_house.pass_time(30_000)
    assert sweep.ring() == 0
    job_house.pass_time(70_000)
    assert sweep.ring() == 1


def test_a_broker_that_does_not_answer_is_left_alone(job_house, sweep, broker):
    job_house.add()
    broker.waiting = None
    job_house.pass_time(100_000)

    assert sweep.ring() == 0


def test_a_job_behind_another_of_its_subject_is_not_rung(job_house, sweep, broker):
    first, second = job_house.add(), job_house.add()
    job_house.claimed(first)
    job_house.pass_time(20_000)

    assert sweep.ring() == 0
    assert second not in broker.rung


def test_a_job_that_waits_out_its_delay_is_not_rung(job_house, sweep):
    claim = job_house.claimed()
    job_house.lifecycle.give_back(claim, delay_ms=60_000, error_code="X", message="later")
    job_house.pass_time(30_000)

    assert sweep.ring() == 0


def test_a_kind_that_this_release_does_not_know_is_left_to_workers_that_do(job_house, sweep, broker):
    claim, waiting = job_house.claimed(), job_house.add("model_version:b")
    with transaction(job_house.engine) as session:
        session.execute(update(jobs).values(kind="of_the_next_release"))
    job_house.pass_time(2 * LEASE_MS)

    assert (sweep.reap(), sweep.ring()) == (0, 0)
    assert (job_house.row(claim.job_id).status, job_house.row(waiting).wakes) == ("RUNNING", 0)


def test_the_sweep_goes_on_through_an_outage_of_the_database(job_house, broker):
    rounds: list[int] = []

    def chore() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise OperationalError("SELECT 1", {}, Exception("the database is away"))

    stop = threading.Event()
    sweep = Sweep(job_house.lifecycle, broker, period_s=0.05, chores=[chore])
    thread = threading.Thread(target=sweep.run, args=[stop])
    thread.start()

    wait_until(lambda: len(rounds) >= 3, what="three rounds")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_job_that_ran_out_of_attempts_is_failed_by_the_sweep(job_house, sweep):
    claim = job_house.claimed()
    with transaction(job_house.engine) as session:
        session.execute(update(jobs).values(max_attempts=1))
    job_house.pass_time(2 * LEASE_MS)

    sweep.reap()

    assert job_house.ended == [(JobStatus.FAILED, "The worker that ran this job was lost.")]
    assert job_house.row(claim.job_id).status == "FAILED"


def test_a_job_that_cannot_be_taken_back_keeps_no_other_from_it(job_house, broker):
    bad, good = job_house.claimed(job_house.add("model_version:a")), job_house.claimed(job_house.add("model_version:b"))

    def effects(session, ended):
        if ended.claim.job_id == bad.job_id:
            raise IntegrityError("UPDATE", {}, Exception("a constraint"))
        return True

    sweep = Sweep(replace(job_house.lifecycle, effects=effects), broker, period_s=5)
    job_house.pass_time(2 * LEASE_MS)

    assert sweep.reap() == 1
    assert (job_house.row(bad.job_id).status, job_house.row(good.job_id).status) == ("RUNNING", "QUEUED")


@pytest.mark.parametrize(
    "error",
    [PermissionError("ingest/"), IntegrityError("INSERT", {}, Exception("a constraint")), InvalidValue("no such zone")],
    ids=["a file", "a row", "a rule"],
)
def test_a_chore_that_fails_ends_no_round(job_house, broker, error):
    def chore() -> None:
        raise error

    claim, waiting = job_house.claimed(), job_house.add("model_version:b")
    job_house.pass_time(2 * LEASE_MS)

    Sweep(job_house.lifecycle, broker, period_s=5, chores=[chore]).round()

    assert job_house.row(claim.job_id).status == "QUEUED"
    assert waiting in broker.rung


def test_a_busy_queue_hides_no_job_of_another(job_house, broker):
    queue = job_house.lifecycle.queue
    with transaction(job_house.engine) as session:
        for _ in range(201):
            queue.enqueue(session, JobKind.REGISTER_VERSION, requested_by="ann")
        short = queue.enqueue(session, JobKind.PROBE, requested_by="ann")
    broker.depths = {"copy": 5, "fast": 0}
    job_house.pass_time(20_000)

    Sweep(job_house.lifecycle, broker, period_s=5).ring()

    assert broker.rung == [short.id]


def test_a_waiting_job_of_another_release_is_not_rung_for(job_house, sweep, broker):
    job_id = job_house.add(subject=None)
    with transaction(job_house.engine) as session:
        session.execute(update(jobs).values(kind="of_another_release"))
    job_house.pass_time(600_000)

    assert sweep.ring() == 0

    assert (broker.rung, job_house.row(job_id).status) == ([], "QUEUED")


def test_a_running_job_of_another_release_is_not_taken_back(job_house, sweep):
    claim = job_house.claimed()
    with transaction(job_house.engine) as session:
        session.execute(update(jobs).values(kind="of_another_release"))
    job_house.pass_time(2 * LEASE_MS)

    assert sweep.reap() == 0

    assert job_house.row(claim.job_id).status == "RUNNING"
