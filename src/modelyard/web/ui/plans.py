"""Plans: what shall be done to many versions, read line by line before it is done."""

from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response
from sqlmodel import Session

from modelyard.database.session import current_ms, reading, transaction
from modelyard.database.tables import Plan, PlanItem
from modelyard.errors import InvalidState
from modelyard.registry import plans as registry
from modelyard.registry.plans import ItemFilter, PlanFilter
from modelyard.rules.plans import WORDS, KeepReason, PlanStatus, shown_status
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import chosen, page_size, place, query, sealed_place, seq_of, typed
from modelyard.web.ui.frame import fragment, go, page, unchanged
from modelyard.web.ui.words import address

# Tab -> which lines: what is done, what is kept, all.
_TABS = {"": True, "kept": False, "all": None}
_BUSY_S, _QUIET_S = 1, 5
_EXPORTED = 100_000


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """A plan with the status that it is shown with."""

    plan: Plan
    status: PlanStatus

    @property
    def address(self) -> str:
        """Where its page is."""
        return address("plans", self.plan.public_id)

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it moves any more."""
        return self.status not in (PlanStatus.PLANNING, PlanStatus.EXECUTING)


def shown_plan(session: Session, plan: Plan) -> ShownPlan:
    """Return how a plan is shown now."""
    return ShownPlan(plan, shown_status(plan.status, expires_at_ms=plan.expires_at_ms, now_ms=current_ms(session)))


def show_all() -> Response:
    """Show plans, newest first: all to administrators, to others their own."""
    question = "plans page"
    last = place(question)
    with reading(site().engine) as session:
        found = registry.list_plans(
            session,
            current_actor(),
            PlanFilter(),
            limit=page_size(),
            before_id=int(str(last[0])) if last else None,
        )
        plans = [shown_plan(session, plan) for plan in found.rows]
    after = sealed_place(question, found.last)
    return page(
        "plans.html",
        title="Plans",
        section="schedules",
        plans=plans,
        first="/plans" if last else "",
        following=address("plans", after=after) if after else "",
    )


def show(public_id: str) -> Response:
    """Show a plan with its lines."""
    return page("plan.html", title="Plan", section="schedules", **_find(public_id))


def live(public_id: str) -> Response:
    """Show the same again if it has moved."""
    found = _find(public_id)
    return unchanged(found["seq"]) or fragment("_plan.html", **found)


def execute(public_id: str) -> Response:
    """Have a plan executed that somebody has read: exactly that one, told by its digest."""
    here = address("plans", public_id)
    try:
        with transaction(site().engine) as session:
            registry.execute(session, current_actor(), public_id, typed("digest"), queue=site().queue)
    except InvalidState as error:
        return go(here, error.message)
    return go(here, "The plan is being executed.")


def export(public_id: str) -> Response:
    """Give the lines of a plan, a JSON object a line."""
    with reading(site().engine) as session:
        plan = registry.find_plan(session, current_actor(), public_id)
        items = registry.items_of(session, plan, ItemFilter(), limit=_EXPORTED).rows
    lines = b"".join(orjson.dumps(one.model_dump(), option=orjson.OPT_APPEND_NEWLINE) for one in items)
    answer = Response(lines, mimetype="application/x-ndjson")
    answer.headers["Content-Disposition"] = f'attachment; filename="plan-{public_id[:8]}.jsonl"'
    return answer


def _find(public_id: str) -> dict[str, Any]:
    tab = chosen("show", _TABS)
    question = seq_of("plan", public_id, tab)
    last = place(question)
    with reading(site().engine) as session:
        plan = registry.find_plan(session, current_actor(), public_id)
        shown = shown_plan(session, plan)
        found = registry.items_of(
            session, plan, ItemFilter(chosen=_TABS[tab]), limit=page_size(), behind=int(str(last[0])) if last else 0
        )
    here, after = shown.address, sealed_place(question, found.last)
    return {
        "shown": shown,
        "tab": tab,
        "items": [(item, _why(item)) for item in found.rows],
        "first": f"{here}?show={tab}" if last else "",
        "following": address("plans", public_id, show=tab, after=after) if after else "",
        "here": address("ui", "plans", public_id, show=tab or "touched", after=query("after")),
        "seq": seq_of(shown.status, plan.done, plan.skipped, plan.failed, plan.versions),
        "seconds": _QUIET_S if shown.status == PlanStatus.READY else 0 if shown.is_settled else _BUSY_S,
        "say": f"The plan is {shown.status.lower()}",
    }


def _why(item: PlanItem) -> str:
    reason = item.outcome_reason or item.reason
    return item.message or (WORDS.get(KeepReason(reason), "") if reason else "")
