"""When a schedule is due: cron lines and intervals, time zones, missed slots. No I/O.

A local time that the clock skips in spring is due once, right after the gap; a daily one that comes twice in autumn
is due once (cronsim follows Debian's cron in both).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from modelyard.errors import InvalidValue
from modelyard.rules.sources import shown

EXPRESSION_CHARACTERS = 200
SHORTEST_INTERVAL_S = 10
LONGEST_INTERVAL_S = 366 * 24 * 3600
_BEYOND_AUTUMN_MS = 2 * 3600 * 1000
_RIGHT_CRON = "A right one is '30 2 * * *', half past two every night."
# Files that each machine has of its own; every worker must come to the same slot.
_OF_THIS_MACHINE = frozenset({"localtime", "posixrules"})


class RuleKind(StrEnum):
    """How a schedule's expression is read."""

    CRON = "cron"
    EVERY = "every"


@dataclass(frozen=True, slots=True)
class Rule:
    """A schedule's times. `expression` is a cron line of five fields, or a number of seconds for `every`.

    Raises InvalidValue, which names the field and shows a right example, for what cannot be read.
    """

    kind: RuleKind
    expression: str
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        _zone(self.time_zone)
        if self.kind is RuleKind.EVERY:
            _seconds(self.expression)
        else:
            _cron(self.expression, datetime.now(UTC), reverse=False)

    def next_after(self, moment_ms: int) -> int:
        """Return the first slot after `moment_ms`, both in epoch milliseconds.

        Raises InvalidValue for a cron line that no date satisfies.
        """
        if self.kind is RuleKind.EVERY:
            period_ms = _seconds(self.expression) * 1000
            return (moment_ms // period_ms + 1) * period_ms
        # Within the hour that autumn repeats, cronsim begins at the local time and so first finds what is over.
        slots = map(_ms, _cron(self.expression, self._local(moment_ms), reverse=False))
        following = next((slot for slot in slots if slot > moment_ms), None)
        if following is None:
            raise InvalidValue(
                f"The expression {self.expression!r} names a date that does not come within fifty years. {_RIGHT_CRON}"
            )
        return following

    def latest_until(self, moment_ms: int) -> int:
        """Return the last slot at or before `moment_ms`, what all missed slots fold into; 0 when there was none."""
        if self.kind is RuleKind.EVERY:
            period_ms = _seconds(self.expression) * 1000
            return moment_ms // period_ms * period_ms
        # The iterator leaves out its own start, and in autumn what the clock shows a second time; so it starts later.
        slots = map(_ms, _cron(self.expression, self._local(moment_ms + _BEYOND_AUTUMN_MS), reverse=True))
        return next((slot for slot in slots if slot <= moment_ms), 0)

    def _local(self, moment_ms: int) -> datetime:
        return datetime.fromtimestamp(moment_ms / 1000, _zone(self.time_zone))


def _cron(expression: str, start: datetime, *, reverse: bool) -> CronSim:
    fields = len(expression.split())
    if fields != 5 or len(expression) > EXPRESSION_CHARACTERS:
        raise InvalidValue(
            f"The expression {shown(expression)} is no cron line: it has {fields} fields in {len(expression)} "
            f"characters. Expected are 5 (minute, hour, day of the month, month, day of the week) in at most "
            f"{EXPRESSION_CHARACTERS}. {_RIGHT_CRON}"
        )
    try:
        return CronSim(expression, start, reverse=reverse)
    except CronSimError as error:
        raise InvalidValue(f"The expression {expression!r} is no cron line: {error}. {_RIGHT_CRON}") from error


def _seconds(expression: str) -> int:
    digits = expression.isascii() and expression.isdigit() and len(expression) < 12
    if not digits or not SHORTEST_INTERVAL_S <= int(expression) <= LONGEST_INTERVAL_S:
        raise InvalidValue(
            f"The expression {shown(expression)} is no interval; expected whole seconds from {SHORTEST_INTERVAL_S} to "
            f"{LONGEST_INTERVAL_S}, such as '3600' for every hour."
        )
    return int(expression)


def _zone(name: str) -> ZoneInfo:
    try:
        if name in _OF_THIS_MACHINE:
            raise ZoneInfoNotFoundError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidValue(
            f"The time_zone {shown(name)} is not known; expected a name such as 'Europe/Berlin' or 'UTC'."
        ) from error


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
