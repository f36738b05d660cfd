"""Random registries, rules and edits: a plan lists what a look at every row finds, and its execution does that or less.

Edits come between plan and execution and between any two batches, and the worker may be lost after each batch.
"""

import time
from collections.abc import Callable
from itertools import count
from random import Random
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

# Of these, weighted by how often they stand here, a random registry is made: chance alone hardly ever builds the few
# versions that tell two rules apart.
STAGES = ["None"] * 5 + ["Archived"] * 3 + ["Staging", "Production"]
STATUSES = ["READY"] * 9 + ["FAILED_REGISTRATION", "PENDING_REGISTRATION"]
AGES = [0, 100, 100, 100]
HELD = [""] * 7 + ["alias", "pin", "request", "answered request", "gone"]
KINDS = ["move", "pin", "pin model", "alias", "lose alias", "request", "withdraw", "delete", "download", "add"] * 2
KINDS += ["delete model"]


class Crash(BaseException):
    """The worker is lost."""


class Story:
    """One example: its models, its plan, and whoever edits them meanwhile."""

    def __init__(self, office: Office, chance: Random) -> None:
        self.office, self.chance = office, chance
        self.prefix = f"x{next(_numbers)}-"
        self.sizes = [chance.randint(2, 6) for _ in range(chance.randint(1, 3))]
        now = int(time.time() * 1000)
        for place, size in enumerate(self.sizes):
            office.versions(self.name(place), size)
            for number in range(1, size + 1):
                self.make(place, number, now)

    def make(self, place: int, number: int, now: int) -> None:
        """Give a version a past, and perhaps something that holds it."""
        chance, name = self.chance, self.name(place)
        held, downloaded = chance.choice(HELD), chance.choice([None, None, *AGES])
        # A request is asked for while it may be; what it is asked for comes then.
        if held == "pin":
            self.edit("pin", place, number, Stage.NONE)
        elif held == "alias":
            with transaction(self.office.engine) as session:
                set_registered_model_alias(session, ANN, name, f"a{number}", number)
        elif held:
            self.edit("request", place, number, Stage.STAGING)
        if held == "answered request":
            self.edit("withdraw", place, number, Stage.STAGING)
        status = "READY" if "request" in held else chance.choice(STATUSES)
        self.office.set(
            name,
            number,
            stage=chance.choice(STAGES) if status == "READY" else "None",
            status=status,
            created_at_ms=now - chance.choice(AGES) * DAY_MS,
            stage_changed_at_ms=now - chance.choice(AGES) * DAY_MS,
            last_downloaded_at_ms=now - downloaded * DAY_MS if downloaded is not None else None,
            deleted_at_ms=now if held == "gone" else None,
        )

    def rule(self) -> tuple[Rule, Selection]:
        """Return a rule as a person or, more often, a policy has one, and what it looks at."""
        chance = self.chance
        action = chance.choice([PlanAction.ARCHIVE, PlanAction.DELETE])
        if chance.random() < 0.3:
            return Rule(action), Selection(filter=f"name LIKE '{self.prefix}%'")
        stage = Stage.NONE if action is PlanAction.ARCHIVE else Stage.ARCHIVED
        days = [chance.choice([0, DAYS]) for _ in range(3)]
        rule = Rule(action, stage, *days, keep_newest=chance.choice([0, 0, 1, 2]))
        return rule, Selection(policy=Conditions(models=f"{self.prefix}*"))

    def some_edits(self, most: int) -> None:
        """Edit the registry so many times, or less often."""
        for _ in range(self.chance.randint(0, most)):
            place = self.chance.randrange(len(self.sizes))
            number = self.chance.randint(1, self.sizes[place])
            self.edit(self.chance.choice(KINDS), place, number, self.chance.choice(list(Stage)))

    def name(self, place: int) -> str:
        return f"{self.prefix}{place}"

    def edit(self, kind: str, place: int, number: int, stage: Stage) -> None:
        """Do what somebody may do to the registry; what it refuses is no edit."""
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

    def __init__(self, story: Story, plan: Plan) -> None:
        self.story, self.plan = story, plan
        self.planned = {item.version_id for item in story.office.items(plan) if item.reason is None}
        self.world = story.look()
        self.settled: set[int] = set()

    def say(self, text: str, level: str = "info") -> None:
        """Hear what the work tells."""

    def __call__(self, **progress: Any) -> None:
        self.compare()
        self.story.some_edits(2)
        self.world = self.story.look()
        if self.story.chance.random() < 0.3:
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


@pytest.mark.parametrize("examples", [5, pytest.param(400, marks=pytest.mark.more)])
def test_an_execution_does_what_its_plan_lists_or_less(
    office: Office, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    monkeypatch.setattr(planning, "BATCH", 2)

    # The seed is all that Hypothesis draws: what it would rather draw is small and alike.
    @settings(max_examples=examples if settings().max_examples < 100 else 60, **ONCE)
    @given(st.integers(0, 2**64 - 1))
    def hold(seed: int) -> None:
        story = Story(office, Random(seed))
        story.some_edits(3)
        met = story.look()
        plan = office.plan(*story.rule())
        witness = Witness(story, plan)
        assert witness.planned == touchable(met, plan.rule, int(time.time() * 1000))
        assert story.look() == met

        story.some_edits(5)
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
