"""Routes of schedules in the native API."""

from typing import Annotated, Any, Literal

from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Schedule
from modelyard.registry import schedules as registry
from modelyard.registry.schedules import ScheduleChange
from modelyard.web.api.arguments import Flag, Required, StrictArguments, Text
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class ScheduleAnswer(TypedDict):
    """Work that comes again by a rule."""

    name: str
    kind: Annotated[str, Field(description="The kind of the jobs that it makes.")]
    arguments: dict[str, Any]
    rule: Literal["cron", "every"]
    expression: Annotated[str, Field(description="A cron line of five fields, or a number of seconds.")]
    time_zone: Annotated[str, Field(description="Where a cron line's clock hangs.")]
    enabled: bool
    revision: Annotated[int, Field(description="Grows with each change.")]
    next_at_ms: Annotated[int, Field(description="When it is due next, if it is enabled.")]
    last_slot_ms: Annotated[int | None, Field(description="The slot that was fired last.")]
    last_job_id: int | None
    created_by: str
    created_at_ms: int


class ScheduleList(TypedDict):
    """The schedules, by name."""

    schedules: list[ScheduleAnswer]


class OneSchedule(TypedDict):
    """One schedule, as it is now."""

    schedule: ScheduleAnswer


class ChangeSchedule(StrictArguments):
    """What to change of a schedule; what is left out stays as it is."""

    name: Required
    enabled: Flag | None = Field(None, examples=[False])
    rule: Text | None = Field(None, description="How the expression is read: cron or every.", examples=["cron"])
    expression: Text | None = Field(None, examples=["30 2 * * *"])
    time_zone: Text | None = Field(None, examples=["Europe/Berlin"])


def list_schedules() -> ScheduleList:
    """List what the installation does by itself."""
    with reading(site().engine) as session:
        return {"schedules": [_answer(schedule) for schedule in registry.list_schedules(session)]}


def change_schedule(asked: ChangeSchedule) -> OneSchedule:
    """Enable, disable or edit a schedule; its next slot is the first one after now."""
    change = ScheduleChange(asked.enabled, asked.rule, asked.expression, asked.time_zone)
    with transaction(site().engine) as session:
        return {"schedule": _answer(registry.change_schedule(session, current_actor(), asked.name, change))}


def _answer(schedule: Schedule) -> ScheduleAnswer:
    return {
        "name": schedule.name,
        "kind": schedule.kind,
        "arguments": schedule.arguments,
        "rule": "every" if schedule.rule == "every" else "cron",
        "expression": schedule.expression,
        "time_zone": schedule.time_zone,
        "enabled": schedule.enabled,
        "revision": schedule.revision,
        "next_at_ms": schedule.next_at_ms,
        "last_slot_ms": schedule.last_slot_ms,
        "last_job_id": schedule.last_job_id,
        "created_by": schedule.created_by,
        "created_at_ms": schedule.created_at_ms,
    }
