"""Routes of users, service principals and groups in the native API."""

from typing import Annotated, Literal, NotRequired
from uuid import uuid4

from pydantic import Field
from sqlmodel import Session, col

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading
from modelyard.database.tables import Principal
from modelyard.registry import groups, users
from modelyard.registry.principals import ADMINS_ID, account_of_id, list_principals, principal_of_id, shown_kind
from modelyard.rules.principals import PrincipalKind, folded
from modelyard.web.api.arguments import Flag, Required, StrictArguments, Text, Whole
from modelyard.web.api.changing import changing_people
from modelyard.web.api.paging import question_of
from modelyard.web.identity import current_actor
from modelyard.web.site import site

MAX_ID = 10**18 - 1

Kind = Literal["user", "service_principal"]
PrincipalId = Annotated[Whole, Field(ge=1, le=MAX_ID, examples=[100])]
Limit = Annotated[Whole, Field(ge=1, le=1000)]


class UserAnswer(TypedDict):
    """A user or service principal."""

    id: int
    kind: Kind
    name: Annotated[str, Field(description="E-mail address or short name; a service principal's application id.")]
    display_name: str
    external_id: Annotated[str, Field(description="What an identity provider calls it.")]
    active: Annotated[bool, Field(description="Whether it is let in.")]
    is_admin: bool
    groups: list[str]
    created_by: str
    created_at_ms: int


class GroupAnswer(TypedDict):
    """A group."""

    id: int
    name: str
    external_id: str
    members: list[str]
    created_by: str
    created_at_ms: int


class UserPage(TypedDict):
    """Some users, in order of their ids."""

    users: list[UserAnswer]
    next_page_token: NotRequired[str]


class GroupPage(TypedDict):
    """Some groups, in order of their ids."""

    groups: list[GroupAnswer]
    next_page_token: NotRequired[str]


class OneUser(TypedDict):
    """One user or service principal, as it is now."""

    user: UserAnswer


class OneGroup(TypedDict):
    """One group, as it is now."""

    group: GroupAnswer


class Nothing(TypedDict):
    """There is nothing to say."""


class ListUsers(StrictArguments):
    """Which users are meant."""

    kind: Kind = Field("user", examples=["service_principal"])
    name: Required | None = Field(None, description="In any letter case.", examples=["ann@example.com"])
    max_results: Limit = Field(100, examples=[100])
    page_token: Text = Field("", description="The next_page_token of the page before.")


class CreateUser(StrictArguments):
    """Whom to enter. A service principal that has no application id gets one."""

    kind: Kind = Field("user", examples=["user"])
    name: Text = Field("", examples=["ann@example.com"])
    display_name: Text = Field("", examples=["Ann"])
    external_id: Text = Field("", examples=["00u1"])
    admin: Flag = Field(False, description="Whether to put it into `admins`.", examples=[False])
    groups: list[Required] = Field(default_factory=list, description="Names of groups.", examples=[["data-team"]])


class NamedUser(StrictArguments):
    """A request about one user or service principal."""

    id: PrincipalId


class ChangeUser(NamedUser):
    """What to change; what is left out stays as it is."""

    display_name: Text | None = Field(None, examples=["Ann"])
    external_id: Text | None = Field(None, examples=["00u1"])
    active: Flag | None = Field(None, examples=[False])


class ListGroups(StrictArguments):
    """Which groups are meant."""

    name: Required | None = Field(None, description="In any letter case.", examples=["data-team"])
    max_results: Limit = Field(100, examples=[100])
    page_token: Text = Field("", description="The next_page_token of the page before.")


class CreateGroup(StrictArguments):
    """The group to make."""

    name: Required = Field(examples=["data-team"])


class NamedGroup(StrictArguments):
    """A request about one group."""

    id: PrincipalId


class ChangeGroup(NamedGroup):
    """The name that the group gets; its permissions stay."""

    name: Required = Field(examples=["data-team"])


class Membership(NamedGroup):
    """A member of a group, by its id."""

    member: PrincipalId


def list_users(asked: ListUsers) -> UserPage:
    """List users, or service principals."""
    kind = PrincipalKind(asked.kind)
    with reading(site().engine) as session:
        rows, token = _page(session, kind, asked.name, asked.max_results, asked.page_token)
        shown = [_user(session, row) for row in rows]
    return {"users": shown, "next_page_token": token} if token else {"users": shown}


def create_user(asked: CreateUser) -> OneUser:
    """Enter a user or service principal."""
    actor = current_actor()
    shown = {"display_name": asked.display_name, "external_id": asked.external_id}
    with changing_people() as session:
        if asked.kind == "user":
            person = users.create_user(session, actor, asked.name, **shown)
        else:
            person = users.create_service_principal(session, actor, asked.name or str(uuid4()), **shown)
        for name in [*asked.groups, *(["admins"] if asked.admin else [])]:
            groups.add_members(session, actor, groups.find_group(session, name), [person])
        return {"user": _user(session, person)}


def show_user(asked: NamedUser) -> OneUser:
    """Show a user or service principal."""
    with reading(site().engine) as session:
        return {"user": _user(session, account_of_id(session, asked.id))}


def change_user(asked: ChangeUser) -> OneUser:
    """Change how somebody is shown, or whether they are let in."""
    actor = current_actor()
    with changing_people() as session:
        person = account_of_id(session, asked.id, lock=True)
        users.describe_principal(
            session,
            actor,
            person,
            display_name=person.display_name if asked.display_name is None else asked.display_name,
            external_id=person.external_id if asked.external_id is None else asked.external_id,
        )
        if asked.active is not None:
            users.set_active(session, actor, person, active=asked.active)
        return {"user": _user(session, person)}


def delete_user(asked: NamedUser) -> Nothing:
    """Take somebody's tokens, permissions and memberships away for good."""
    with changing_people() as session:
        users.delete_principal(session, current_actor(), account_of_id(session, asked.id, lock=True))
    return {}


def list_groups(asked: ListGroups) -> GroupPage:
    """List groups."""
    with reading(site().engine) as session:
        rows, token = _page(session, PrincipalKind.GROUP, asked.name, asked.max_results, asked.page_token)
        shown = [_group(session, row) for row in rows]
    return {"groups": shown, "next_page_token": token} if token else {"groups": shown}


def create_group(asked: CreateGroup) -> OneGroup:
    """Make a group."""
    with changing_people() as session:
        return {"group": _group(session, groups.create_group(session, current_actor(), asked.name))}


def show_group(asked: NamedGroup) -> OneGroup:
    """Show a group with its members."""
    with reading(site().engine) as session:
        return {"group": _group(session, principal_of_id(session, PrincipalKind.GROUP, str(asked.id)))}


def change_group(asked: ChangeGroup) -> OneGroup:
    """Rename a group."""
    with changing_people() as session:
        group = principal_of_id(session, PrincipalKind.GROUP, str(asked.id), lock=True)
        groups.rename_group(session, current_actor(), group, asked.name)
        return {"group": _group(session, group)}


def delete_group(asked: NamedGroup) -> Nothing:
    """Take a group away with its permissions."""
    with changing_people() as session:
        group = principal_of_id(session, PrincipalKind.GROUP, str(asked.id), lock=True)
        groups.delete_group(session, current_actor(), group)
    return {}


def add_member(asked: Membership) -> OneGroup:
    """Put a user or service principal into a group."""
    with changing_people() as session:
        group = principal_of_id(session, PrincipalKind.GROUP, str(asked.id), lock=True)
        groups.add_members(session, current_actor(), group, [account_of_id(session, asked.member)])
        return {"group": _group(session, group)}


def remove_member(asked: Membership) -> OneGroup:
    """Take a user or service principal out of a group."""
    with changing_people() as session:
        group = principal_of_id(session, PrincipalKind.GROUP, str(asked.id), lock=True)
        groups.remove_members(session, current_actor(), group, [account_of_id(session, asked.member)])
        return {"group": _group(session, group)}


def _page(
    session: Session, kind: PrincipalKind, name: str | None, limit: int, page_token: str
) -> tuple[list[Principal], str]:
    question = question_of(f"{shown_kind(kind)}s", name)
    conditions = [col(Principal.folded) == folded(name)] if name is not None else []
    if page_token:
        conditions.append(col(Principal.id) > site().signer.open_page(page_token, question)[0])
    rows, _ = list_principals(session, kind, *conditions, limit=limit + 1)
    shown = rows[:limit]
    return shown, site().signer.sign_page(question, [shown[-1].id]) if len(rows) > limit else ""


def _user(session: Session, row: Principal) -> UserAnswer:
    mine = groups.groups_of(session, [row.id]).get(row.id, [])
    return {
        "id": row.id,
        "kind": "user" if row.kind == PrincipalKind.USER else "service_principal",
        "name": row.name,
        "display_name": row.display_name,
        "external_id": row.external_id,
        "active": row.disabled_at_ms is None,
        "is_admin": any(group.id == ADMINS_ID for group in mine),
        "groups": [group.name for group in mine],
        "created_by": row.created_by,
        "created_at_ms": row.created_at_ms,
    }


def _group(session: Session, row: Principal) -> GroupAnswer:
    members = groups.members_of(session, [row.id]).get(row.id, [])
    return {
        "id": row.id,
        "name": row.name,
        "external_id": row.external_id,
        "members": [member.name for member in members if not member.builtin],
        "created_by": row.created_by,
        "created_at_ms": row.created_at_ms,
    }
