"""Schedules of an installation: listed, enabled, disabled and edited by administrators.

The built-in ones are entered once, when a process first opens the registry, and belong to the operator from then on.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from modelyard.database.session import current_ms
from modelyard.database.tables import Schedule
from modelyard.errors import InvalidValue, NotFound
from modelyard.registry import access, audit
from modelyard.registry.access import Actor
from modelyard.rules.audit import Action
from modelyard.rules.jobs import JobKind
from modelyard.rules.schedules import Rule, RuleKind
from modelyard.rules.sources import shown
from modelyard.rules.texts import check_storable

CREATED_BY = "modelyard"


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """What to change of a schedule; None leaves a field as it is. The fields are named as on the wire."""

    enabled: bool | None = None
    rule: str | None = None
    expression: str | None = None
    time_zone: str | None = None


# name -> what an installation does by itself.
BUILT_IN: dict[str, tuple[JobKind, Rule]] = {
    "prune_audit": (JobKind.PRUNE_AUDIT, Rule(RuleKind.CRON, "45 2 * * *")),
    # Early on working days and others, so that a token that ends tonight is seen this morning.
    "note_expiring_tokens": (JobKind.NOTE_EXPIRING_TOKENS, Rule(RuleKind.CRON, "0 6 * * *")),
    "prune_jobs": (JobKind.PRUNE_JOBS, Rule(RuleKind.CRON, "30 2 * * *")),
    "verify_store": (JobKind.VERIFY_STORE, Rule(RuleKind.CRON, "45 3 * * 0")),
    "collect": (JobKind.COLLECT, Rule(RuleKind.CRON, "15 3 * * *")),
}


def ensure_built_in(session: Session) -> None:
    """Enter the built-in schedules that were never there. One that was disabled or edited stays as it is.

    The caller holds a lock under which only one process does this.
    """
    known = set(session.exec(select(Schedule.name).where(col(Schedule.name).in_(BUILT_IN))))
    for name in sorted(BUILT_IN.keys() - known):
        kind, rule = BUILT_IN[name]
        session.add(
            Schedule(
                name=name,
                kind=kind,
                rule=rule.kind,
                expression=rule.expression,
                time_zone=rule.time_zone,
                next_at_ms=rule.next_after(current_ms(session)),
                created_by=CREATED_BY,
            )
        )


def list_schedules(session: Session) -> list[Schedule]:
    """Return every schedule, by name. Whoever is let in may see them: they name no model."""
    return list(session.exec(select(Schedule).order_by(col(Schedule.name))))


def change_schedule(session: Session, actor: Actor, name: str, change: ScheduleChange) -> Schedule:
    """Enable, disable or edit a schedule; it is due next at its rule's first slot after now.

    Raises NotFound, PermissionDenied, and InvalidValue, which names the field, when nothing is asked or what is asked
    cannot be a rule.
    """
    access.require_admin(actor, "changing a schedule")
    if change == ScheduleChange():
        raise InvalidValue("Nothing to change; give enabled, rule, expression or time_zone, such as enabled: false.")
    schedule = find_schedule(session, name, lock=True)
    before = _told(schedule)
    # Nothing keeps a schedule from being disabled, not even a rule that cannot be read.
    if change != ScheduleChange(enabled=False):
        rule = _changed_rule(schedule, change)
        schedule.next_at_ms = rule.next_after(current_ms(session))
        schedule.rule, schedule.expression, schedule.time_zone = rule.kind, rule.expression, rule.time_zone
    schedule.enabled = schedule.enabled if change.enabled is None else change.enabled
    # Whoever read the row before and would fire it finds another revision.
    schedule.revision += 1
    session.add(schedule)
    audit.record(session, actor, Action.CHANGE_SCHEDULE, before=before, after=_told(schedule))
    session.flush()
    return schedule


def _told(schedule: Schedule) -> dict[str, object]:
    return {
        "schedule": schedule.name,
        "enabled": schedule.enabled,
        "rule": schedule.rule,
        "expression": schedule.expression,
        "time_zone": schedule.time_zone,
    }


def find_schedule(session: Session, name: str, *, lock: bool = False) -> Schedule:
    """Return the schedule called `name`, its row locked if so asked. Raises NotFound."""
    check_storable("name", name)
    statement = select(Schedule).where(col(Schedule.name) == name)
    schedule = session.exec(statement.with_for_update() if lock else statement).one_or_none()
    if schedule is None:
        raise NotFound(f"There is no schedule {shown(name)}; `modelyard schedule list` shows those that there are.")
    return schedule


def _changed_rule(schedule: Schedule, change: ScheduleChange) -> Rule:
    given = schedule.rule if change.rule is None else change.rule
    try:
        kind = RuleKind(given)
    except ValueError as error:
        raise InvalidValue(f"The rule {shown(given)} is not known; expected 'cron' or 'every'.") from error
    return Rule(
        kind,
        schedule.expression if change.expression is None else change.expression.strip(),
        schedule.time_zone if change.time_zone is None else change.time_zone,
    )
