"""Schedules: what an installation does by itself, and when."""

from flask import Response

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Schedule
from modelyard.errors import InvalidValue
from modelyard.registry import schedules as registry
from modelyard.registry.schedules import ScheduleChange
from modelyard.rules.jobs import JobKind
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import ticked, typed
from modelyard.web.ui.frame import Refusal, go, page, sheet
from modelyard.web.ui.job_words import title_of
from modelyard.web.ui.policies import shown_policies
from modelyard.web.ui.words import address, span


def show() -> Response:
    """Show every schedule."""
    with reading(site().engine) as session:
        found = [
            (one, title_of(one.kind), in_words(one))
            for one in registry.list_schedules(session)
            if one.kind != JobKind.RUN_POLICY
        ]
    policies = shown_policies() if current_actor().is_admin else None
    return page("schedules.html", title="Schedules", section="schedules", schedules=found, policies=policies)


def edit(name: str) -> Response:
    """Ask how a schedule is to be."""
    with reading(site().engine) as session:
        found = registry.find_schedule(session, name)
    given = {"enabled": found.enabled, "rule": found.rule, "expression": found.expression, "zone": found.time_zone}
    return _form(name, given)


def save(name: str) -> Response:
    """Change a schedule."""
    given = {
        "enabled": ticked("enabled"),
        "rule": typed("rule"),
        "expression": typed("expression"),
        "zone": typed("zone"),
    }
    wish = ScheduleChange(
        enabled=ticked("enabled"), rule=typed("rule"), expression=typed("expression"), time_zone=typed("zone")
    )
    try:
        with transaction(site().engine) as session:
            registry.change_schedule(session, current_actor(), name, wish)
    except InvalidValue as error:
        return _form(name, given, Refusal(error.message, "expression"))
    return go("/schedules", f"The schedule {name} was saved.")


def in_words(schedule: Schedule) -> str:
    """Return when a schedule fires, for a person: cron lines as they are, in their zone."""
    if schedule.rule == "every":
        seconds = schedule.expression
        return f"Every {span(int(seconds) * 1000)}" if seconds.isdigit() and len(seconds) < 10 else f"Every {seconds} s"
    return f"{schedule.expression} ({schedule.time_zone})"


def _form(name: str, given: dict[str, object], refusal: Refusal | None = None) -> Response:
    return sheet(
        "schedule.html",
        title=f"Schedule {name}",
        section="schedules",
        action=address("schedules", name),
        back="/schedules",
        refusal=refusal,
        given=given,
    )
