"""Users and service principals: entered, disabled, deleted. Their names are never given to somebody else."""

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from modelyard.database.session import current_ms
from modelyard.database.tables import Grant, GroupMember, Principal, Token
from modelyard.errors import InvalidState
from modelyard.registry import access, audit
from modelyard.registry.access import Actor
from modelyard.registry.groups import check_administrators_left
from modelyard.registry.principals import (
    check_changeable,
    insert_principal,
    label,
    lock_admins,
    shown_kind,
    taken,
)
from modelyard.rules.audit import Action
from modelyard.rules.principals import (
    PrincipalKind,
    check_application_id,
    check_display_name,
    check_user_name,
    folded,
)


def create_user(
    session: Session, actor: Actor, name: str, *, display_name: str = "", external_id: str = ""
) -> Principal:
    """Enter a user. Raises PermissionDenied, InvalidValue, AlreadyExists."""
    return _create(session, actor, PrincipalKind.USER, check_user_name(name), display_name, external_id)


def create_service_principal(
    session: Session, actor: Actor, application_id: str, *, display_name: str = "", external_id: str = ""
) -> Principal:
    """Enter a program with rights of its own. Raises PermissionDenied, InvalidValue, AlreadyExists."""
    kind, name = PrincipalKind.SERVICE_PRINCIPAL, check_application_id(application_id)
    return _create(session, actor, kind, name, display_name, external_id)


def describe_principal(
    session: Session, actor: Actor, principal: Principal, *, display_name: str, external_id: str
) -> None:
    """Change how a user or service principal is shown. Raises PermissionDenied, InvalidValue, InvalidState."""
    access.require_admin(actor, "changing a user")
    check_changeable(principal)
    check_display_name(display_name)
    check_display_name(external_id)
    before = {"display_name": principal.display_name, "external_id": principal.external_id}
    after = {"display_name": display_name, "external_id": external_id}
    if before == after:
        return
    principal.display_name, principal.external_id = display_name, external_id
    audit.record(session, actor, Action.UPDATE_PRINCIPAL, principal=label(principal), before=before, after=after)
    session.flush()


def set_active(session: Session, actor: Actor, principal: Principal, *, active: bool) -> None:
    """Let somebody in again, or no more; tokens and permissions stay.

    Raises PermissionDenied, InvalidState for the registry's own users and for the last administrator.
    """
    access.require_admin(actor, "enabling or disabling a user")
    check_changeable(principal)
    if active == (principal.disabled_at_ms is None):
        return
    lock_admins(session)
    if not active:
        check_administrators_left(session, without=[principal.id])
    principal.disabled_at_ms = None if active else current_ms(session)
    audit.record(
        session,
        actor,
        Action.UPDATE_PRINCIPAL,
        principal=label(principal),
        before={"active": not active},
        after={"active": active},
    )
    session.flush()


def delete_principal(session: Session, actor: Actor, principal: Principal) -> None:
    """Take somebody's tokens, permissions and memberships away for good; the name stays in the history.

    Raises PermissionDenied, InvalidState for the registry's own users and for the last administrator.
    """
    access.require_admin(actor, "deleting a user")
    check_changeable(principal)
    lock_admins(session)
    check_administrators_left(session, without=[principal.id])
    now = current_ms(session)
    session.execute(
        update(Token)
        .where(col(Token.principal_id) == principal.id, col(Token.revoked_at_ms).is_(None))
        .values(revoked_at_ms=now, revoked_by=actor.name)
    )
    session.execute(delete(GroupMember).where(col(GroupMember.member_id) == principal.id))
    session.execute(delete(Grant).where(col(Grant.principal_id) == principal.id))
    principal.deleted_at_ms = now
    audit.record(session, actor, Action.DELETE_PRINCIPAL, principal=label(principal))
    session.flush()


def _create(
    session: Session, actor: Actor, kind: PrincipalKind, name: str, display_name: str, external_id: str
) -> Principal:
    access.require_admin(actor, f"creating a {shown_kind(kind)}")
    check_display_name(display_name)
    check_display_name(external_id)
    principal = session.exec(
        select(Principal).where(col(Principal.kind) == kind, col(Principal.folded) == folded(name))
    ).one_or_none()
    if principal is not None and principal.deleted_at_ms is None:
        raise taken(principal)
    # Whoever comes back under a name is who bore it before: the history knows no other.
    principal = principal or Principal(kind=kind, name=name, folded=folded(name), created_by=actor.name)
    principal.display_name, principal.external_id = display_name, external_id
    principal.deleted_at_ms = principal.disabled_at_ms = None
    insert_principal(session, principal)
    audit.record(
        session, actor, Action.CREATE_PRINCIPAL, principal=label(principal), after={"display_name": display_name}
    )
    return principal


def check_active(principal: Principal) -> None:
    """Raise InvalidState for somebody who is not let in."""
    if principal.disabled_at_ms is not None:
        raise InvalidState(f"The {shown_kind(principal.kind)} {principal.name!r} is disabled. Enable it first.")
