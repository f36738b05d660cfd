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

SHORTEST_INTERVAL_S = 10
LONGEST_INTERVAL_S = 366 * 24 * 3600


class RuleKind(StrEnum):
    """How a schedule's expression is read."""

    CRON = "cron"
    EVERY = "every"


@dataclass(frozen=True, slots=True)
class Rule:
    """A schedule's times. `expression` is a cron line of five fields, or a number of seconds for `every`.

    Raises InvalidValue with a right example for what cannot be read.
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
        """Return the first slot after `moment_ms`, both in epoch milliseconds."""
        if self.kind is RuleKind.EVERY:
            period_ms = _seconds(self.expression) * 1000
            return (moment_ms // period_ms + 1) * period_ms
        return _ms(next(_cron(self.expression, self._local(moment_ms), reverse=False)))

    def latest_until(self, moment_ms: int) -> int:
        """Return the last slot at or before `moment_ms`: what all missed slots fold into."""
        if self.kind is RuleKind.EVERY:
            period_ms = _seconds(self.expression) * 1000
            return moment_ms // period_ms * period_ms
        # The iterator leaves out its own start, which may be a slot, so it starts a minute later.
        slots = map(_ms, _cron(self.expression, self._local(moment_ms + 60_000), reverse=True))
        return next(slot for slot in slots if slot <= moment_ms)

    def _local(self, moment_ms: int) -> datetime:
        return datetime.fromtimestamp(moment_ms / 1000, _zone(self.time_zone))


def _cron(expression: str, start: datetime, *, reverse: bool) -> CronSim:
    if len(expression.split()) != 5:
        raise InvalidValue(
            f"The cron line {expression!r} has {len(expression.split())} fields; expected 5: minute, hour, day of the "
            "month, month, day of the week, such as '30 2 * * *' for half past two every night."
        )
    try:
        return CronSim(expression, start, reverse=reverse)
    except CronSimError as error:
        raise InvalidValue(
            f"The cron line {expression!r} cannot be read: {error}. A right one is '30 2 * * *' (02:30 every night)."
        ) from error


def _seconds(expression: str) -> int:
    digits = expression.isascii() and expression.isdigit() and len(expression) < 12
    if not digits or not SHORTEST_INTERVAL_S <= int(expression) <= LONGEST_INTERVAL_S:
        raise InvalidValue(
            f"The interval {expression!r} cannot be used; expected whole seconds from {SHORTEST_INTERVAL_S} to "
            f"{LONGEST_INTERVAL_S}, such as '3600' for every hour."
        )
    return int(expression)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidValue(f"The time zone {name!r} is not known; expected a name such as 'Europe/Berlin'.") from error


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
