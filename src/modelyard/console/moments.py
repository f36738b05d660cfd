"""Moments as people write them at a terminal: a date, a date with a time, or how long ago."""

import re
from datetime import datetime

from modelyard.errors import InvalidValue

_AGO = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_EPOCH_MS = re.compile(r"\d{12,14}")


def parse_moment(text: str, *, now_ms: int) -> int:
    """Return a moment in epoch milliseconds; a date without a zone means the clock of this machine.

    Raises InvalidValue with right examples.
    """
    stripped = text.strip()
    if ago := _AGO.fullmatch(stripped):
        return now_ms - int(ago[1]) * _UNIT_MS[ago[2]]
    if _EPOCH_MS.fullmatch(stripped):
        return int(stripped)
    try:
        return int(datetime.fromisoformat(stripped).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidValue(
            f"The moment {text!r} cannot be read; expected such as 2h (that long ago; also s, m, d), 2026-11-25, "
            "2026-11-25T17:00 or 2026-11-25T17:00Z."
        ) from error
