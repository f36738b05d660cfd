"""Policies: entered, changed, run by their schedule or by hand, and stopped by their caps. On both databases."""

import pytest
from sqlalchemy import select, update

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Plan, Policy, Schedule
from modelyard.errors import AlreadyExists, InvalidValue, NotFound, PermissionDenied
from modelyard.jobs.schedules import fire_due
from modelyard.registry import policies
from modelyard.registry.policies import READY_MADE, FoundPolicy, NewPolicy, PolicyChange
from modelyard.registry.schedules import ScheduleChange
from modelyard.rules.plans import PlanAction
from modelyard.rules.policies import Caps, Conditions, Mode
from modelyard.rules.schedules import Rule as Times
from modelyard.rules.schedules import RuleKind
from modelyard.rules.stages import Stage
from tests.plans.office import Office
from tests.registry.desks import ANN, STRANGER

WEEKLY = Times(RuleKind.CRON, "0 4 * * 1", "Europe/Berlin")
IDLE = Conditions(registered_days=90, moved_days=90, downloaded_days=90, keep_newest=2)
WIDE = Caps(max_percent=100, max_versions=1000)


def entered(office: Office, name: str = "tidy", conditions: Conditions = IDLE, **fields: object) -> FoundPolicy:
    """Enter a policy that archives."""
    with transaction(office.engine) as session:
        wish = NewPolicy(name, PlanAction.ARCHIVE, conditions, WEEKLY, **fields)  # type: ignore[arg-type]
        return policies.create_policy(session, ANN, wish)


def run(office: Office, name: str = "tidy", *, propose: bool = False) -> Plan:
    """Run a policy by hand and return its plan."""
    with transaction(office.engine) as session:
        policies.run_policy(session, ANN, name, propose=propose, queue=office.queue)
    office.work()
    return last_plan(office, name)


def last_plan(office: Office, name: str = "tidy") -> Plan:
    """Return the plan of a policy's last run."""
    with reading(office.engine) as session:
        plan = policies.find_policy(session, ANN, name).last
    assert plan is not None
    return plan


def fire(office: Office) -> int:
    """Let every schedule be due, and do what a sweep does."""
    with transaction(office.engine) as session:
        session.execute(update(Schedule).values(next_at_ms=1))
    return fire_due(office.engine, office.queue)


def test_a_policy_archives_what_is_idle_and_keeps_the_newest(office: Office) -> None:
    entered(office, mode=Mode.APPLY, caps=WIDE)
    office.versions("m", 5)
    office.versions("m", 1, days=3)
    office.set("m", 2, last_downloaded_at_ms=office.version("m", 6).created_at_ms)
    office.versions("n", 2)
    office.versions("in-use", 1, stage="Production")

    assert fire(office) == 1
    office.work()

    plan = last_plan(office)
    assert office.reasons(plan) == {
        ("m", 1): None,
        ("m", 2): "downloaded_lately",
        ("m", 3): None,
        ("m", 4): None,
        ("m", 5): "newest",
        ("m", 6): "newest",
        ("n", 1): "newest",
        ("n", 2): "newest",
    }
    assert (plan.status, plan.done, plan.created_by, plan.executed_by) == ("EXECUTED", 3, "scheduler", "scheduler")
    assert office.feed()[0].system_comment == f"Archived by the policy 'tidy', plan {plan.public_id}."
    assert office.jobs()[-1].status_message == "Archived 3 versions."
    assert plan.living == 9


def test_a_policy_that_proposes_leaves_its_plan_to_somebody(office: Office) -> None:
    entered(office, caps=WIDE)
    office.versions("m", 5)

    plan = run(office)

    assert (plan.status, plan.versions) == ("READY", 3)
    assert plan.status_message == "Waits for approval: execute the plan if it is right."
    assert set(office.stages().values()) == {"None"}
    assert office.execute(plan).done == 3


def test_a_run_by_hand_may_be_told_to_propose(office: Office) -> None:
    entered(office, mode=Mode.APPLY, caps=WIDE)
    office.versions("m", 5)

    assert run(office, propose=True).status == "READY"
    assert run(office).status == "EXECUTED"


@pytest.mark.parametrize(
    ("caps", "told"),
    [
        (Caps(max_percent=100, max_versions=2), "Stopped: it would touch 3 versions, and at most 2 are allowed"),
        (Caps(max_percent=59, max_versions=9), "Stopped: it would touch 3 of 5 versions, and at most 59 % are"),
    ],
)
def test_a_run_beyond_its_caps_stops_and_asks(office: Office, caps: Caps, told: str) -> None:
    entered(office, mode=Mode.APPLY, caps=caps)
    office.versions("m", 5)

    plan = run(office)

    assert (plan.status, plan.living) == ("READY", 5)
    assert plan.status_message.startswith(told)
    assert told in (office.jobs()[-1].status_message or "")
    assert set(office.stages().values()) == {"None"}


def test_a_policy_that_finds_nothing_is_done(office: Office) -> None:
    entered(office)
    office.versions("m", 2)

    assert run(office).status == "EXECUTED"


def test_a_policy_deletes_what_was_archived_long_ago(office: Office) -> None:
    with transaction(office.engine) as session:
        wish = NewPolicy("sweep", PlanAction.DELETE, Conditions(moved_days=50), WEEKLY, Mode.APPLY, WIDE)
        policies.create_policy(session, ANN, wish)
    office.versions("m", 2, stage="Archived")
    office.versions("m", 1, stage="Archived", days=3)
    office.versions("m", 1)

    plan = run(office, "sweep")

    assert office.reasons(plan) == {("m", 1): None, ("m", 2): None, ("m", 3): "moved_lately"}
    assert office.version("m", 1).deleted_at_ms is not None
    assert office.version("m", 4).deleted_at_ms is None


def test_a_policy_is_about_models_by_pattern_and_tag_but_never_about_prompts(office: Office) -> None:
    entered(office, conditions=Conditions(models="fraud-*", tag_key="team", tag_value="a"), caps=WIDE)
    for name in ("fraud-a", "fraud-b", "fraud-c", "churn"):
        office.versions(name, 1)
    for name in ("fraud-a", "fraud-c", "churn"):
        office.tag(name, "team", "a")
    office.tag("fraud-b", "team", "b")
    office.tag("fraud-c", "mlflow.prompt.is_prompt", "true")

    assert list(office.reasons(run(office))) == [("fraud-a", 1)]


def test_what_is_edited_between_plan_and_execution_is_left_alone(office: Office) -> None:
    entered(office, caps=WIDE)
    office.versions("m", 6)
    plan = run(office)
    office.move("m", 1, Stage.STAGING)
    office.set("m", 2, last_downloaded_at_ms=office.jobs()[-1].created_at_ms)
    office.set("m", 5, deleted_at_ms=1)
    office.set("m", 6, deleted_at_ms=1)

    plan = office.execute(plan)

    # With the two newest gone, those that come next are the newest.
    assert office.outcomes(plan) == {
        ("m", 1): ("skipped", "in_use"),
        ("m", 2): ("skipped", "downloaded_lately"),
        ("m", 3): ("skipped", "newest"),
        ("m", 4): ("skipped", "newest"),
    }


def test_a_policy_that_is_edited_changes_no_plan(office: Office) -> None:
    entered(office, caps=WIDE)
    office.versions("m", 5)
    plan = run(office)

    with transaction(office.engine) as session:
        change = PolicyChange(conditions=Conditions(registered_days=1000), mode=Mode.APPLY, caps=Caps(1, 1))
        changed = policies.change_policy(session, ANN, "tidy", change)

    assert (changed.conditions.registered_days, changed.policy.mode, changed.caps) == (1000, "apply", Caps(1, 1))
    assert office.execute(plan).done == 3


def test_a_paused_policy_does_not_run_until_it_is_resumed(office: Office) -> None:
    entered(office, enabled=False)

    assert fire(office) == 0
    with transaction(office.engine) as session:
        policies.change_policy(session, ANN, "tidy", PolicyChange(schedule=ScheduleChange(enabled=True)))
    assert fire(office) == 1


def test_two_ready_made_policies_stand_switched_off(office: Office) -> None:
    for _ in range(2):
        with transaction(office.engine) as session:
            policies.ensure_ready_made(session)

    with reading(office.engine) as session:
        found = policies.list_policies(session, ANN)
        assert [(each.policy.name, each.schedule.enabled, each.last) for each in found] == [
            (wish.name, False, None) for wish in READY_MADE
        ]
    assert fire(office) == 0


def test_a_run_of_a_policy_that_was_removed_is_cancelled(office: Office) -> None:
    entered(office)
    with transaction(office.engine) as session:
        policies.run_policy(session, ANN, "tidy", propose=False, queue=office.queue)
        session.delete(session.exec(select(Policy)).scalar_one())

    assert office.work() == ["CANCELLED"]


def test_only_administrators_see_and_enter_policies(office: Office) -> None:
    entered(office)

    with transaction(office.engine) as session:
        for deed in (
            lambda: policies.list_policies(session, STRANGER),
            lambda: policies.find_policy(session, STRANGER, "tidy"),
            lambda: policies.run_policy(session, STRANGER, "tidy", propose=True, queue=office.queue),
            lambda: policies.change_policy(session, STRANGER, "tidy", PolicyChange(mode=Mode.APPLY)),
            lambda: policies.create_policy(session, STRANGER, NewPolicy("x", PlanAction.ARCHIVE, IDLE, WEEKLY)),
        ):
            with pytest.raises(PermissionDenied):
                deed()


def test_a_name_is_given_once_and_what_means_everything_is_refused(office: Office) -> None:
    entered(office)

    with pytest.raises(AlreadyExists, match="There is a policy 'tidy' already"):
        entered(office)
    with pytest.raises(InvalidValue, match="say all: true"):
        entered(office, "all", Conditions())
    assert entered(office, "all", Conditions(), everything=True).conditions.is_empty
    with transaction(office.engine) as session:
        with pytest.raises(NotFound, match="modelyard policy list"):
            policies.find_policy(session, ANN, "nightly")
        with pytest.raises(InvalidValue, match="Nothing to change"):
            policies.change_policy(session, ANN, "tidy", PolicyChange())
        with pytest.raises(InvalidValue, match="max_percent"):
            policies.change_policy(session, ANN, "tidy", PolicyChange(caps=Caps(0, 1)))
