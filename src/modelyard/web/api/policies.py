"""Routes of policies in the native API: what the registry archives and deletes by itself."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field
from sqlmodel import Session

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading, transaction
from modelyard.errors import InvalidValue
from modelyard.registry import policies as registry
from modelyard.registry.plans import PlanFilter, list_plans
from modelyard.registry.policies import FoundPolicy, NewPolicy, PolicyChange
from modelyard.registry.schedules import ScheduleChange
from modelyard.rules.plans import PlanAction
from modelyard.rules.policies import Caps, Conditions, Mode, in_words, parse_mode, parse_policy_action
from modelyard.rules.schedules import Rule as Times
from modelyard.rules.schedules import RuleKind
from modelyard.web.api.arguments import WRITTEN, Flag, Required, StrictArguments, Text
from modelyard.web.api.job_answers import OneJob
from modelyard.web.api.jobs import detail
from modelyard.web.api.paging import question_of
from modelyard.web.api.plans import MaxResults, PlanAnswer, PlanPage, plan_answer
from modelyard.web.identity import current_actor
from modelyard.web.site import site

# The rules say which values are right; these only keep what fits into no column out.
Days = Annotated[int, Field(ge=-(10**9), le=10**9, examples=[90]), WRITTEN]
Number = Annotated[int, Field(ge=-(10**9), le=10**9), WRITTEN]


class NamedPolicy(StrictArguments):
    """A request about one policy."""

    name: Required = Field(description="Name of the policy.", examples=["archive-idle"])


class PolicySettings(StrictArguments):
    """What can be said of a policy. What is left out of a new one is its default, of a change as it was."""

    models: Text | None = Field(None, description="A pattern of models' names.", examples=["fraud-*"])
    tag_key: Text | None = Field(None, description="A tag that the model must bear.", examples=["team"])
    tag_value: Text | None = Field(None, description="The value of that tag.", examples=["fraud"])
    registered_days: Days | None = Field(None, description="At least so many days since the registration.")
    moved_days: Days | None = Field(None, description="At least so many days since it entered its stage.")
    downloaded_days: Days | None = Field(
        None, description="At least so many days since the last download, or the registration if there was none."
    )
    keep_newest: Number | None = Field(None, description="Keep so many of a model's newest.", examples=[5])
    all: Flag | None = Field(None, description="The conditions may mean every version.")
    mode: Text | None = Field(None, description="propose (the default) or apply.", examples=["propose"])
    max_percent: Number | None = Field(
        None, description="The most of all living versions of its models that a run touches by itself.", examples=[20]
    )
    max_versions: Number | None = Field(
        None, description="The most versions that a run touches by itself.", examples=[500]
    )
    cron: Text | None = Field(None, description="When it runs: a cron line.", examples=["0 4 * * 1"])
    every_s: Number | None = Field(None, description="When it runs instead: every so many seconds.", examples=[3600])
    time_zone: Text | None = Field(None, description="Where a cron line's clock hangs.", examples=["Europe/Berlin"])
    enabled: Flag | None = Field(None, description="Whether it runs by itself.", examples=[False])


class CreatePolicy(PolicySettings):
    """What a policy is entered with."""

    name: Required = Field(examples=["archive-idle"])
    action: Required = Field(description="archive, or delete what is archived.", examples=["archive"])


class ChangePolicy(NamedPolicy, PolicySettings):
    """What to change of a policy."""


class RunPolicy(NamedPolicy):
    """Which policy is to run."""


class PolicyHistory(NamedPolicy):
    """What a policy's history is asked for."""

    max_results: MaxResults = Field(50, examples=[100])
    page_token: Text = Field("", description="The next_page_token of the page before.")


class PolicyConditions(TypedDict):
    """Which versions a policy is about."""

    models: str
    tag_key: str
    tag_value: str
    registered_days: int
    moved_days: int
    downloaded_days: int
    keep_newest: int


class PolicyAnswer(TypedDict):
    """What the registry archives or deletes by itself."""

    name: str
    action: PlanAction
    in_words: Annotated[str, Field(description="Its rule as a sentence.")]
    conditions: PolicyConditions
    mode: Mode
    max_percent: int
    max_versions: int
    schedule: Annotated[str, Field(description="The name of its schedule.")]
    rule: Annotated[RuleKind, Field(description="How the expression is read.")]
    expression: str
    time_zone: str
    enabled: bool
    next_at_ms: Annotated[int, Field(description="When it runs next, if it is enabled.")]
    last_plan: Annotated[PlanAnswer | None, Field(description="The plan of its last run.")]
    created_by: str
    created_at_ms: int


class PolicyList(TypedDict):
    """The policies, by name."""

    policies: list[PolicyAnswer]


class OnePolicy(TypedDict):
    """One policy, as it is now."""

    policy: PolicyAnswer


def create_policy(asked: CreatePolicy) -> OnePolicy:
    """Enter a policy; it runs at its schedule's first slot after now."""
    wish = NewPolicy(
        name=asked.name,
        action=parse_policy_action(asked.action),
        conditions=_conditions(asked, Conditions()),
        times=_times(asked),
        mode=parse_mode(asked.mode) if asked.mode is not None else Mode.PROPOSE,
        caps=_caps(asked, Caps()),
        enabled=asked.enabled is not False,
        everything=bool(asked.all),
    )
    with transaction(site().engine) as session:
        return {"policy": _answer(session, registry.create_policy(session, current_actor(), wish))}


def list_policies() -> PolicyList:
    """List the policies, those that are switched off included."""
    with reading(site().engine) as session:
        return {"policies": [_answer(session, each) for each in registry.list_policies(session, current_actor())]}


def show_policy(asked: NamedPolicy) -> OnePolicy:
    """Show a policy with its schedule and the plan of its last run."""
    with reading(site().engine) as session:
        return {"policy": _answer(session, registry.find_policy(session, current_actor(), asked.name))}


def change_policy(asked: ChangePolicy) -> OnePolicy:
    """Change, pause or resume a policy; what it has planned stays as it is."""
    with transaction(site().engine) as session:
        before = registry.find_policy(session, current_actor(), asked.name)
        conditions, caps = _conditions(asked, before.conditions), _caps(asked, before.caps)
        change = PolicyChange(
            conditions=conditions if conditions != before.conditions else None,
            mode=parse_mode(asked.mode) if asked.mode is not None else None,
            caps=caps if caps != before.caps else None,
            schedule=_schedule_change(asked),
            everything=bool(asked.all),
        )
        return {"policy": _answer(session, registry.change_policy(session, current_actor(), asked.name, change))}


def plan_policy(asked: RunPolicy) -> OneJob:
    """Have a policy make its plan now, by a job, and leave it to somebody's approval."""
    return _run(asked.name, propose=True)


def run_policy(asked: RunPolicy) -> OneJob:
    """Have a policy run now, by a job, as its schedule would."""
    return _run(asked.name, propose=False)


def list_policy_runs(asked: PolicyHistory) -> PlanPage:
    """List the plans that a policy has made, newest first."""
    question = question_of("policy runs", asked.name)
    before_id = site().signer.open_page(asked.page_token, question)[0] if asked.page_token else None
    with reading(site().engine) as session:
        found = registry.find_policy(session, current_actor(), asked.name)
        wanted = PlanFilter(policy=found.policy.name)
        page = list_plans(session, current_actor(), wanted, limit=asked.max_results, before_id=before_id)
        shown = [plan_answer(session, plan) for plan in page.rows]
    if page.last is None:
        return {"plans": shown}
    return {"plans": shown, "next_page_token": site().signer.sign_page(question, page.last)}


def _run(name: str, *, propose: bool) -> OneJob:
    with transaction(site().engine) as session:
        job = registry.run_policy(session, current_actor(), name, propose=propose, queue=site().queue)
        return {"job": detail(session, job.id)}


def _conditions(asked: PolicySettings, base: Conditions) -> Conditions:
    given = {name: getattr(asked, name) for name in PolicyConditions.__annotations__}
    return replace(base, **{name: value for name, value in given.items() if value is not None})


def _caps(asked: PolicySettings, base: Caps) -> Caps:
    given = {"max_percent": asked.max_percent, "max_versions": asked.max_versions}
    return replace(base, **{name: value for name, value in given.items() if value is not None})


def _times(asked: PolicySettings) -> Times:
    kind, expression = _expression(asked)
    if kind is None or expression is None:
        raise InvalidValue("Say when the policy runs: cron: '0 4 * * 1', or every_s: 3600.")
    return Times(kind, expression, asked.time_zone or "UTC")


def _schedule_change(asked: PolicySettings) -> ScheduleChange | None:
    kind, expression = _expression(asked)
    change = ScheduleChange(enabled=asked.enabled, rule=kind, expression=expression, time_zone=asked.time_zone)
    return change if change != ScheduleChange() else None


def _expression(asked: PolicySettings) -> tuple[RuleKind | None, str | None]:
    if asked.cron is not None and asked.every_s is not None:
        raise InvalidValue("A policy follows one rule; give cron or every_s.")
    if asked.every_s is not None:
        return RuleKind.EVERY, str(asked.every_s)
    return (RuleKind.CRON, asked.cron.strip()) if asked.cron is not None else (None, None)


def _answer(session: Session, found: FoundPolicy) -> PolicyAnswer:
    policy, schedule, conditions = found.policy, found.schedule, found.conditions
    return {
        "name": policy.name,
        "action": found.action,
        "in_words": in_words(found.action, conditions),
        "conditions": {
            "models": conditions.models,
            "tag_key": conditions.tag_key,
            "tag_value": conditions.tag_value,
            "registered_days": conditions.registered_days,
            "moved_days": conditions.moved_days,
            "downloaded_days": conditions.downloaded_days,
            "keep_newest": conditions.keep_newest,
        },
        "mode": Mode(policy.mode),
        "max_percent": policy.max_percent,
        "max_versions": policy.max_versions,
        "schedule": schedule.name,
        "rule": RuleKind(schedule.rule),
        "expression": schedule.expression,
        "time_zone": schedule.time_zone,
        "enabled": schedule.enabled,
        "next_at_ms": schedule.next_at_ms,
        "last_plan": plan_answer(session, found.last) if found.last is not None else None,
        "created_by": policy.created_by,
        "created_at_ms": policy.created_at_ms,
    }
