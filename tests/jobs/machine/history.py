"""A history of jobs: each step is done on the real database and in the model, and then both are compared.

The invariants are those of design/jobs.md, by number.
"""

from collections.abc import Collection
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from modelyard.rules.jobs import FINAL, AttemptOutcome, JobKind, JobStatus
from tests.jobs.machine.house import DIGESTS, MOVES, House, is_refused
from tests.jobs.machine.world import CANCELLED, LEASE_MS, MINUTE_MS, Belief, Work, World
from tests.stopped_clock import StoppedClock

SLACK_MS = {"sqlite": LEASE_MS // 3, "postgresql": 0}
LOST = {"error_code": "worker_lost", "message": "The worker that ran this job was lost."}
DRAINED = {"error_code": "worker_stopped", "message": "The worker stopped; waiting for another."}
AWAY = {"error_code": "X", "message": "away"}
NOBODY = "Cancelled by an unknown actor."
CALM_ROUNDS = 6


class History(RuleBasedStateMachine):
    """One history; `test_machine.py` holds the rules by which it is drawn."""

    house: ClassVar[House]
    clock: ClassVar[StoppedClock]

    def __init__(self) -> None:
        super().__init__()
        self.house.rings.clear()
        self.world = World(self.clock.now_ms, SLACK_MS[self.house.engine.dialect.name])
        self.messages: list[int] = []
        self.beliefs: list[Belief] = []
        self.seen: dict[int, tuple[str, int]] = {}
        self.retried: set[int] = set()
        self.models: list[str] = []
        self.add_model()

    @invariant()
    def holds(self) -> None:
        """What must be true after each step, told from the rows alone."""
        self.hear()
        rows, versions = self.house.rows(), self.house.versions()
        for version in versions.values():
            open_ = [row for row in rows.values() if row.version_id == version.id and row.status not in FINAL]
            registrations = [row for row in open_ if row.kind == JobKind.REGISTER_VERSION]
            assert (version.status == "PENDING_REGISTRATION") is (len(registrations) == 1), "1"
            assert (version.status == "READY") is (version.manifest_digest is not None), "6"
        for row in rows.values():
            status, attempt = self.seen.get(row.id, (row.status, 0))
            assert status not in FINAL or row.status == status or row.id in self.retried, "2"
            assert row.attempt >= attempt, "2"
            self.seen[row.id] = (row.status, row.attempt)
        self.retried.clear()
        running = [row.subject for row in rows.values() if row.status == JobStatus.RUNNING and row.subject]
        assert len(running) == len(set(running)), "3"
        self._compare(rows, versions)

    def teardown(self) -> None:
        """When all is calm, every job becomes final in bounded time: invariant 7."""
        try:
            for _ in range(CALM_ROUNDS):
                self._let_a_calm_round_pass()
                self.holds()
            assert all(work.final for work in self.world.works.values()), "7"
        finally:
            self.house.empty()

    def draw_work(self, data: st.DataObject, wanted: Collection[JobStatus] = ()) -> Work:
        """Draw a job, three times of four one of a status wanted, where there is one."""
        works = list(self.world.works.values())
        better = [work for work in works if work.status in wanted]
        return data.draw(st.sampled_from(better if better and data.draw(st.integers(0, 3)) else works))

    def draw_belief(self, data: st.DataObject) -> Belief:
        """Draw what a worker believes to own, three times of four one that is wrong."""
        wrong = [belief for belief in self.beliefs if not self.world.owns(belief)]
        right = [belief for belief in self.beliefs if self.world.owns(belief)]
        wanted = wrong if data.draw(st.integers(0, 3)) else right
        return data.draw(st.sampled_from(wanted or wrong or right))

    def add_model(self) -> None:
        """Create the model that versions are registered under from now on."""
        self.models.append(f"m{len(self.models)}")
        self.world.changes[self.house.create_model(self.models[-1])] = 0

    def add_behind(self, work: Work) -> None:
        """Add a job of the same subject."""
        version = work.version
        ids = {"model_id": version.model, "version_id": version.id} if version else {}
        job_id = self.house.enqueue(subject=work.subject, **ids)
        self.world.enqueue(job_id, JobKind.PROBE, work.subject, version)

    def claim_for(self, work: Work, worker: str) -> bool:
        """Have a worker claim a job that it was rung for; whether it got it."""
        expected = self.world.may_claim(work)
        claim = self.house.lifecycle.claim(work.id, worker)
        assert (claim is not None) is expected
        if claim is not None:
            self.beliefs.append(self.world.claim(work, claim))
            assert (claim.attempt, claim.worker) == (work.attempt, worker)
        return expected

    def move(self, belief: Belief, move: str) -> None:
        """Have a worker do something for a job that it believes to own."""
        right = self.world.owns(belief)
        refused, answer = is_refused(lambda: MOVES[move](self.house, belief.claim))
        assert refused is not right, f"4: {move} of a worker that {'owns' if right else 'has lost'} its job"
        if right:
            assert answer == self._moved(self.world.works[belief.claim.job_id], move)

    def let_pass(self, ms: int) -> None:
        """Let time pass, or fall back."""
        self.clock.move(ms)
        self.world.now_ms = self.clock.now_ms

    def take_back(self) -> None:
        """Let a sweep take back what is overdue."""
        overdue = sorted((w for w in self.world.works.values() if self.world.overdue(w)), key=lambda work: work.id)
        assert self.house.sweep.reap() == len(overdue)
        rows = self.house.rows() if overdue else {}
        for work in overdue:
            delay_ms = rows[work.id].run_after_ms - self.world.now_ms
            # After a second loss chance has a part in the delay.
            assert delay_ms == 0 if work.attempt == 1 else 30_000 <= delay_ms <= 300_000
            self.world.give_back(work, AttemptOutcome.LOST, delay_ms=delay_ms, **LOST)

    def ring_again(self, depth: int) -> None:
        """Let a sweep ring that finds `depth` messages in each queue."""
        self.house.waiting = depth
        self.house.sweep.ring()
        self.world.rings += self.world.ring(depth)

    def hear(self) -> None:
        """Compare what was rung with what had to be; the messages may be delivered from now on."""
        assert self.house.rings == self.world.rings
        self.messages += self.house.rings
        self.house.rings.clear()
        self.world.rings.clear()

    def _moved(self, work: Work, move: str) -> object:
        """Do a right move in the model, and return the answer that its worker gets."""
        if move == "heartbeat":
            self.world.heartbeat(work)
            return work.cancel_requested
        if move == "store":
            work.leased.add((work.attempt, DIGESTS[work.attempt % len(DIGESTS)]))
            return None
        if move in ("give back", "give back at once"):
            delay_ms = 20_000 if move == "give back" else 0
            return self.world.give_back(work, AttemptOutcome.RETRIED, delay_ms=delay_ms, **AWAY)
        if move == "release":
            return self.world.give_back(work, AttemptOutcome.RELEASED, delay_ms=0, grant=True, **DRAINED)
        if move == "acknowledge":
            return self.world.end(work, JobStatus.CANCELLED, message=CANCELLED if work.cancel_requested else NOBODY)
        if move == "fail":
            return self.world.end(work, JobStatus.FAILED, "X", "no")
        return self.world.end(work, JobStatus.SUCCEEDED)

    def _let_a_calm_round_pass(self) -> None:
        self.let_pass(6 * MINUTE_MS)
        self.take_back()
        self.ring_again(depth=0)
        self.hear()
        while self.messages:
            work = self.world.works[self.messages.pop()]
            if self.claim_for(work, "calm"):
                self.move(self.beliefs[-1], "finish")
            self.hear()

    def _compare(self, rows: dict[int, Any], versions: dict[int, Any]) -> None:
        outcomes = self.house.outcomes()
        for work in self.world.works.values():
            row = rows[work.id]
            assert (row.status, row.attempt, row.max_attempts) == (work.status, work.attempt, work.max_attempts)
            assert (row.releases, row.cancel_requested) == (work.releases, work.cancel_requested)
            assert (row.worker, row.lease_until_ms) == (work.worker, work.lease_until_ms), "4"
            assert (row.run_after_ms, row.wake_at_ms, row.wakes) == (work.run_after_ms, work.wake_at_ms, work.wakes)
            assert (row.error_code, row.status_message) == (work.error_code, work.message)
            assert outcomes.get(work.id, []) == work.outcomes
        assert {v.id: v.status for v in versions.values()} == {v.id: v.status for v in self.world.versions.values()}
        assert self.house.changes() == self.world.changes, "5: each effect once"
        assert self.house.leases() == {(w.id, *lease) for w in self.world.works.values() for lease in w.leased}, "8"
