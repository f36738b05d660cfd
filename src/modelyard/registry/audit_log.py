"""Reading the audit log, and how long it is kept.

The trigger of the table asks the same row for the retention, so nobody removes a younger entry by another way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, true, update
from sqlmodel import Session, col, select

from modelyard.database.tables import AUDIT_DAYS, AuditEntry, RegisteredModel, Registry
from modelyard.errors import InvalidState, InvalidValue
from modelyard.registry import access, audit
from modelyard.registry.access import Actor
from modelyard.registry.pages import Page
from modelyard.rules.audit import Action
from modelyard.rules.permissions import Level

MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are meant; what is None tells nothing apart. Both ends of the span of time are left out.

    `model` is a name: of entries that were written under it, and of what the model that bears it now was called before.
    """

    model: str | None = None
    version: int | None = None
    actor: str | None = None
    actions: tuple[str, ...] = ()
    principal: str | None = None
    token_id: str | None = None
    request_id: str | None = None
    after_ms: int | None = None
    before_ms: int | None = None


def newest_entries(
    session: Session, actor: Actor, wanted: AuditFilter, *, limit: int, before_id: int | None = None
) -> Page[AuditEntry]:
    """Return a page of the entries that `actor` may see, newest first, of those older than `before_id`."""
    statement = select(AuditEntry).where(_visible(actor), *_conditions(wanted))
    if before_id is not None:
        statement = statement.where(col(AuditEntry.id) < before_id)
    rows = list(session.exec(statement.order_by(col(AuditEntry.id).desc()).limit(limit + 1)))
    shown = rows[:limit]
    return Page(shown, [shown[-1].id] if len(rows) > limit else None)


def entries_after(
    session: Session, actor: Actor, wanted: AuditFilter, *, after: int, limit: int
) -> Sequence[AuditEntry]:
    """Return the entries behind the number `after` that `actor` may see, oldest first."""
    statement = select(AuditEntry).where(_visible(actor), *_conditions(wanted), col(AuditEntry.id) > after)
    return session.exec(statement.order_by(col(AuditEntry.id)).limit(limit)).all()


def retention_days(session: Session) -> int:
    """Return for how many days entries are kept."""
    return session.exec(select(Registry.audit_days)).one_or_none() or AUDIT_DAYS


def set_retention_days(session: Session, actor: Actor, days: int) -> None:
    """Keep entries for so many days from now on. Raises PermissionDenied, InvalidValue, InvalidState."""
    access.require_admin(actor, "changing how long the audit log is kept")
    if not 1 <= days <= MAX_DAYS:
        raise InvalidValue(f"The audit log cannot be kept for {str(days)[:30]} days; expected from 1 to {MAX_DAYS}.")
    before = retention_days(session)
    changed = session.execute(update(Registry).values(audit_days=days))
    if changed.rowcount != 1:  # type: ignore[attr-defined]
        raise InvalidState("This registry was never started. Start it once, then say how long its audit log is kept.")
    audit.record(session, actor, Action.CHANGE_RETENTION, before={"days": before}, after={"days": days})


def _visible(actor: Actor) -> ColumnElement[bool]:
    """Administrators see all, others what happened to models that they manage."""
    if actor.is_admin and actor.limits.models is None:
        return true()
    managed = select(RegisteredModel.id).where(access.held_at_least(actor, Level.CAN_MANAGE))
    return col(AuditEntry.model_id).in_(managed)


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    pairs = [
        (col(AuditEntry.version), wanted.version),
        (col(AuditEntry.actor), wanted.actor),
        (col(AuditEntry.principal), wanted.principal),
        (col(AuditEntry.token_id), wanted.token_id),
        (col(AuditEntry.request_id), wanted.request_id),
    ]
    found = [column == value for column, value in pairs if value is not None]
    if wanted.actions:
        found.append(col(AuditEntry.action).in_(wanted.actions))
    if wanted.model is not None:
        living = select(RegisteredModel.id).where(
            col(RegisteredModel.name) == wanted.model, col(RegisteredModel.deleted_at_ms).is_(None)
        )
        found.append(or_(col(AuditEntry.model_name) == wanted.model, col(AuditEntry.model_id).in_(living)))
    if wanted.after_ms is not None:
        found.append(col(AuditEntry.at_ms) > wanted.after_ms)
    if wanted.before_ms is not None:
        found.append(col(AuditEntry.at_ms) < wanted.before_ms)
    return found
