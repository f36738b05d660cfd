"""Random registries, rules and edits: a plan lists what a look at every row finds, and its execution does that or less.

Edits come between plan and execution and between any two batches, and the worker may be lost after each batch.
"""

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from modelyard.database.session import transaction
from modelyard.database.tables import Job, ModelVersion, Plan
from modelyard.errors import InvalidState, ModelyardError
from modelyard.registry.aliases import delete_registered_model_alias, set_registered_model_alias
from modelyard.registry.candidates import Selection
from modelyard.registry.model_versions import delete_model_version
from modelyard.registry.registered_models import delete_registered_model
from modelyard.registry.tags import set_model_version_tag, set_registered_model_tag
from modelyard.registry.transition_requests import cancel_transition_request, create_transition_request
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.rules.plans import DAY_MS, PlanAction, Rule
from modelyard.rules.policies import Conditions
from modelyard.rules.stages import Stage
from modelyard.worker import planning
from tests.plans.naive_plans import Seen, look, touchable
from tests.plans.office import Office
from tests.registry.desks import ANN

DAYS = 50
ONCE: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
_numbers = count(1)

versions = st.fixed_dictionaries(
    {
        "stage": st.sampled_from(["None", "None", "None", "Archived", "Archived", "Staging", "Production"]),
        "status": st.sampled_from(["READY"] * 6 + ["FAILED_REGISTRATION", "PENDING_REGISTRATION"]),
        "registered": st.sampled_from([0, 100, 100, 100]),
        "moved": st.sampled_from([0, 100, 100, 100]),
        "downloaded": st.sampled_from([None, None, 0, 100]),
    }
)
worlds = st.lists(st.lists(versions, min_size=1, max_size=6), min_size=1, max_size=3)
days = st.sampled_from([0, 0, DAYS])
rules = st.builds(
    dict,
    action=st.sampled_from([PlanAction.ARCHIVE, PlanAction.DELETE]),
    by_policy=st.booleans(),
    registered_days=days,
    moved_days=days,
    downloaded_days=days,
    keep_newest=st.sampled_from([0, 0, 1, 2]),
)
places = st.tuples(st.integers(0, 2), st.integers(1, 6))
KINDS = ["move", "pin", "pin model", "alias", "lose alias", "request", "withdraw", "delete", "delete model"]
edits = st.tuples(st.sampled_from([*KINDS, "download", "add"]), places, st.sampled_from(list(Stage)))


class Crash(BaseException):
    """The worker is lost."""


class Story:
    """One example: its models, its plan, and whoever edits them meanwhile."""

    def __init__(self, office: Office, world: list[list[dict[str, Any]]]) -> None:
        self.office = office
        self.prefix = f"x{next(_numbers)}-"
        now = int(time.time() * 1000)
        for place, rows in enumerate(world):
            office.versions(self.name(place), len(rows))
            for number, row in enumerate(rows, start=1):
                downloaded = row["downloaded"]
                office.set(
                    self.name(place),
                    number,
                    stage=row["stage"] if row["status"] == "READY" else "None",
                    status=row["status"],
                    created_at_ms=now - row["registered"] * DAY_MS,
                    stage_changed_at_ms=now - row["moved"] * DAY_MS,
                    last_downloaded_at_ms=now - downloaded * DAY_MS if downloaded is not None else None,
                )

    def name(self, place: int) -> str:
        return f"{self.prefix}{place}"

    def plan(self, wished: dict[str, Any]) -> Plan:
        """Make a plan, as a person or a policy does."""
        given = {key: value for key, value in wished.items() if key not in ("by_policy", "action")}
        action: PlanAction = wished["action"]
        if wished["by_policy"]:
            stage = Stage.NONE if action is PlanAction.ARCHIVE else Stage.ARCHIVED
            selection = Selection(policy=Conditions(models=f"{self.prefix}*"))
            return self.office.plan(Rule(action, stage, **given), selection)
        return self.office.plan(Rule(action), Selection(filter=f"name LIKE '{self.prefix}%'"))

    def edit(self, edit: tuple[str, tuple[int, int], Stage]) -> None:
        """Do what somebody may do to the registry; what it refuses is no edit."""
        kind, (place, number), stage = edit
        name, queue, lifecycle = self.name(place), self.office.queue, self.office.lifecycle
        deeds: dict[str, Callable[[Any], object]] = {
            "move": lambda session: transition_model_version_stage(
                session, ANN, name, number, to=stage, archive_existing=False, queue=queue
            ),
            "pin": lambda session: set_model_version_tag(session, ANN, name, number, "modelyard.keep", "true"),
            "pin model": lambda session: set_registered_model_tag(session, ANN, name, "modelyard.keep", "true"),
            "alias": lambda session: set_registered_model_alias(session, ANN, name, "champion", number),
            "lose alias": lambda session: delete_registered_model_alias(session, ANN, name, "champion"),
            "request": lambda session: create_transition_request(session, ANN, name, number, to=stage),
            "withdraw": lambda session: cancel_transition_request(session, ANN, name, number, to=stage, creator="ann"),
            "delete": lambda session: delete_model_version(session, ANN, name, number, lifecycle=lifecycle),
            "delete model": lambda session: delete_registered_model(session, ANN, name, lifecycle=lifecycle),
            "download": lambda session: session.execute(
                update(ModelVersion)
                .where(ModelVersion.id.in_([row.row_id for row in self.look().values() if row.number == number]))
                .values(last_downloaded_at_ms=int(time.time() * 1000))
            ),
        }
        if kind == "add":
            if self.look():
                self.office.versions(name, 1)
            return
        try:
            with transaction(self.office.engine) as session:
                deeds[kind](session)
        except ModelyardError:
            pass

    def look(self) -> dict[int, Seen]:
        return look(self.office.engine, self.prefix)


class Witness:
    """The pulse of the execution: after each batch it compares what changed with what might, then edits go on."""

    def __init__(self, story: Story, plan: Plan, more: Iterator[Any], crashes: set[int]) -> None:
        self.story, self.plan, self.more, self.crashes = story, plan, more, crashes
        self.planned = {item.version_id for item in story.office.items(plan) if item.reason is None}
        self.world = story.look()
        self.settled: set[int] = set()
        self.batches = 0

    def say(self, text: str, level: str = "info") -> None:
        """Hear what the work tells."""

    def __call__(self, **progress: Any) -> None:
        self.compare()
        for edit in next(self.more, ()):
            self.story.edit(edit)
        self.world = self.story.look()
        self.batches += 1
        if self.batches in self.crashes:
            raise Crash

    def compare(self) -> None:
        """Hold the last batch against the world that it met."""
        after = self.story.look()
        touched = {row_id for row_id, seen in after.items() if seen.is_touched != self.world[row_id].is_touched}
        allowed = touchable(self.world, self.plan.rule, int(time.time() * 1000))
        assert touched <= self.planned
        assert touched <= allowed
        now_settled = {item.version_id: item.outcome for item in self.story.office.items(self.plan) if item.outcome}
        fresh = {row_id: outcome for row_id, outcome in now_settled.items() if row_id not in self.settled}
        # Exactly this list, or less: whatever still may be touched is.
        assert {row_id for row_id, outcome in fresh.items() if outcome == "done"} == touched
        assert {row_id for row_id, outcome in fresh.items() if outcome == "skipped"} & allowed == set()
        self.settled |= fresh.keys()


def executed(story: Story, plan: Plan, witness: Witness) -> Plan:
    """Execute a plan to its end, whoever is lost on the way."""
    office = story.office
    plan = office.execute(plan, work=False)
    job_id = plan.execute_job_id or 0
    for attempt in count(1):
        claim = office.lifecycle.claim(job_id, f"worker-{attempt}")
        assert claim is not None
        try:
            office.lifecycle.finish(claim, planning.execute_plan(office.context, claim, witness))
            return office.plan_now(plan)
        except Crash:
            lost = {"status": "QUEUED", "lease_until_ms": None, "worker": None, "run_after_ms": 0, "max_attempts": 99}
            with transaction(office.engine) as session:
                session.execute(update(Job).where(Job.id == job_id).values(**lost))
    raise AssertionError


@pytest.mark.parametrize("examples", [12, pytest.param(400, marks=pytest.mark.more)])
def test_an_execution_does_what_its_plan_lists_or_less(
    office: Office, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    monkeypatch.setattr(planning, "BATCH", 2)

    @settings(max_examples=max(examples, settings().max_examples if settings().max_examples == 100 else 0), **ONCE)
    @given(
        worlds,
        rules,
        st.lists(edits, max_size=4),
        st.lists(edits, max_size=6),
        st.lists(st.lists(edits, max_size=3), max_size=6),
        st.sets(st.integers(1, 5), max_size=2),
    )
    def hold(
        world: list[list[dict[str, Any]]],
        wished: dict[str, Any],
        before: list[Any],
        between: list[Any],
        meanwhile: list[list[Any]],
        crashes: set[int],
    ) -> None:
        story = Story(office, world)
        for edit in before:
            story.edit(edit)
        met = story.look()
        plan = story.plan(wished)
        witness = Witness(story, plan, iter(meanwhile), crashes)
        assert witness.planned == touchable(met, plan.rule, int(time.time() * 1000))
        assert story.look() == met

        for edit in between:
            story.edit(edit)
        witness.world = story.look()
        done = executed(story, plan, witness)

        assert (done.status, done.done + done.skipped) == ("EXECUTED", len(witness.planned))
        assert witness.settled == witness.planned
        assert told_once(story, done)
        after = story.look()
        with pytest.raises(InvalidState, match="was executed already"):
            office.execute(done)
        assert office.lifecycle.claim(done.execute_job_id or 0, "late") is None
        assert story.look() == after

    hold()


def told_once(story: Story, plan: Plan) -> bool:
    """Whether each version that the plan has touched has exactly one activity that says so."""
    done = sorted(item.version_id for item in story.office.items(plan) if item.outcome == "done")
    if plan.action == "archive":
        told = [step.version_id for step in story.office.feed() if step.job_id == plan.execute_job_id]
        return sorted(row_id or 0 for row_id in told) == done
    told = [step.version_id for step in story.office.feed("DELETED_VERSION") if step.version_id in done]
    with transaction(story.office.engine) as session:
        hidden = session.scalars(select(ModelVersion.id).where(ModelVersion.id.in_(done))).all()
    return sorted(row_id or 0 for row_id in told) == sorted(hidden)
