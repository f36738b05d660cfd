"""Random histories of jobs over the real SQL, held against a model after every step.

The faults of a queue need a chain that chance hardly builds: a lease runs out, a sweep takes the job back, another
worker claims it, and the first one, who knows nothing of that, acts. So that chain is one rule, and beliefs that are
not true any more are drawn more often than true ones. `make prove` draws two thousand histories for each database.
"""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import Engine

from modelyard.errors import InvalidState
from modelyard.jobs.guards import Claim
from modelyard.jobs.lifecycle import outcome_of
from modelyard.rules.jobs import AttemptOutcome, JobKind, JobStatus
from tests.jobs.machine.history import LOST, History
from tests.jobs.machine.house import MOVES, House
from tests.jobs.machine.world import GRACE_MS, LEASE_MS, MINUTE_MS, Belief
from tests.stopped_clock import StoppedClock

# Overdue on every database: SQLite allows a third of a lease more.
OVER_MS = LEASE_MS * 4 // 3 + 1
# On both sides of every limit that a statement asks for.
SPANS_MS = [1, 999, GRACE_MS, 20_000, LEASE_MS, LEASE_MS + 1, OVER_MS - 1, OVER_MS, MINUTE_MS + 1]
FALLS_MS = [1000, LEASE_MS, 2 * LEASE_MS + 1]
# Names come again, as the numbers of attempts do: neither alone may be taken for the owner.
workers = st.sampled_from(["w1", "w2", "w3"])
moves = st.sampled_from(sorted(MOVES))


def somebody_runs(history: History) -> bool:
    return any(work.running for work in history.world.works.values())


class Jobs(History):
    """The rules by which a history is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[Claim] = []
        self.falls = self.forged = 0

    # What people and programs ask for.

    @initialize(others=st.integers(0, 2))
    def begin(self, others: int) -> None:
        """Start from a registration that runs, and some jobs behind it."""
        self.register()
        (work,) = self.world.works.values()
        for _ in range(others):
            self.add_behind(work)
        self.claim_for(work, "w1")

    @rule()
    def register(self) -> None:
        version, job = self.house.register(self.models[-1])
        known = self.world.register(version.id, version.model_id)
        self.world.enqueue(job.id, JobKind.REGISTER_VERSION, job.subject, known)

    @rule(data=st.data(), behind=st.booleans())
    def enqueue(self, data: st.DataObject, behind: bool) -> None:
        if behind:
            self.add_behind(self.draw_work(data))
        else:
            self.world.enqueue(self.house.enqueue(), JobKind.PROBE, None, None)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        work = self.draw_work(data, [JobStatus.RUNNING, JobStatus.QUEUED])
        assert self.house.cancel(work) == self.world.cancel(work)

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        work = self.draw_work(data, [JobStatus.FAILED, JobStatus.CANCELLED])
        refused = work.status in (JobStatus.FAILED, JobStatus.CANCELLED) and not self.world.may_retry(work)
        try:
            answer = self.house.retry(work.id)
        except InvalidState:
            assert refused
            return
        assert not refused
        assert answer == self.world.retry(work)
        self.retried.add(work.id)

    @precondition(lambda self: len(self.models) < 3 and len(self.world.works) > 3)
    @rule()
    def delete_model(self) -> None:
        self.house.delete_model(self.models[-1])
        self.world.delete_model(max(self.world.changes))
        self.add_model()

    # Messages: carried, doubled, late, lost.

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), worker=workers, fate=st.sampled_from(["carried", "carried", "doubled", "lost"]))
    def deliver(self, data: st.DataObject, worker: str, fate: str) -> None:
        position = data.draw(st.integers(0, len(self.messages) - 1))
        job_id = self.messages[position] if fate == "doubled" else self.messages.pop(position)
        if fate != "lost":
            self.claim_for(self.world.works[job_id], worker)

    @rule(data=st.data(), worker=workers)
    def deliver_what_nobody_rang(self, data: st.DataObject, worker: str) -> None:
        self.claim_for(self.draw_work(data, [JobStatus.QUEUED]), worker)

    # What workers do, rightly or not.

    @rule(data=st.data(), move=moves)
    def act(self, data: st.DataObject, move: str) -> None:
        self.move(self.draw_belief(data), move)

    @precondition(somebody_runs)
    @rule(data=st.data(), move=moves)
    def act_rightly(self, data: st.DataObject, move: str) -> None:
        self.move(data.draw(st.sampled_from([belief for belief in self.beliefs if self.world.owns(belief)])), move)

    @precondition(somebody_runs)
    @rule(data=st.data(), move=moves, worker=workers)
    def outlive_the_lease(self, data: st.DataObject, move: str, worker: str) -> None:
        """Lease over, reaped, claimed again, and the zombie acts."""
        zombie = data.draw(st.sampled_from([belief for belief in self.beliefs if self.world.owns(belief)]))
        work = self.world.works[zombie.claim.job_id]
        self.let_pass(OVER_MS)
        self.take_back()
        if work.status is JobStatus.QUEUED:
            self.let_pass(work.run_after_ms - self.world.now_ms)
            self.claim_for(work, worker)
        self.move(zombie, move)

    @precondition(lambda self: self.forged < 2)
    @rule(data=st.data(), worker=st.booleans())
    def forge(self, data: st.DataObject, worker: bool) -> None:
        """Believe what was true in another copy of the database: another's attempt, or an older one of the same."""
        claim = self.draw_belief(data).claim
        self.forged += 1
        forged = replace(claim, worker="w9") if worker else replace(claim, attempt=claim.attempt - 1)
        self.beliefs.append(Belief(forged, serial=-self.forged))

    @rule(data=st.data())
    def ask_for_the_outcome(self, data: st.DataObject) -> None:
        claim = self.draw_belief(data).claim
        work = self.world.works[claim.job_id]
        known = (work.attempt, work.worker) == (claim.attempt, claim.worker)
        assert outcome_of(self.house.engine, claim) == (work.status if known else None)

    # Sweeps, any number at once, and the clock.

    @rule()
    def reap(self) -> None:
        self.take_back()

    @precondition(somebody_runs)
    @rule(data=st.data(), ms=st.sampled_from([LEASE_MS + 1, OVER_MS]), move=st.sampled_from(["nothing", *MOVES]))
    def sweep_slowly(self, data: st.DataObject, ms: int, move: str) -> None:
        """Have a worker come back to life between a sweep's SELECT and its UPDATE."""
        self.let_pass(ms)
        self.listed += self.house.overdue_claims()
        if self.listed:
            self.reap_what_was_listed(data, move)

    @precondition(lambda self: self.listed)
    @rule(data=st.data())
    def sweep_on(self, data: st.DataObject) -> None:
        """Go on with what a sweep has listed before much else has happened."""
        self.reap_what_was_listed(data, "nothing")

    @rule(depth=st.sampled_from([0, 3]))
    def ring(self, depth: int) -> None:
        self.ring_again(depth)

    @rule(ms=st.sampled_from(SPANS_MS))
    def pass_time(self, ms: int) -> None:
        self.let_pass(ms)

    @precondition(lambda self: self.falls < 2)
    @rule(ms=st.sampled_from(FALLS_MS))
    def fall_back(self, ms: int) -> None:
        self.falls += 1
        self.let_pass(-ms)

    def reap_what_was_listed(self, data: st.DataObject, move: str) -> None:
        claim = self.listed.pop(data.draw(st.integers(0, len(self.listed) - 1)))
        work = self.world.works[claim.job_id]
        listed = work.running and work.last is not None and work.last.claim == claim
        if listed and move != "nothing":
            self.move(work.last, move)
        due = listed and self.world.overdue(work)
        answer = self.house.lifecycle.reap(claim, delay_ms=0)
        assert answer == (self.world.give_back(work, AttemptOutcome.LOST, delay_ms=0, **LOST) if due else None)


def test_no_history_of_jobs_breaks_a_promise(engine: Engine) -> None:
    clock = StoppedClock(engine)
    machine = type("Jobs", (Jobs,), {"house": House(engine), "clock": clock})

    run_state_machine_as_test(machine)
