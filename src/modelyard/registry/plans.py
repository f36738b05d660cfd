"""Plans as people use them: asked for, found, read, executed."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, update
from sqlmodel import Session, col, select

from modelyard.database.clock import now_ms
from modelyard.database.session import current_ms
from modelyard.database.tables import Plan, PlanItem, metadata
from modelyard.errors import InvalidState, NotFound, PermissionDenied
from modelyard.jobs.queue import JobQueue
from modelyard.registry import access, audit, plan_making
from modelyard.registry.access import Actor
from modelyard.registry.candidates import Selection
from modelyard.registry.pages import Page
from modelyard.registry.plan_rights import written_limits
from modelyard.rules.audit import Action
from modelyard.rules.jobs import JobKind
from modelyard.rules.plans import (
    DAY_MS,
    LIFE_MS,
    PLANNED_AT_ONCE,
    Outcome,
    PlanAction,
    PlanStatus,
    Rule,
    check_executable,
    shown_status,
)
from modelyard.rules.tokens import Scope

_plans = metadata.tables["plans"]
_items = metadata.tables["plan_items"]


def plan_subject(public_id: str) -> str:
    """Return the lock under which the jobs of a plan run one at a time."""
    return f"plan:{public_id}"


def ask_for_plan(
    session: Session, actor: Actor, rule: Rule, selection: Selection, *, then_execute: bool, queue: JobQueue
) -> Plan:
    """Make a plan of what `rule` does to what is selected: at once for few versions, else by a job.

    With `then_execute` it is executed as soon as it is made. Raises PermissionDenied for a token that only reads,
    InvalidValue for a filter that cannot be read.
    """
    access.require_scope(actor, Scope.WRITE, "planning what is done to versions")
    plan = plan_making.new_plan(session, actor, rule, selection, then_execute=then_execute)
    looked = plan_making.look(session, actor, plan, limit=PLANNED_AT_ONCE + 1)
    if looked is not None and len(looked.judged) > PLANNED_AT_ONCE:
        job = queue.enqueue(
            session,
            JobKind.MAKE_PLAN,
            requested_by=actor.name,
            arguments={"plan": plan.public_id},
            subject=plan_subject(plan.public_id),
        )
        plan.plan_job_id = job.id
        session.flush()
        return plan
    if looked is not None:
        plan_making.write(session, plan, looked)
    plan_making.seal(session, plan, plan_making.seal_of(session, plan), life_ms=LIFE_MS)
    session.refresh(plan)
    if then_execute:
        _enqueue_execution(session, actor, plan, queue)
    return plan


def execute(session: Session, actor: Actor, public_id: str, digest: str, *, queue: JobQueue) -> Plan:
    """Have a plan executed by somebody who has read it; return it, with the job that does.

    Raises NotFound, PermissionDenied, InvalidState unless it is READY, not expired, and `digest` is its own.
    """
    access.require_scope(actor, Scope.WRITE, "executing a plan")
    plan = find_plan(session, actor, public_id, lock=True)
    status = shown_status(plan.status, expires_at_ms=plan.expires_at_ms, now_ms=current_ms(session))
    check_executable(status, digest=plan.digest, given=digest)
    return _enqueue_execution(session, actor, plan, queue)


def _enqueue_execution(session: Session, actor: Actor, plan: Plan, queue: JobQueue) -> Plan:
    job = queue.enqueue(
        session,
        JobKind.EXECUTE_PLAN,
        requested_by=actor.name,
        arguments={"plan": plan.public_id},
        subject=plan_subject(plan.public_id),
        dedupe_key=f"execute:{plan.public_id}",
    )
    if not begin_execution(session, plan.id, by=actor.name, job_id=job.id, limits=written_limits(actor.limits)):
        raise InvalidState("This plan was executed, cancelled or has expired in this moment. Read it again.")
    audit.record(
        session,
        actor,
        Action.EXECUTE_PLAN,
        after={"plan": plan.public_id, "action": plan.action, "versions": plan.versions, "digest": plan.digest},
    )
    session.refresh(plan)
    return plan


def begin_execution(
    session: Session, plan_id: int, *, by: str, job_id: int, limits: dict[str, Any] | None = None
) -> bool:
    """Let a job execute a READY plan in somebody's name; False when it is not READY any more, or has expired."""
    begun = session.execute(
        update(_plans)
        .where(_plans.c.id == plan_id, _plans.c.status == PlanStatus.READY, _plans.c.expires_at_ms > now_ms())
        .values(
            status=PlanStatus.EXECUTING,
            status_message="",
            executed_by=by,
            executed_at_ms=now_ms(),
            execute_job_id=job_id,
            limits=limits,
        )
    )
    return bool(begun.rowcount == 1)  # type: ignore[attr-defined]


def find_plan(session: Session, actor: Actor, public_id: str, *, lock: bool = False) -> Plan:
    """Return a plan to whoever made it or to an administrator; to a token for some models only what it has made.

    Raises NotFound, PermissionDenied.
    """
    statement = select(Plan).where(col(Plan.public_id) == public_id)
    plan = session.exec(statement.with_for_update() if lock else statement).one_or_none()
    if plan is None:
        raise NotFound("There is no plan with this id; plans that are old are removed.")
    if not actor.is_admin and plan.created_by != actor.name:
        raise PermissionDenied(f"This plan is {plan.created_by}'s; only an administrator sees those of others.")
    if actor.limits.models is not None and plan.token_id != actor.via.token_id:
        raise PermissionDenied("This token is limited to some models, and sees only the plans that it has made.")
    return plan


@dataclass(frozen=True, slots=True)
class PlanFilter:
    """Which plans are meant; what is None tells nothing apart. `policy` is a policy's name."""

    action: PlanAction | None = None
    policy: str | None = None
    created_by: str | None = None


def list_plans(
    session: Session, actor: Actor, wanted: PlanFilter, *, limit: int, before_id: int | None = None
) -> Page[Plan]:
    """Return a page of the plans that `actor` may see, newest first, of those that are older than `before_id`."""
    values: list[tuple[Any, object]] = [
        (col(Plan.action), wanted.action),
        (col(Plan.policy_name), wanted.policy),
        (col(Plan.created_by), wanted.created_by),
    ]
    conditions: list[ColumnElement[bool]] = [column == value for column, value in values if value is not None]
    if not actor.is_admin:
        conditions.append(col(Plan.created_by) == actor.name)
    if actor.limits.models is not None:
        conditions.append(col(Plan.token_id) == actor.via.token_id)
    if before_id is not None:
        conditions.append(col(Plan.id) < before_id)
    rows = list(session.exec(select(Plan).where(*conditions).order_by(col(Plan.id).desc()).limit(limit + 1)))
    return Page(rows[:limit], [rows[limit - 1].id] if len(rows) > limit else None)


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which lines of a plan are meant: those to be done or those kept, those with an outcome; None is any."""

    chosen: bool | None = None
    outcome: Outcome | None = None


def items_of(session: Session, plan: Plan, wanted: ItemFilter, *, limit: int, behind: int = 0) -> Page[PlanItem]:
    """Return a page of a plan's lines in their order, of those behind the position `behind`."""
    conditions: list[ColumnElement[bool]] = [col(PlanItem.plan_id) == plan.id, col(PlanItem.position) > behind]
    if wanted.chosen is not None:
        reason = col(PlanItem.reason)
        conditions.append(reason.is_(None) if wanted.chosen else reason.is_not(None))
    if wanted.outcome is not None:
        conditions.append(col(PlanItem.outcome) == wanted.outcome)
    statement = select(PlanItem).where(*conditions).order_by(col(PlanItem.position)).limit(limit + 1)
    rows = list(session.exec(statement))
    return Page(rows[:limit], [rows[limit - 1].position] if len(rows) > limit else None)


def oldest_plan_before(session: Session, days: int) -> int | None:
    """Return the oldest plan that was made more than `days` days ago; one that a job works on stays."""
    settled = _plans.c.status.not_in([PlanStatus.PLANNING, PlanStatus.EXECUTING])
    old = select(_plans.c.id).where(_plans.c.created_at_ms < now_ms() - days * DAY_MS, settled)
    return session.scalar(old.order_by(_plans.c.id).limit(1))


def forget_some(session: Session, plan_id: int, *, limit: int) -> bool:
    """Remove some lines of a plan, and the plan with the last of them; whether there is more to remove."""
    mine = select(_items.c.position).where(_items.c.plan_id == plan_id).order_by(_items.c.position).limit(limit)
    positions = list(session.scalars(mine))
    session.execute(delete(_items).where(_items.c.plan_id == plan_id, _items.c.position.in_(positions)))
    if len(positions) == limit:
        return True
    session.execute(delete(_plans).where(_plans.c.id == plan_id))
    return False
