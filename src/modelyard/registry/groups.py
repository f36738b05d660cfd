"""Groups and who is in them. The members of `admins` are the administrators."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import delete
from sqlmodel import Session, col, select

from modelyard.database.session import current_ms
from modelyard.database.tables import Grant, GroupMember, Principal
from modelyard.errors import InvalidState, InvalidValue, NotFound
from modelyard.registry import access, audit
from modelyard.registry.access import Actor
from modelyard.registry.principals import (
    ADMINS_ID,
    LIVING,
    check_changeable,
    find_principal,
    insert_principal,
    label,
    lock_admins,
    principal_of_row,
    taken,
)
from modelyard.rules.audit import Action
from modelyard.rules.principals import PrincipalKind, check_display_name, check_group_name, folded


def create_group(session: Session, actor: Actor, name: str, *, external_id: str = "") -> Principal:
    """Make a group; one that was deleted begins anew. Raises PermissionDenied, InvalidValue, AlreadyExists."""
    access.require_admin(actor, "creating a group")
    check_group_name(name)
    group = session.exec(
        select(Principal).where(col(Principal.kind) == PrincipalKind.GROUP, col(Principal.folded) == folded(name))
    ).one_or_none()
    if group is not None and group.deleted_at_ms is None:
        raise taken(group)
    group = group or Principal(kind=PrincipalKind.GROUP, folded=folded(name), name=name, created_by=actor.name)
    group.name, group.external_id, group.deleted_at_ms = name, external_id, None
    insert_principal(session, group)
    audit.record(session, actor, Action.CREATE_PRINCIPAL, principal=label(group), after={"name": name})
    return group


def find_group(session: Session, name: str) -> Principal:
    """Return the group called `name`. Raises NotFound."""
    group = find_principal(session, PrincipalKind.GROUP, name)
    if group is None:
        raise NotFound(f"There is no group {name[:300]!r}.")
    return group


def rename_group(session: Session, actor: Actor, group: Principal, name: str) -> None:
    """Give a group another name; its permissions stay. Raises PermissionDenied, InvalidValue, InvalidState,
    AlreadyExists."""
    access.require_admin(actor, "renaming a group")
    check_group_name(name)
    if name == group.name:
        return
    check_changeable(group)
    before = label(group)
    group.name, group.folded = name, folded(name)
    insert_principal(session, group)
    audit.record(
        session, actor, Action.UPDATE_PRINCIPAL, principal=before, before={"name": before}, after={"name": label(group)}
    )


def set_external_id(session: Session, actor: Actor, group: Principal, external_id: str) -> None:
    """Note what an identity provider calls a group. Raises PermissionDenied, InvalidValue."""
    access.require_admin(actor, "changing a group")
    check_display_name(external_id)
    if external_id == group.external_id:
        return
    before, group.external_id = group.external_id, external_id
    audit.record(
        session,
        actor,
        Action.UPDATE_PRINCIPAL,
        principal=label(group),
        before={"external_id": before},
        after={"external_id": external_id},
    )
    session.flush()


def find_member(session: Session, number: str) -> Principal:
    """Return the user or service principal with this number. Raises NotFound, InvalidValue for a group."""
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise NotFound(f"There is no user with the id {number[:50]!r}; ids are numbers.")
    return principal_of_row(session, int(number))


def delete_group(session: Session, actor: Actor, group: Principal) -> None:
    """Take a group away with its memberships and permissions. Raises PermissionDenied, InvalidState for `admins`."""
    access.require_admin(actor, "deleting a group")
    check_changeable(group)
    members = members_of(session, [group.id])[group.id]
    session.execute(delete(GroupMember).where(col(GroupMember.group_id) == group.id))
    session.execute(delete(Grant).where(col(Grant.principal_id) == group.id))
    group.deleted_at_ms = current_ms(session)
    audit.record(
        session,
        actor,
        Action.DELETE_PRINCIPAL,
        principal=label(group),
        before={"members": [member.name for member in members]},
    )
    session.flush()


def add_members(session: Session, actor: Actor, group: Principal, members: Iterable[Principal]) -> None:
    """Put users and service principals into a group; those in it stay. Raises PermissionDenied, InvalidValue."""
    access.require_admin(actor, "changing a group")
    present = {member.id for member in members_of(session, [group.id])[group.id]}
    new = {member.id: member for member in members if member.id not in present}
    for member in new.values():
        if member.kind == PrincipalKind.GROUP:
            raise InvalidValue(f"{member.name!r} is a group. Groups hold users and service principals only.")
        session.add(GroupMember(group_id=group.id, member_id=member.id))
    _record_members(session, actor, group, added=list(new.values()), removed=[])


def remove_members(session: Session, actor: Actor, group: Principal, members: Iterable[Principal]) -> None:
    """Take members out of a group; others are passed over.

    Raises PermissionDenied, InvalidState when no administrator would be left.
    """
    access.require_admin(actor, "changing a group")
    lock_admins(session)
    present = {member.id: member for member in members_of(session, [group.id])[group.id]}
    leaving = {member.id: member for member in members if member.id in present}
    for member in leaving.values():
        check_changeable(member)
    if group.id == ADMINS_ID:
        check_administrators_left(session, without=leaving)
    session.execute(
        delete(GroupMember).where(col(GroupMember.group_id) == group.id, col(GroupMember.member_id).in_(list(leaving)))
    )
    _record_members(session, actor, group, added=[], removed=list(leaving.values()))


def members_of(session: Session, group_ids: Sequence[int]) -> Mapping[int, list[Principal]]:
    """Return row id of a group -> its members, in order of their numbers."""
    found: dict[int, list[Principal]] = defaultdict(list)
    rows = session.exec(
        select(GroupMember.group_id, Principal)
        .join(Principal, col(Principal.id) == col(GroupMember.member_id))
        .where(col(GroupMember.group_id).in_(group_ids), LIVING)
        .order_by(col(Principal.id))
    )
    for group_id, member in rows:
        found[group_id].append(member)
    return found


def groups_of(session: Session, member_ids: Sequence[int]) -> Mapping[int, list[Principal]]:
    """Return row id of a user or service principal -> its groups, in order of their numbers."""
    found: dict[int, list[Principal]] = defaultdict(list)
    rows = session.exec(
        select(GroupMember.member_id, Principal)
        .join(Principal, col(Principal.id) == col(GroupMember.group_id))
        .where(col(GroupMember.member_id).in_(member_ids), LIVING)
        .order_by(col(Principal.id))
    )
    for member_id, group in rows:
        found[member_id].append(group)
    return found


def check_administrators_left(session: Session, *, without: Iterable[int]) -> None:
    """Raise InvalidState when `admins`, locked, would lose its last active member with these row ids."""
    active = {
        member.id
        for member in members_of(session, [ADMINS_ID])[ADMINS_ID]
        if not member.builtin and member.disabled_at_ms is None
    }
    leaving = active & set(without)
    if leaving and leaving == active:
        raise InvalidState("This would leave the registry without an administrator. Add another one to 'admins' first.")


def _record_members(
    session: Session, actor: Actor, group: Principal, *, added: list[Principal], removed: list[Principal]
) -> None:
    if not added and not removed:
        return
    session.flush()
    audit.record(
        session,
        actor,
        Action.CHANGE_MEMBERS,
        principal=label(group),
        before={"members": sorted(member.name for member in removed)} if removed else None,
        after={"members": sorted(member.name for member in added)} if added else None,
    )
