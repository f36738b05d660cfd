"""What somebody may not touch is left out of a plan and counted, and its execution lets it be. On both databases."""

from dataclasses import replace

import pytest

from modelyard.database.session import transaction
from modelyard.errors import NotFound, PermissionDenied
from modelyard.registry import plans
from modelyard.registry.access import Actor, Via
from modelyard.registry.candidates import listed_ids
from modelyard.registry.permissions import WantedLevel, update_permissions
from modelyard.registry.plans import PlanFilter, find_plan, list_plans
from modelyard.registry.principals import require_account
from modelyard.registry.registered_models import find_registered_model
from modelyard.registry.transition_requests import create_transition_request
from modelyard.registry.users import set_active
from modelyard.rules.permissions import Level
from modelyard.rules.plans import PlanAction, Rule
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import Scope, TokenLimits
from tests.plans.office import ARCHIVE, CONSOLE, DELETE, EVERYTHING, Office
from tests.registry.desks import ANN


@pytest.fixture
def bob(office: Office) -> Actor:
    """Somebody who may archive in `mine`, edit in `edited`, and sees nothing of `hidden`; each has two versions."""
    bob = office.person("bob")
    for name in ("mine", "edited", "hidden"):
        office.versions(name, 2)
    grant(office, "mine", Level.CAN_MANAGE_STAGING_VERSIONS)
    grant(office, "edited", Level.CAN_EDIT)
    return bob


def grant(office: Office, name: str, level: Level) -> None:
    """Give bob a level on a model instead of what he has."""
    with transaction(office.engine) as session:
        public_id = find_registered_model(session, name).public_id
        wanted = WantedLevel(PrincipalKind.USER, "bob", level)
        update_permissions(session, CONSOLE, public_id, [wanted])


@pytest.mark.parametrize(
    ("rule", "listed", "left_out"),
    [
        (ARCHIVE, ["mine"], 2),
        (DELETE, [], 4),
        (Rule(PlanAction.TAG, tag_key="team", tag_value="a"), ["edited", "mine"], 0),
    ],
)
def test_what_the_maker_may_not_touch_is_left_out_and_counted(
    office: Office, bob: Actor, rule: Rule, listed: list[str], left_out: int
) -> None:
    plan = office.plan(rule, actor=bob)

    assert sorted({name for name, _ in office.reasons(plan)}) == listed
    assert (plan.versions, plan.left_out) == (2 * len(listed), left_out)


def test_a_plan_is_executed_with_the_rights_of_then(office: Office, bob: Actor) -> None:
    plan = office.plan(actor=bob)
    grant(office, "mine", Level.CAN_READ)

    plan = office.execute(plan, actor=bob)

    assert set(office.outcomes(plan).values()) == {("skipped", "forbidden")}
    assert set(office.stages("mine").values()) == {"None"}


def test_somebody_who_is_not_let_in_any_more_touches_nothing(office: Office, bob: Actor) -> None:
    plan = office.execute(office.plan(actor=bob), actor=bob, work=False)
    with transaction(office.engine) as session:
        set_active(session, CONSOLE, require_account(session, "bob"), active=False)
    office.work()

    assert set(office.outcomes(office.plan_now(plan)).values()) == {("skipped", "forbidden")}


def test_an_administrator_executes_somebodys_plan_and_no_more(office: Office, bob: Actor) -> None:
    plan = office.execute(office.plan(actor=bob))

    assert (plan.created_by, plan.executed_by, plan.done) == ("bob", "ann", 2)
    assert {name: set(office.stages(name).values()) for name in ("mine", "edited", "hidden")} == {
        "mine": {"Archived"},
        "edited": {"None"},
        "hidden": {"None"},
    }
    assert {step.actor for step in office.feed()} == {"ann"}


def test_a_token_for_some_models_reaches_no_others(office: Office) -> None:
    office.versions("mine", 2)
    office.versions("other", 2)
    whole = office.plan()
    limited = replace(office.actor("ann"), limits=TokenLimits(models=frozenset({"mine"})), via=Via(token_id="f" * 16))

    plan = office.plan(actor=limited)
    assert list(office.reasons(plan)) == [("mine", 1), ("mine", 2)]
    with transaction(office.engine) as session:
        assert [each.id for each in list_plans(session, limited, PlanFilter(), limit=9).rows] == [plan.id]
        assert find_plan(session, limited, plan.public_id).id == plan.id
        with pytest.raises(PermissionDenied, match="only the plans that it has made"):
            find_plan(session, limited, whole.public_id)
    assert office.execute(plan, actor=limited).done == 2


def test_a_plan_of_many_keeps_within_the_token_that_asked(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "PLANNED_AT_ONCE", 1)
    office.versions("mine", 2)
    office.versions("other", 2)
    limited = replace(office.actor("ann"), limits=TokenLimits(models=frozenset({"mine"})))

    plan = office.plan(actor=limited, then_execute=True)

    assert (plan.status, plan.done) == ("EXECUTED", 2)
    assert set(office.stages("other").values()) == {"None"}


def test_a_token_that_only_reads_plans_and_executes_nothing(office: Office) -> None:
    plan = office.plan()
    reader = replace(office.actor("ann"), limits=TokenLimits(scope=Scope.READ))

    with pytest.raises(PermissionDenied, match="planning what is done to versions takes one with the scope write"):
        office.plan(actor=reader)
    with pytest.raises(PermissionDenied, match="executing a plan takes one with the scope write"):
        office.execute(plan, actor=reader)


def test_a_plan_is_its_makers_and_the_administrators(office: Office, bob: Actor) -> None:
    own, others = office.plan(actor=bob), office.plan()

    with transaction(office.engine) as session:
        assert [plan.id for plan in list_plans(session, bob, PlanFilter(), limit=9).rows] == [own.id]
        assert [plan.id for plan in list_plans(session, ANN, PlanFilter(), limit=9).rows] == [others.id, own.id]
        with pytest.raises(PermissionDenied, match="This plan is ann's"):
            find_plan(session, bob, others.public_id)


def test_whoever_names_a_hidden_version_learns_nothing_of_it(office: Office, bob: Actor) -> None:
    with transaction(office.engine) as session:
        for number in (1, 77):
            with pytest.raises(PermissionDenied):
                listed_ids(session, bob, [("hidden", number)], trashed=False)
        with pytest.raises(NotFound):
            listed_ids(session, bob, [("nowhere", 1)], trashed=False)


def test_a_version_that_somebody_asked_to_move_is_kept(office: Office) -> None:
    office.versions("m", 2)
    plan = office.plan()
    with transaction(office.engine) as session:
        create_transition_request(session, ANN, "m", 1, to=Stage.STAGING)

    assert office.reasons(office.plan())["m", 1] == "requested"
    assert office.outcomes(office.execute(plan))["m", 1] == ("skipped", "requested")


def test_archiving_is_announced_and_audited_like_a_promotion(office: Office) -> None:
    office.versions("m", 2)
    plan = office.execute(office.plan())

    events = office.rows("outbox_events")
    assert [(event.event, event.payload["to_stage"], event.job_id) for event in events] == [
        ("MODEL_VERSION_TRANSITIONED_STAGE", "Archived", plan.execute_job_id)
    ] * 2
    audited = [row for row in office.rows("audit_log") if row.action in ("executePlan", "transitionModelVersionStage")]
    assert [(row.action, row.version, row.after) for row in audited] == [
        (
            "executePlan",
            None,
            {"plan": plan.public_id, "action": "archive", "versions": 2, "digest": plan.digest},
        ),
        ("transitionModelVersionStage", 1, {"stage": "Archived"}),
        ("transitionModelVersionStage", 2, {"stage": "Archived"}),
    ]
    assert {row.address for row in audited[1:]} == {f"job {plan.execute_job_id}"}


def test_everything_means_what_one_may_see(office: Office, bob: Actor) -> None:
    assert {name for name, _ in office.reasons(office.plan(ARCHIVE, EVERYTHING))} == {"mine", "edited", "hidden"}
    assert office.plan(ARCHIVE, EVERYTHING, actor=bob).left_out == 2
