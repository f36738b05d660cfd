"""People as SCIM resources, and the SQL of SCIM filters (contracts/databricks.md 2.8)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, or_
from sqlmodel import Session, col

from modelyard.database.tables import Principal
from modelyard.errors import InvalidValue
from modelyard.registry.groups import groups_of, members_of
from modelyard.rules.principals import PrincipalKind, folded
from modelyard.rules.scim import ScimComparison, ScimOperator
from modelyard.web.api.answers import Json

_CORE = "urn:ietf:params:scim:schemas:core:2.0:"
_WORKSPACE_USER = "urn:ietf:params:scim:schemas:extension:workspace:2.0:User"
_SCHEMAS: Mapping[PrincipalKind, list[str]] = {
    PrincipalKind.USER: [f"{_CORE}User", _WORKSPACE_USER],
    PrincipalKind.GROUP: [f"{_CORE}Group"],
    PrincipalKind.SERVICE_PRINCIPAL: [f"{_CORE}ServicePrincipal"],
}
FOLDERS: Mapping[str, str] = {
    PrincipalKind.USER: "Users",
    PrincipalKind.GROUP: "Groups",
    PrincipalKind.SERVICE_PRINCIPAL: "ServicePrincipals",
}
# What a resource never goes without.
_ALWAYS = frozenset({"id", "schemas"})


def me_resource(session: Session, caller: Principal) -> Json:
    """Return the caller as a SCIM user, whatever kind it is: clients read no other form here."""
    return _user(caller, groups_of(session, [caller.id]).get(caller.id, []))


def resources(session: Session, kind: PrincipalKind, rows: Sequence[Principal]) -> list[Json]:
    """Return principals of one kind as SCIM resources."""
    ids = [row.id for row in rows]
    if kind is PrincipalKind.GROUP:
        members = members_of(session, ids)
        return [_group(row, members.get(row.id, [])) for row in rows]
    form = _user if kind is PrincipalKind.USER else _service_principal
    groups = groups_of(session, ids)
    return [form(row, groups.get(row.id, [])) for row in rows]


def chosen(resource: Json, *, attributes: str, excluded: str) -> Json:
    """Return a resource with the attributes asked for, or without those excluded; parts of one count as the whole."""
    wanted, unwanted = _names(attributes), _names(excluded) - _ALWAYS
    return {
        name: value
        for name, value in resource.items()
        if (not wanted or name.lower() in wanted | _ALWAYS) and name.lower() not in unwanted
    }


def filter_condition(kind: PrincipalKind, alternatives: Sequence[Sequence[ScimComparison]]) -> ColumnElement[bool]:
    """Return the condition on principals that a filter means. Raises InvalidValue for an attribute not served."""
    return or_(*(and_(*(_condition(kind, one) for one in together)) for together in alternatives))


def order_column(kind: PrincipalKind, attribute: str) -> ColumnElement[Any] | None:
    """Return the column that a list is sorted by, None when nothing was asked. Raises InvalidValue."""
    return _text_column(kind, attribute.lower()) if attribute else None


def _user(row: Principal, groups: Sequence[Principal]) -> Json:
    given, _, family = row.display_name.partition(" ")
    resource: Json = {
        "schemas": _SCHEMAS[PrincipalKind.USER],
        "id": str(row.id),
        "userName": row.name,
        "displayName": row.display_name or row.name,
        "active": row.disabled_at_ms is None,
        "name": {"givenName": given, "familyName": family} if row.display_name else {},
        "groups": [_reference(group) for group in groups],
        "entitlements": [{"value": "workspace-access"}],
    }
    if "@" in row.name:
        resource["emails"] = [{"type": "work", "value": row.name, "primary": True}]
    return resource | _external(row)


def _service_principal(row: Principal, groups: Sequence[Principal]) -> Json:
    return {
        "schemas": _SCHEMAS[PrincipalKind.SERVICE_PRINCIPAL],
        "id": str(row.id),
        "applicationId": row.name,
        "displayName": row.display_name or row.name,
        "active": row.disabled_at_ms is None,
        "groups": [_reference(group) for group in groups],
        "entitlements": [{"value": "workspace-access"}],
    } | _external(row)


def _group(row: Principal, members: Sequence[Principal]) -> Json:
    return {
        "schemas": _SCHEMAS[PrincipalKind.GROUP],
        "id": str(row.id),
        "displayName": row.name,
        # The registry's own users are no members that anybody could see or change.
        "members": [_reference(member) for member in members if not member.builtin],
        "groups": [],
        "meta": {"resourceType": "WorkspaceGroup"},
    } | _external(row)


def _reference(row: Principal) -> Json:
    shown = row.name if row.kind == PrincipalKind.GROUP else row.display_name or row.name
    return {"display": shown, "type": "direct", "value": str(row.id), "$ref": f"{FOLDERS[row.kind]}/{row.id}"}


def _external(row: Principal) -> Json:
    return {"externalId": row.external_id} if row.external_id else {}


def _names(listed: str) -> set[str]:
    return {name.strip().split(".")[0].lower() for name in listed.split(",") if name.strip()}


def _condition(kind: PrincipalKind, comparison: ScimComparison) -> ColumnElement[bool]:
    if comparison.attribute == "active":
        return _active(comparison)
    column = _text_column(kind, comparison.attribute)
    value = folded(comparison.value)
    compare: Mapping[ScimOperator, Callable[[], ColumnElement[bool]]] = {
        ScimOperator.EQUAL: lambda: column == value,
        ScimOperator.UNEQUAL: lambda: column != value,
        ScimOperator.CONTAINS: lambda: column.contains(value, autoescape=True),
        ScimOperator.STARTS_WITH: lambda: column.startswith(value, autoescape=True),
        ScimOperator.ENDS_WITH: lambda: column.endswith(value, autoescape=True),
    }
    return compare[comparison.operator]()


def _active(comparison: ScimComparison) -> ColumnElement[bool]:
    words = {"true": True, "false": False}
    if comparison.operator not in (ScimOperator.EQUAL, ScimOperator.UNEQUAL) or comparison.value.lower() not in words:
        raise InvalidValue("Invalid filter: active can be compared by eq and ne with true and false only.")
    wants_active = words[comparison.value.lower()] == (comparison.operator is ScimOperator.EQUAL)
    enabled = col(Principal.disabled_at_ms).is_(None)
    return enabled if wants_active else ~enabled


def _text_column(kind: PrincipalKind, attribute: str) -> ColumnElement[Any]:
    name = {
        PrincipalKind.USER: "username",
        PrincipalKind.GROUP: "displayname",
        PrincipalKind.SERVICE_PRINCIPAL: "applicationid",
    }[kind]
    columns: dict[str, ColumnElement[Any]] = {
        name: col(Principal.folded),  # type: ignore[dict-item]  # A mapped column is one.
        "id": cast(col(Principal.id), String),
        "externalid": func.lower(col(Principal.external_id)),
    }
    if kind is not PrincipalKind.GROUP:
        columns["displayname"] = func.lower(col(Principal.display_name))
    if kind is PrincipalKind.USER:
        columns["emails"] = columns["emails.value"] = columns[name]
    if attribute not in columns:
        raise InvalidValue(f"{attribute[:50]!r} cannot be compared here; expected one of {', '.join(columns)}, active.")
    return columns[attribute]
