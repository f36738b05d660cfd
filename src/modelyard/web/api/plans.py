"""Routes of plans in the native API: what shall be done to many versions, read before it is done."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from sqlmodel import Session

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import current_ms, reading, transaction
from modelyard.database.tables import Plan, PlanItem
from modelyard.registry import plans as registry
from modelyard.registry.plans import ItemFilter, PlanFilter
from modelyard.rules.plans import WORDS, KeepReason, Outcome, PlanAction, PlanStatus, shown_status
from modelyard.web.api.arguments import WRITTEN, Flag, Required, StrictArguments, Text
from modelyard.web.api.paging import question_of
from modelyard.web.identity import current_actor
from modelyard.web.site import site

MaxResults = Annotated[int, Field(ge=1, le=1000), WRITTEN]


class NamedPlan(StrictArguments):
    """A request about one plan."""

    id: Required = Field(description="The plan's id.", examples=["0" * 32])


class Execute(NamedPlan):
    """What an execution is told."""

    digest: Required = Field(description="The digest of the plan that you have read.", examples=["0" * 64])


class ListPlans(StrictArguments):
    """What a list of plans is asked for."""

    action: Annotated[PlanAction, Field(strict=False)] | None = Field(None, examples=["archive"])
    policy: Required | None = Field(None, description="Name of a policy.", examples=["archive-idle"])
    created_by: Required | None = Field(None, examples=["ann"])
    max_results: MaxResults = Field(50, examples=[100])
    page_token: Text = Field("", description="The next_page_token of the page before.")


class ListPlanVersions(NamedPlan):
    """What a list of a plan's versions is asked for."""

    kept: Flag | None = Field(None, description="Only those that the plan keeps, or only those that it touches.")
    outcome: Annotated[Outcome, Field(strict=False)] | None = Field(None, examples=["skipped"])
    max_results: MaxResults = Field(100, examples=[100])
    page_token: Text = Field("", description="The next_page_token of the page before.")


class PlanAnswer(TypedDict):
    """What shall be done to how many versions, and how far that is."""

    id: str
    action: PlanAction
    status: PlanStatus
    status_message: str
    digest: Annotated[
        str | None, Field(description="Stands for the list; an execution must name it. Null in the making.")
    ]
    versions: Annotated[int, Field(description="How many versions it touches.")]
    size_bytes: Annotated[int, Field(description="Their sizes, as if they shared nothing.")]
    freed_bytes: Annotated[
        int | None, Field(description="What purging them would free in the store; null unless it deletes.")
    ]
    kept: Annotated[int, Field(description="Versions that were looked at and are left alone.")]
    left_out: Annotated[int, Field(description="Versions that whoever asked may not touch; they are not listed.")]
    rule: Annotated[dict[str, Any], Field(description="What every version had to meet.")]
    policy: Annotated[str | None, Field(description="The policy that made it.")]
    done: int
    skipped: int
    failed: int
    plan_job_id: Annotated[int | None, Field(description="The job that made it; null when it was made at once.")]
    execute_job_id: Annotated[int | None, Field(description="The job that executes it.")]
    created_by: str
    created_at_ms: int
    expires_at_ms: Annotated[int | None, Field(description="It cannot be executed from then on.")]
    executed_by: str | None
    executed_at_ms: int | None
    finished_at_ms: int | None


class OnePlan(TypedDict):
    """One plan, as it is now."""

    plan: PlanAnswer


class PlanPage(TypedDict):
    """Some plans, newest first."""

    plans: list[PlanAnswer]
    next_page_token: NotRequired[Annotated[str, Field(description="Asks for the page behind; absent on the last.")]]


class PlannedVersion(TypedDict):
    """A version that a plan has looked at."""

    name: str
    version: int
    size_bytes: int
    action: Annotated[str, Field(description="What the plan does to it; `keep` for nothing.")]
    reason: Annotated[KeepReason | None, Field(description="Why it is kept.")]
    outcome: Annotated[Outcome | None, Field(description="What came of it when the plan was executed.")]
    outcome_reason: Annotated[KeepReason | None, Field(description="Why it was skipped or failed.")]
    message: Annotated[str, Field(description="The reason in words.")]


class PlannedVersions(TypedDict):
    """Some of the versions that a plan has looked at, in the plan's order."""

    versions: list[PlannedVersion]
    next_page_token: NotRequired[Annotated[str, Field(description="Asks for the page behind; absent on the last.")]]


def list_plans(asked: ListPlans) -> PlanPage:
    """List plans, newest first: all of them to administrators, to others their own."""
    wanted = PlanFilter(action=asked.action, policy=asked.policy, created_by=asked.created_by)
    question = question_of("plans", wanted)
    before_id = site().signer.open_page(asked.page_token, question)[0] if asked.page_token else None
    with reading(site().engine) as session:
        page = registry.list_plans(session, current_actor(), wanted, limit=asked.max_results, before_id=before_id)
        shown = [plan_answer(session, plan) for plan in page.rows]
    if page.last is None:
        return {"plans": shown}
    return {"plans": shown, "next_page_token": site().signer.sign_page(question, page.last)}


def show_plan(asked: NamedPlan) -> OnePlan:
    """Show a plan."""
    with reading(site().engine) as session:
        return {"plan": plan_answer(session, registry.find_plan(session, current_actor(), asked.id))}


def list_plan_versions(asked: ListPlanVersions) -> PlannedVersions:
    """List the versions that a plan has looked at, each with what is done to it, or why nothing is."""
    chosen = None if asked.kept is None else not asked.kept
    wanted = ItemFilter(chosen=chosen, outcome=asked.outcome)
    question = question_of("plan", asked.id, wanted)
    behind = site().signer.open_page(asked.page_token, question)[0] if asked.page_token else 0
    with reading(site().engine) as session:
        plan = registry.find_plan(session, current_actor(), asked.id)
        page = registry.items_of(session, plan, wanted, limit=asked.max_results, behind=behind)
        shown = [_version(plan, item) for item in page.rows]
    if page.last is None:
        return {"versions": shown}
    return {"versions": shown, "next_page_token": site().signer.sign_page(question, page.last)}


def execute_plan(asked: Execute) -> OnePlan:
    """Have a plan executed by a job: exactly its versions, without those that have changed too much since."""
    with transaction(site().engine) as session:
        plan = registry.execute(session, current_actor(), asked.id, asked.digest, queue=site().queue)
        return {"plan": plan_answer(session, plan)}


def plan_answer(session: Session, plan: Plan) -> PlanAnswer:
    """Return a plan as it is shown."""
    return {
        "id": plan.public_id,
        "action": PlanAction(plan.action),
        "status": shown_status(plan.status, expires_at_ms=plan.expires_at_ms, now_ms=current_ms(session)),
        "status_message": plan.status_message,
        "digest": plan.digest,
        "versions": plan.versions,
        "size_bytes": plan.size_bytes,
        "freed_bytes": plan.freed_bytes,
        "kept": plan.kept,
        "left_out": plan.left_out,
        "rule": plan.rule,
        "policy": plan.policy_name,
        "done": plan.done,
        "skipped": plan.skipped,
        "failed": plan.failed,
        "plan_job_id": plan.plan_job_id,
        "execute_job_id": plan.execute_job_id,
        "created_by": plan.created_by,
        "created_at_ms": plan.created_at_ms,
        "expires_at_ms": plan.expires_at_ms,
        "executed_by": plan.executed_by,
        "executed_at_ms": plan.executed_at_ms,
        "finished_at_ms": plan.finished_at_ms,
    }


def _version(plan: Plan, item: PlanItem) -> PlannedVersion:
    reason = KeepReason(item.reason) if item.reason else None
    return {
        "name": item.model_name,
        "version": item.version,
        "size_bytes": item.size_bytes,
        "action": "keep" if reason else plan.action,
        "reason": reason,
        "outcome": Outcome(item.outcome) if item.outcome else None,
        "outcome_reason": KeepReason(item.outcome_reason) if item.outcome_reason else None,
        "message": item.message or (WORDS[reason] if reason else ""),
    }
