"""Plans: made, read and executed, and what they leave alone, on both databases."""

import pytest
from sqlalchemy import update

from modelyard.database.session import transaction
from modelyard.database.tables import Plan
from modelyard.errors import InvalidState, InvalidValue, NotFound
from modelyard.registry import plan_execution
from modelyard.registry.candidates import Selection
from modelyard.registry.plans import ItemFilter, PlanFilter, execute, find_plan, items_of, list_plans
from modelyard.rules.jobs import JobKind
from modelyard.rules.plans import Outcome, PlanAction, Rule
from modelyard.rules.stages import Stage
from modelyard.worker import pruning, runner
from tests.plans.office import ARCHIVE, DELETE, Office
from tests.registry.desks import ANN


def test_a_plan_lists_every_version_with_the_reason_to_keep_it(office: Office) -> None:
    office.versions("m", 6)
    office.move("m", 1, Stage.PRODUCTION)
    office.tag("m", "modelyard.keep", "True", number=2)
    office.alias("m", "champion", 3)
    office.move("m", 4, Stage.ARCHIVED)
    office.set("m", 5, status="FAILED_REGISTRATION")

    plan = office.plan()

    assert [office.reasons(plan)["m", number] for number in range(1, 7)] == [
        "in_use",
        "pinned",
        "aliased",
        "archived",
        "not_ready",
        None,
    ]
    assert (plan.status, plan.versions, plan.size_bytes, plan.kept) == ("READY", 1, 10, 5)
    assert office.stages() == {1: "Production", 2: "None", 3: "None", 4: "Archived", 5: "None", 6: "None"}


def test_a_pin_on_the_model_holds_all_of_its_versions(office: Office) -> None:
    office.versions("m", 3)
    office.tag("m", "modelyard.keep", "true")

    assert set(office.reasons(office.plan(DELETE)).values()) == {"pinned"}


def test_an_executed_plan_archives_its_versions_with_one_activity_each(office: Office) -> None:
    office.versions("m", 3)
    office.versions("n", 2)
    before = office.change_counter("m")

    plan = office.execute(office.plan())

    assert (plan.status, plan.done, plan.skipped, plan.failed) == ("EXECUTED", 5, 0, 0)
    assert set(office.stages("m").values()) | set(office.stages("n").values()) == {"Archived"}
    assert len(office.feed()) == 5
    assert {(each.from_stage, each.to_stage, each.job_id) for each in office.feed()} == {
        ("None", "Archived", plan.execute_job_id)
    }
    assert plan.public_id in office.feed()[0].system_comment
    assert office.change_counter("m") > before
    assert office.jobs()[-1].status_message == "Archived 5 versions."


def test_what_has_changed_since_is_left_alone_and_reported(office: Office) -> None:
    office.versions("m", 7)
    plan = office.plan()
    office.move("m", 1, Stage.STAGING)
    office.tag("m", "modelyard.keep", "true", number=2)
    office.alias("m", "champion", 3)
    office.move("m", 4, Stage.ARCHIVED)
    office.set("m", 5, deleted_at_ms=1)

    plan = office.execute(plan)

    assert office.outcomes(plan) == {
        ("m", 1): ("skipped", "in_use"),
        ("m", 2): ("skipped", "pinned"),
        ("m", 3): ("skipped", "aliased"),
        ("m", 4): ("skipped", "archived"),
        ("m", 5): ("skipped", "deleted"),
        ("m", 6): ("done", None),
        ("m", 7): ("done", None),
    }
    assert (plan.done, plan.skipped) == (2, 5)
    assert office.jobs()[-1].status_message == (
        "Archived 2 versions, left 5 alone (1 aliased, 1 archived, 1 deleted, 1 in_use, 1 pinned)."
    )


def test_a_version_that_came_after_the_plan_is_not_touched(office: Office) -> None:
    office.versions("m", 2)
    plan = office.plan()
    office.versions("m", 1)

    office.execute(plan)

    assert office.stages() == {1: "Archived", 2: "Archived", 3: "None"}


def test_another_digest_executes_nothing(office: Office) -> None:
    office.versions("m", 2)
    plan = office.plan()

    with pytest.raises(InvalidState, match="digest is not this plan's"):
        office.execute(plan, digest="0" * 64)

    assert set(office.stages().values()) == {"None"}


def test_a_plan_is_executed_once(office: Office) -> None:
    office.versions("m", 2)
    plan = office.execute(office.plan())
    office.move("m", 1, Stage.NONE)

    with pytest.raises(InvalidState, match="was executed already"):
        office.execute(plan)

    assert office.stages() == {1: "None", 2: "Archived"}
    assert len(office.feed()) == 2


def test_an_expired_plan_is_not_executed(office: Office) -> None:
    office.versions("m", 2)
    plan = office.plan()
    with transaction(office.engine) as session:
        session.execute(update(Plan).values(expires_at_ms=1))

    with pytest.raises(InvalidState, match="has expired"):
        office.execute(plan)


def test_a_plan_of_many_is_made_by_a_job_and_executed_in_batches(office: Office) -> None:
    office.versions("m", 601)
    office.versions("n", 2)

    plan = office.plan()

    assert (plan.status, plan.versions, plan.plan_job_id) == ("READY", 603, office.jobs()[0].id)
    assert office.jobs()[0].status_message == f"Plan {plan.public_id}: archive 603 versions, 6.0 kB; 0 kept."
    assert (office.execute(plan).done, len(office.feed())) == (603, 603)


def test_a_filter_says_which_versions_a_plan_looks_at(office: Office) -> None:
    office.versions("fraud-a", 2)
    office.versions("fraud-b", 1, stage="Staging")
    office.versions("churn", 1)

    plan = office.plan(ARCHIVE, Selection(filter="name LIKE 'fraud-%' AND stage = 'None'"))

    assert list(office.reasons(plan)) == [("fraud-a", 1), ("fraud-a", 2)]


def test_what_is_no_filter_makes_no_plan(office: Office) -> None:
    with pytest.raises(InvalidValue, match="cannot be searched; expected one of"):
        office.plan(ARCHIVE, Selection(filter="colour = 'red'"))


def test_versions_are_named_one_by_one(office: Office) -> None:
    office.versions("m", 3)

    plan = office.plan(ARCHIVE, office.listed(("m", 3), ("m", 1), ("m", 3)))

    assert list(office.reasons(plan)) == [("m", 1), ("m", 3)]
    with pytest.raises(NotFound, match=r"name=m, version=4"):
        office.listed(("m", 4))


def test_a_plan_deletes_and_another_brings_back(office: Office) -> None:
    office.versions("m", 3)
    office.move("m", 2, Stage.STAGING)

    deleted = office.execute(office.plan(DELETE))
    restoring = office.plan(Rule(PlanAction.RESTORE))
    assert office.reasons(restoring) == {("m", 1): None, ("m", 3): None}
    restored = office.execute(restoring)

    assert (deleted.done, deleted.kept, restored.done) == (2, 1, 2)
    assert office.version("m", 1).deleted_at_ms is None
    assert len(office.feed("DELETED_VERSION")) == len(office.feed("RESTORED_VERSION")) == 2


def test_a_plan_tags_and_leaves_alone_what_has_the_tag(office: Office) -> None:
    office.versions("m", 2)
    office.tag("m", "team", "fraud", number=1)

    plan = office.execute(office.plan(Rule(PlanAction.TAG, tag_key="team", tag_value="fraud")))

    assert office.reasons(plan) == {("m", 1): "tagged", ("m", 2): None}
    assert (plan.done, len(office.feed("SET_TAG"))) == (1, 2)


def test_a_plan_has_each_version_verified_by_a_job(office: Office) -> None:
    office.model()
    office.ready()
    office.versions("n", 1)

    plan = office.execute(office.plan(Rule(PlanAction.VERIFY)))

    assert office.reasons(plan) == {("m", 1): None, ("n", 1): "without_files"}
    verify = office.jobs()[-1]
    assert (verify.kind, verify.version_id) == ("verify_version", office.version("m", 1).id)
    assert office.items(plan)[0].message == f"Job {verify.id} verifies it."


def test_what_the_registry_refuses_is_reported_and_stops_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.versions("m", 2)
    plan = office.plan(Rule(PlanAction.TAG, tag_key="team", tag_value="fraud"))
    set_tag = plan_execution.tags.set_model_version_tag

    def refuse_the_first(session: object, actor: object, name: str, number: int, key: str, value: str) -> None:
        set_tag(session, actor, name, number, key, value)
        if number == 1:
            raise InvalidState("Not today.")

    monkeypatch.setattr(plan_execution.tags, "set_model_version_tag", refuse_the_first)

    plan = office.execute(plan)

    assert office.outcomes(plan) == {("m", 1): ("failed", "refused"), ("m", 2): ("done", None)}
    assert office.items(plan)[0].message == "Not today."
    assert [activity.version_id for activity in office.feed("SET_TAG")] == [office.version("m", 2).id]


def test_a_plan_that_is_wanted_done_at_once_is_done(office: Office) -> None:
    office.versions("m", 2)
    assert office.plan(then_execute=True).status == "EXECUTED"

    office.versions("n", 600)
    plan = office.plan(then_execute=True)

    assert (plan.status, plan.done, plan.plan_job_id) == ("EXECUTED", 600, plan.execute_job_id)


def test_plans_and_their_lines_are_read_in_pages(office: Office) -> None:
    office.versions("m", 5)
    office.move("m", 2, Stage.STAGING)
    made = [office.plan(), office.plan(DELETE), office.execute(office.plan())]

    with transaction(office.engine) as session:
        page = list_plans(session, ANN, PlanFilter(), limit=2)
        rest = list_plans(session, ANN, PlanFilter(), limit=2, before_id=page.last[0] if page.last else None)
        assert [plan.id for plan in page.rows + rest.rows] == [plan.id for plan in reversed(made)]
        assert [plan.id for plan in list_plans(session, ANN, PlanFilter(PlanAction.DELETE), limit=9).rows] == [
            made[1].id
        ]
        lines = items_of(session, made[2], ItemFilter(chosen=True), limit=3)
        assert ([item.version for item in lines.rows], lines.last) == ([1, 3, 4], [4])
        rest_of_lines = items_of(session, made[2], ItemFilter(outcome=Outcome.DONE), limit=3, behind=4)
        assert [item.version for item in rest_of_lines.rows] == [5]
        with pytest.raises(NotFound):
            find_plan(session, ANN, "0" * 32)
        with pytest.raises(NotFound):
            execute(session, ANN, "0" * 32, "0", queue=office.queue)


def test_plans_are_forgotten_with_the_jobs_of_their_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_LINES", 2)
    office.versions("m", 5)
    old, young = office.plan(), office.plan()
    running = office.execute(office.plan(), work=False)
    with transaction(office.engine) as session:
        session.execute(update(Plan).where(Plan.id != young.id).values(created_at_ms=1))
        job = office.queue.enqueue(session, JobKind.PRUNE_JOBS, requested_by="scheduler")

    assert runner.run(office.context, pruning.prune_jobs, job.id) == "SUCCEEDED"

    assert [plan.id for plan in office.rows("plans")] == [young.id, running.id]
    assert office.items(old) == []
    assert (len(office.items(running)), len(office.items(young))) == (5, 5)
