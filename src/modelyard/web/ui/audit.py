"""The audit log: who changed what, from where, newest first; and as lines of JSON."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from flask import Response

from modelyard.database.session import reading
from modelyard.registry import audit_log as registry
from modelyard.registry.audit_log import AuditFilter
from modelyard.rules.audit import Action
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import chosen, page_size, place, query, sealed_place, seq_of
from modelyard.web.ui.frame import page
from modelyard.web.ui.words import address

_EXPORTED = 10_000


def show() -> Response:
    """Show a page of the log."""
    wanted, given = _filter()
    question = seq_of("audit", wanted)
    last = place(question)
    with reading(site().engine) as session:
        found = registry.newest_entries(
            session, current_actor(), wanted, limit=page_size(), before_id=int(str(last[0])) if last else None
        )
        days = registry.retention_days(session)
    after = sealed_place(question, found.last)
    return page(
        "audit.html",
        title="Audit log",
        section="audit",
        entries=[(one, _told(one.before), _told(one.after)) for one in found.rows],
        given=given,
        actions=list(Action),
        days=days,
        first=address("audit", **given) if last else "",
        following=address("audit", **given, after=after) if after else "",
        export=address("audit.jsonl", **given),
    )


def export() -> Response:
    """Give the newest entries of the log that the filters mean, a JSON object a line."""
    wanted, _ = _filter()
    with reading(site().engine) as session:
        found = registry.newest_entries(session, current_actor(), wanted, limit=_EXPORTED).rows
    lines = b"".join(orjson.dumps(one.model_dump(), option=orjson.OPT_APPEND_NEWLINE) for one in found)
    answer = Response(lines, mimetype="application/x-ndjson")
    answer.headers["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
    return answer


def _filter() -> tuple[AuditFilter, dict[str, str]]:
    given = {name: query(name).strip() for name in ("actor", "model", "from", "to")}
    given["action"] = chosen("action", list(Action))
    wanted = AuditFilter(
        model=given["model"] or None,
        actor=given["actor"] or None,
        actions=(given["action"],) if given["action"] else (),
        after_ms=_day_ms(given["from"], days=0),
        before_ms=_day_ms(given["to"], days=1),
    )
    return wanted, given


def _day_ms(text: str, *, days: int) -> int | None:
    """Return the start of a day in UTC, or of one so many days later; None for a text that is no date."""
    try:
        start = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return int((start + timedelta(days=days)).timestamp() * 1000) - 1
    except (ValueError, OverflowError):
        return None


def _told(values: dict[str, Any] | None) -> str:
    if not values:
        return ""
    text = ", ".join(f"{key}: {value}" for key, value in values.items())
    return text if len(text) <= 300 else text[:299] + "…"
