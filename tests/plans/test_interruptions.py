"""Plans whose worker is lost, released or cancelled half-way, and two that want the same. On both databases."""

import threading
from typing import Any

import pytest
from sqlalchemy import update

from modelyard.database.session import repeat_conflicts, transaction
from modelyard.database.tables import Job, Plan
from modelyard.errors import CancelRequested, ClaimLost, InvalidState, Released
from modelyard.registry import plans, policies
from modelyard.registry.policies import NewPolicy
from modelyard.registry.tags import set_model_version_tag
from modelyard.rules.plans import PlanAction
from modelyard.rules.policies import Caps, Conditions, Mode
from modelyard.rules.schedules import Rule as Times
from modelyard.rules.schedules import RuleKind
from modelyard.worker import planning, policy_runs, runner
from modelyard.worker.tasks import WORK
from tests.plans.office import ARCHIVE, EVERYTHING, Office
from tests.registry.desks import ANN

WEEKLY = Times(RuleKind.CRON, "0 4 * * 1")


class StopAfter:
    """A pulse that stops the work with an error after so many beats."""

    def __init__(self, beats: int, error: type[BaseException]) -> None:
        self.left, self.error = beats, error

    def say(self, text: str, level: str = "info") -> None:
        """Hear what the work tells."""

    def __call__(self, **progress: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two versions be a batch, and a page of a plan."""
    monkeypatch.setattr(planning, "BATCH", 2)
    monkeypatch.setattr(planning, "_PAGE", 2)


def queue_again(office: Office, job_id: int) -> None:
    """Put a job back into the queue, as the reap of its lost worker does."""
    lost = {"status": "QUEUED", "lease_until_ms": None, "worker": None, "run_after_ms": 0}
    with transaction(office.engine) as session:
        session.execute(update(Job).where(Job.id == job_id).values(**lost))


def stopped(office: Office, job_id: int, beats: int) -> None:
    """Let the worker of a job be lost after so many beats."""
    claim = office.lifecycle.claim(job_id, "lost")
    assert claim is not None
    with pytest.raises(Released):
        WORK[claim.kind](office.context, claim, StopAfter(beats, Released))  # type: ignore[index]
    queue_again(office, job_id)


def policy_that_applies(office: Office, mode: Mode = Mode.APPLY) -> int:
    """Enter a policy that archives everything, have it run, and return the run's job."""
    with transaction(office.engine) as session:
        wish = NewPolicy("all", PlanAction.ARCHIVE, Conditions(), WEEKLY, mode, Caps(100, 1000), everything=True)
        policies.create_policy(session, ANN, wish)
        return policies.run_policy(session, ANN, "all", propose=False, queue=office.queue).id


def test_a_plan_that_was_half_made_is_made_to_its_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "PLANNED_AT_ONCE", 1)
    office.versions("m", 3)
    office.versions("n", 4)
    with transaction(office.engine) as session:
        plan = plans.ask_for_plan(session, ANN, ARCHIVE, EVERYTHING, then_execute=False, queue=office.queue)
    assert plan.status == "PLANNING"

    stopped(office, plan.plan_job_id or 0, 2)
    assert [(item.model_name, item.version) for item in office.items(plan)] == [("m", 1), ("m", 2), ("m", 3), ("n", 1)]
    office.work()

    plan = office.plan_now(plan)
    assert (plan.status, plan.versions) == ("READY", 7)
    assert list(office.reasons(plan)) == [("m", 1), ("m", 2), ("m", 3), ("n", 1), ("n", 2), ("n", 3), ("n", 4)]


def test_a_plan_in_the_making_is_not_executed(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "PLANNED_AT_ONCE", 1)
    office.versions("m", 3)
    with transaction(office.engine) as session:
        plan = plans.ask_for_plan(session, ANN, ARCHIVE, EVERYTHING, then_execute=False, queue=office.queue)

    with pytest.raises(InvalidState, match="is still being made"):
        office.execute(plan, digest="x")


@pytest.mark.parametrize("beats", [1, 4])
def test_a_run_whose_worker_is_lost_goes_on_with_its_own_plan(office: Office, beats: int) -> None:
    office.versions("m", 5)
    job_id = policy_that_applies(office)

    stopped(office, job_id, beats)
    office.work()

    with transaction(office.engine) as session:
        page = policies.find_policy(session, ANN, "all")
        assert page.last is not None
        assert (page.last.plan_job_id, page.last.done, page.last.status) == (job_id, 5, "EXECUTED")
        assert len(plans.list_plans(session, ANN, plans.PlanFilter(), limit=9).rows) == 1
    assert len(office.feed()) == 5


def test_a_worker_that_lost_its_claim_archives_nothing(office: Office) -> None:
    office.versions("m", 5)
    plan = office.execute(office.plan(), work=False)
    zombie = office.lifecycle.claim(plan.execute_job_id or 0, "zombie")
    assert zombie is not None
    queue_again(office, zombie.job_id)
    assert office.lifecycle.claim(zombie.job_id, "other") is not None

    with pytest.raises(ClaimLost):
        planning.execute_plan(office.context, zombie, StopAfter(99, Released))

    assert set(office.stages().values()) == {"None"}


def test_a_cancelled_execution_stops_between_two_batches_and_can_go_on(office: Office) -> None:
    office.versions("m", 5)
    plan = office.execute(office.plan(), work=False)
    job_id = plan.execute_job_id or 0
    claim = office.lifecycle.claim(job_id, "worker")
    assert claim is not None
    with transaction(office.engine) as session:
        office.lifecycle.cancel(session, job_id, by="ann")
    with pytest.raises(CancelRequested):
        planning.execute_plan(office.context, claim, StopAfter(1, CancelRequested))
    office.lifecycle.acknowledge_cancel(claim)

    plan = office.plan_now(plan)
    assert (plan.status, plan.status_message, plan.done) == ("CANCELLED", "Cancelled by ann.", 2)
    with pytest.raises(InvalidState, match="was cancelled"):
        office.execute(plan)

    with transaction(office.engine) as session:
        office.lifecycle.retry(session, job_id)
    assert office.plan_now(plan).status == "EXECUTING"
    office.work()
    assert (office.plan_now(plan).status, office.plan_now(plan).done) == ("EXECUTED", 5)


def test_a_cancelled_plan_is_not_taken_up_again_when_it_has_expired(office: Office) -> None:
    office.versions("m", 5)
    plan = office.execute(office.plan(), work=False)
    with transaction(office.engine) as session:
        office.lifecycle.cancel(session, plan.execute_job_id or 0, by="ann")
        session.execute(update(Plan).values(expires_at_ms=1))

    with pytest.raises(InvalidState, match="has expired"), transaction(office.engine) as session:
        office.lifecycle.retry(session, plan.execute_job_id or 0)

    assert office.plan_now(plan).status == "CANCELLED"


def test_a_plan_whose_job_fails_says_why(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.versions("m", 1)
    plan = office.execute(office.plan(), work=False)

    def fail(*arguments: object, **options: object) -> None:
        raise InvalidState("Not today.")

    monkeypatch.setattr(planning.plan_execution, "waiting_items", fail)
    runner.run(office.context, planning.execute_plan, plan.execute_job_id or 0)

    assert (office.plan_now(plan).status, office.plan_now(plan).status_message) == ("FAILED", "Not today.")


def test_a_proposal_that_somebody_executes_is_not_executed_by_its_run_as_well(office: Office) -> None:
    office.versions("m", 5)
    job_id = policy_that_applies(office, Mode.PROPOSE)
    claim = office.lifecycle.claim(job_id, "slow")
    assert claim is not None
    policy_runs.run_policy(office.context, claim, StopAfter(99, Released))
    with transaction(office.engine) as session:
        plan = policies.find_policy(session, ANN, "all").last
    assert plan is not None
    office.execute(plan, work=False)

    # The run's own end was lost, and so it comes again.
    policy_runs.run_policy(office.context, claim, StopAfter(99, Released))
    office.lifecycle.fail(claim, "X", "Lost.")

    assert set(office.stages().values()) == {"None"}
    assert office.plan_now(plan).status == "EXECUTING"
    office.work()
    assert (office.plan_now(plan).done, len(office.feed())) == (5, 5)


def test_of_two_that_execute_a_plan_at_once_one_is_refused(office: Office) -> None:
    office.versions("m", 2)
    plan = office.plan()
    barrier = threading.Barrier(2)
    told: list[str] = []

    def execute() -> None:
        barrier.wait()
        try:
            with transaction(office.engine) as session:
                plans.execute(session, ANN, plan.public_id, plan.digest or "", queue=office.queue)
            told.append("done")
        except InvalidState:
            told.append("refused")

    together(execute, execute)

    assert sorted(told) == ["done", "refused"]
    assert [job.kind for job in office.jobs()] == ["execute_plan"]


def test_an_execution_begins_once(office: Office) -> None:
    plan = office.plan()
    with transaction(office.engine) as session:
        assert plans.begin_execution(session, plan.id, by="ann", job_id=1)
        assert not plans.begin_execution(session, plan.id, by="ann", job_id=2)


def test_a_pin_that_is_being_set_is_waited_for(office: Office) -> None:
    office.versions("m", 1)
    plan = office.execute(office.plan(), work=False)
    pinned = threading.Event()

    def pin() -> None:
        with transaction(office.engine) as session:
            set_model_version_tag(session, ANN, "m", 1, "modelyard.keep", "true")
            pinned.set()
            # The batch finds the model locked, or on SQLite the whole database.
            waiting.wait(1)

    waiting = threading.Event()

    def work() -> None:
        assert pinned.wait(10)
        repeat_conflicts(office.work)

    together(pin, work)

    assert office.outcomes(office.plan_now(plan)) == {("m", 1): ("skipped", "pinned")}
    assert office.stages() == {1: "None"}


def together(*deeds: Any) -> None:
    """Do these at once, and wait for all of them."""
    threads = [threading.Thread(target=deed) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
