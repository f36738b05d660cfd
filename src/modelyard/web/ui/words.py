"""Values as pages write them: moments, spans, sizes, numbers, short texts. Units are always there."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlencode

DESCRIPTION_CHARACTERS: Final = 32
_UNITS: Final = ("B", "KB", "MB", "GB", "TB", "PB")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def address(*segments: object, **query: object) -> str:
    """Return the address of a page: each segment percent-encoded whole, what is empty left out of the query."""
    path = "/" + "/".join(_segment(str(segment)) for segment in segments)
    given = {name: value for name, value in query.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def file_address(base: str, path: str) -> str:
    """Return the address of a file or folder below `base`; its slashes stay."""
    return f"{base}/{quote(path)}" if path else base


def size(count: int | None) -> str:
    """Return a number of bytes with three digits at most, such as "5.0 GB" or "241 B"."""
    if count is None:
        return "—"
    number, unit = float(count), 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return (
        f"{count} B"
        if unit == 0
        else f"{number:.1f} {_UNITS[unit]}"
        if number < 100
        else f"{number:.0f} {_UNITS[unit]}"
    )


def number(count: int) -> str:
    """Return a whole number with its thousands parted."""
    return f"{count:,}"


def span(milliseconds: int | None) -> str:
    """Return how long something took, such as "0.4 s", "27 s", "2 m 05 s" or "3 d 4 h"."""
    if milliseconds is None:
        return "—"
    seconds = max(0, milliseconds) / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // 60:02d} m"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def moment(at_ms: int) -> str:
    """Return a moment in full, such as "21 Nov 2026, 16:04:31 UTC"."""
    return f"{_utc(at_ms):%d %b %Y, %H:%M:%S} UTC".removeprefix("0")


def clock(at_ms: int) -> str:
    """Return a moment of today, to the millisecond."""
    return f"{_utc(at_ms):%H:%M:%S}.{at_ms % 1000:03d}"


def machine_moment(at_ms: int) -> str:
    """Return a moment as `<time datetime>` wants it."""
    return f"{_utc(at_ms):%Y-%m-%dT%H:%M:%S}Z"


def when(at_ms: int, now_ms: int) -> str:
    """Return a moment near as "12 minutes ago" or "in 3 hours", another one by its date."""
    seconds = (now_ms - at_ms) / 1000
    if abs(seconds) >= _DAY_S:
        return f"{_utc(at_ms):%d %b %Y, %H:%M}".removeprefix("0")
    if abs(seconds) < 5:
        return "just now"
    count, unit = _nearest(abs(seconds))
    text = f"{count} {unit}" + ("" if count == 1 else "s")
    return f"{text} ago" if seconds > 0 else f"in {text}"


def one_line(text: str, characters: int = DESCRIPTION_CHARACTERS) -> str:
    """Return the first line of a text, or its first characters, whichever is shorter; the mark of a cut counts, too.

    Source: "Manage models": "a maximum of 32 characters or one line of text, whichever is shorter".
    """
    # A text may have many thousands of lines, of which one is wanted.
    whole = text[: characters * 50].strip()
    line = whole.partition("\n")[0].rstrip()
    if len(line) > characters or line != whole:
        return line[: characters - 1].rstrip() + "…"
    return line


def web_link(text: str) -> str:
    """Return an address that a link may lead to, "" for one that is no plain web page's: `javascript:` and such."""
    return text if text.startswith(("https://", "http://")) else ""


def initials(name: str) -> str:
    """Return one or two letters that stand for somebody."""
    parts = [part for part in name.split("@")[0].replace("-", " ").replace("_", " ").replace(".", " ").split() if part]
    return "".join(part[0] for part in parts[:2]).upper() or "?"


@lru_cache(4096)
def _segment(text: str) -> str:
    # A page leads to the same few models again and again.
    return quote(text, safe="")


def _nearest(seconds: float) -> tuple[int, str]:
    for length, unit in ((_HOUR_S, "hour"), (_MINUTE_S, "minute")):
        if seconds >= length:
            return int(seconds // length), unit
    return int(seconds), "second"


def _utc(at_ms: int) -> datetime:
    # What another program wrote may lie beyond every calendar.
    return datetime.fromtimestamp(min(max(at_ms // 1000, 0), 253_402_300_799), UTC)
