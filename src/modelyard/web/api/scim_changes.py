"""What a SCIM request wants of a user, group or service principal: read from its body, then done."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field
from sqlmodel import Session

from modelyard.database.tables import Principal
from modelyard.errors import InvalidValue
from modelyard.registry import groups, users
from modelyard.registry.access import Actor
from modelyard.registry.principals import principal_of_id
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.scim import split_path
from modelyard.web.api.arguments import Arguments, Flag, Text, arguments

_MOST_OPERATIONS = 1000


class Reference(Arguments):
    """A group or a member, by its number."""

    value: Text


class FullName(Arguments):
    """A name in two parts."""

    givenName: Text = ""  # noqa: N815 - here and below the words of SCIM.
    familyName: Text = ""  # noqa: N815


class Resource(Arguments):
    """The body of a create or a PUT. What is absent stays as it is; a list that is there replaces the list."""

    userName: Text | None = None  # noqa: N815
    applicationId: Text | None = None  # noqa: N815
    displayName: Text | None = None  # noqa: N815
    externalId: Text | None = None  # noqa: N815
    name: FullName | None = None
    active: Flag | None = None
    members: list[Reference] | None = None
    groups: list[Reference] | None = None

    @property
    def shown_name(self) -> str | None:
        """The display name, or what the two parts of the name make."""
        if self.displayName is None and self.name is not None:
            return f"{self.name.givenName} {self.name.familyName}".strip()
        return self.displayName


class Operation(Arguments):
    """One operation of a PATCH; without a path its value is an object of attributes."""

    op: Text
    path: Text = ""
    value: Any = None


class Patch(Arguments):
    """The body of a PATCH."""

    Operations: list[Operation] = Field(default_factory=list, max_length=_MOST_OPERATIONS)


@dataclass(slots=True)
class Changes:
    """What shall be different. `added`, `removed` and `exactly` are numbers: members of a group, groups of a user."""

    shown_name: str | None = None
    external_id: str | None = None
    active: bool | None = None
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    exactly: list[str] | None = None


def changes_of_resource(kind: PrincipalKind, body: Resource) -> Changes:
    """Return what a create or PUT wants."""
    listed = body.members if kind is PrincipalKind.GROUP else body.groups
    return Changes(
        shown_name=body.shown_name,
        external_id=body.externalId,
        active=body.active,
        exactly=None if listed is None else [one.value for one in listed],
    )


def changes_of_patch(kind: PrincipalKind) -> Changes:
    """Return what the PATCH that is answered now wants. Raises InvalidValue for what is not kept here."""
    changes = Changes()
    for operation in arguments(Patch).Operations:
        verb = operation.op.lower()
        if verb not in ("add", "replace", "remove"):
            raise InvalidValue(f"Unknown operation {operation.op[:20]!r}; expected add, replace or remove.")
        if operation.path:
            _note(changes, kind, verb, operation.path, operation.value)
        elif isinstance(operation.value, dict):
            for path, value in operation.value.items():
                _note(changes, kind, verb, path, value)
        else:
            raise InvalidValue("An operation without a path needs an object of attributes as its value.")
    return changes


def apply(session: Session, actor: Actor, principal: Principal, changes: Changes) -> None:
    """Make a user, group or service principal as the request wants it. Raises what the registry raises."""
    if principal.kind == PrincipalKind.GROUP:
        _apply_to_group(session, actor, principal, changes)
    else:
        _apply_to_account(session, actor, principal, changes)


def _note(changes: Changes, kind: PrincipalKind, verb: str, path: str, value: Any) -> None:
    attribute, picked = split_path(path)
    listed = "members" if kind is PrincipalKind.GROUP else "groups"
    if attribute == listed:
        _note_list(changes, verb, [picked] if picked is not None else _numbers(path, value))
    elif attribute == "displayname":
        changes.shown_name = "" if verb == "remove" else _checked(path, {"displayName": value}).displayName
    elif attribute == "externalid":
        changes.external_id = "" if verb == "remove" else _checked(path, {"externalId": value}).externalId
    elif attribute == "active" and verb != "remove" and kind is not PrincipalKind.GROUP:
        changes.active = _checked(path, {"active": value}).active
    else:
        raise InvalidValue(f"{path[:50]!r} cannot be changed; what can: displayName, externalId, active, {listed}.")


def _note_list(changes: Changes, verb: str, numbers: list[str] | None) -> None:
    """Note a change of members or groups; None for the numbers means all of them."""
    match verb:
        case "add":
            changes.added += numbers or []
        case "remove" if numbers is not None:
            changes.removed += numbers
        case _:
            changes.exactly = numbers or []


def _numbers(path: str, value: Any) -> list[str] | None:
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    found = [item.get("value") if isinstance(item, dict) else item for item in items]
    numbers = [number for number in found if isinstance(number, str)]
    if len(numbers) != len(items):
        raise InvalidValue(f'Invalid value for {path[:50]!r}; expected a list such as [{{"value": "100"}}].')
    return numbers


def _checked(path: str, given: dict[str, Any]) -> Resource:
    try:
        return Resource.model_validate(given)
    except ValueError as error:
        raise InvalidValue(f"Invalid value for {path[:50]!r}.") from error


def _apply_to_account(session: Session, actor: Actor, account: Principal, changes: Changes) -> None:
    if changes.shown_name is not None or changes.external_id is not None:
        users.describe_principal(
            session,
            actor,
            account,
            display_name=account.display_name if changes.shown_name is None else changes.shown_name,
            external_id=account.external_id if changes.external_id is None else changes.external_id,
        )
    if changes.active is not None:
        users.set_active(session, actor, account, active=changes.active)
    current = {str(group.id) for group in groups.groups_of(session, [account.id]).get(account.id, [])}
    for number in _to_add(changes, current):
        group = principal_of_id(session, PrincipalKind.GROUP, number)
        groups.add_members(session, actor, group, [account])
    for number in _to_remove(changes, current):
        group = principal_of_id(session, PrincipalKind.GROUP, number)
        groups.remove_members(session, actor, group, [account])


def _apply_to_group(session: Session, actor: Actor, group: Principal, changes: Changes) -> None:
    if changes.shown_name is not None:
        groups.rename_group(session, actor, group, changes.shown_name)
    if changes.external_id is not None:
        groups.set_external_id(session, actor, group, changes.external_id)
    current = {
        str(member.id) for member in groups.members_of(session, [group.id]).get(group.id, []) if not member.builtin
    }
    added = _accounts(session, _to_add(changes, current))
    if added:
        groups.add_members(session, actor, group, added)
    removed = _accounts(session, _to_remove(changes, current))
    if removed:
        groups.remove_members(session, actor, group, removed)


def _to_add(changes: Changes, current: set[str]) -> list[str]:
    return sorted({*changes.added, *(changes.exactly or [])} - current)


def _to_remove(changes: Changes, current: set[str]) -> list[str]:
    leaving = set(changes.removed) & current
    return sorted(leaving if changes.exactly is None else leaving | current - set(changes.exactly))


def _accounts(session: Session, numbers: Iterable[str]) -> list[Principal]:
    return [groups.find_member(session, number) for number in numbers]
