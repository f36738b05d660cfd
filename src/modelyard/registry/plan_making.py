"""Making a plan: every version that is selected gets its line, page by page, until the plan is sealed.

A page is one transaction. What was looked at stands in the plan's row, so that a plan which was interrupted goes on
where it stood.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, insert, select, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.session import current_ms
from modelyard.database.tables import Plan, metadata
from modelyard.registry.access import Actor
from modelyard.registry.candidates import Candidate, Place, Selection, newest_from, page_of, scopes, selection_of
from modelyard.registry.plan_rights import written_limits
from modelyard.registry.usage import usage_of
from modelyard.rules.plans import KeepReason, PlanAction, PlanStatus, Rule, digest_of, rule_of, why_not

plans = metadata.tables["plans"]
items = metadata.tables["plan_items"]


@dataclass(frozen=True, slots=True)
class Looked:
    """A page of a plan in the making: the versions that were looked at, each with the reason to leave it alone."""

    judged: Sequence[tuple[Candidate, KeepReason | None]]
    until: Place


def look(session: Session, actor: Actor, plan: Plan, *, limit: int) -> Looked | None:
    """Return the next versions that a plan looks at, judged as of now; None when there are no more. Writes nothing."""
    rule, selection = rule_of(plan.rule), selection_of(plan.selection)
    behind = _place(plan)
    for scope in scopes(session, actor, rule, selection, behind=behind):
        page = page_of(session, actor, rule, scope, behind=behind, limit=limit)
        if page:
            newest = newest_from(session, rule, sorted({row.model_id for row in page}))
            now = current_ms(session)
            return Looked([(row, why_not(rule, row.facts(newest), now)) for row in page], page[-1].place)
    return None


def write(session: Session, plan: Plan, looked: Looked) -> None:
    """Give each of these versions its line; those that the actor may not touch are only counted."""
    shown = [(row, reason) for row, reason in looked.judged if reason is not KeepReason.FORBIDDEN]
    last = session.scalar(select(func.max(items.c.position)).where(items.c.plan_id == plan.id)) or 0
    lines = [_line(plan, position, row, reason) for position, (row, reason) in enumerate(shown, start=last + 1)]
    if lines:
        session.connection().execute(insert(items), lines)
    session.execute(
        update(plans)
        .where(plans.c.id == plan.id)
        .values(looked_at=list(looked.until), left_out=plans.c.left_out + len(looked.judged) - len(shown))
    )


@dataclass(frozen=True, slots=True)
class Seal:
    """What a plan is sealed with: its digest and its totals. `freed_bytes` is None unless it deletes."""

    digest: str
    versions: int
    size_bytes: int
    kept: int
    freed_bytes: int | None


def seal_of(session: Session, plan: Plan) -> Seal:
    """Add up the lines of a plan that has looked at everything. Writes nothing."""
    rule = rule_of(plan.rule)
    chosen = items.c.reason.is_(None)
    mine = items.c.plan_id == plan.id
    counted = select(
        func.coalesce(func.sum(case((chosen, 1), else_=0)), 0),
        func.coalesce(func.sum(case((chosen, items.c.size_bytes), else_=0)), 0),
        func.count(),
    ).where(mine)
    versions, size_bytes, lines = session.execute(counted).one()
    ids = session.scalars(select(items.c.version_public_id).where(mine, chosen).order_by(items.c.position))
    freed = None
    if rule.action is PlanAction.DELETE:
        freed = usage_of(session, select(items.c.version_id).where(mine, chosen)).own_bytes
    return Seal(digest_of(rule, ids), int(versions), int(size_bytes), int(lines - versions), freed)


def seal(
    session: Session, plan: Plan, found: Seal, *, life_ms: int, message: str = "", living: int | None = None
) -> bool:
    """Make a plan READY for `life_ms`; False when it was sealed before."""
    sealed = session.execute(
        update(plans)
        .where(plans.c.id == plan.id, plans.c.status == PlanStatus.PLANNING)
        .values(
            status=PlanStatus.READY,
            status_message=message,
            digest=found.digest,
            versions=found.versions,
            size_bytes=found.size_bytes,
            freed_bytes=found.freed_bytes,
            kept=found.kept,
            living=living,
            expires_at_ms=now_ms() + life_ms,
        )
    )
    return bool(sealed.rowcount == 1)  # type: ignore[attr-defined]


def new_plan(
    session: Session,
    actor: Actor,
    rule: Rule,
    selection: Selection,
    *,
    then_execute: bool = False,
    **columns: Any,
) -> Plan:
    """Enter a plan without lines."""
    plan = Plan(
        action=rule.action,
        rule=rule.as_json(),
        selection=selection.as_json(),
        then_execute=then_execute,
        token_id=actor.via.token_id,
        limits=written_limits(actor.limits),
        created_by=actor.name,
        **columns,
    )
    session.add(plan)
    session.flush()
    return plan


def _place(plan: Plan) -> Place | None:
    return (plan.looked_at[0], plan.looked_at[1]) if plan.looked_at else None


def _line(plan: Plan, position: int, row: Candidate, reason: KeepReason | None) -> dict[str, Any]:
    return {
        "plan_id": plan.id,
        "position": position,
        "version_id": row.version_id,
        "version_public_id": row.version_public_id,
        "model_id": row.model_id,
        "model_name": row.model_name,
        "version": row.version,
        "size_bytes": row.size_bytes,
        "reason": reason,
        "message": "",
    }
