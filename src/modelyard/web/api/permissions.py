"""Routes of permissions on registered models and on the root (contracts/databricks.md 2.6)."""

from collections.abc import Iterable

from pydantic import Field

from modelyard.database.session import reading
from modelyard.errors import InvalidValue
from modelyard.registry import permissions as registry
from modelyard.registry.permissions import HeldLevel, WantedLevel
from modelyard.rules.permissions import DESCRIPTIONS, ROOT, parse_level
from modelyard.rules.principals import PrincipalKind
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Arguments, Text, arguments
from modelyard.web.api.changing import changing_people
from modelyard.web.identity import current_actor
from modelyard.web.site import site

_FIELDS = {
    PrincipalKind.USER: "user_name",
    PrincipalKind.GROUP: "group_name",
    PrincipalKind.SERVICE_PRINCIPAL: "service_principal_name",
}


class WantedEntry(Arguments):
    """What one principal shall hold."""

    user_name: Text = ""
    group_name: Text = ""
    service_principal_name: Text = ""
    permission_level: Text = ""

    def read(self) -> WantedLevel:
        """Return what is wanted. Raises InvalidValue."""
        named = {kind: name for kind, name in ((kind, getattr(self, field)) for kind, field in _FIELDS.items()) if name}
        if len(named) != 1:
            raise InvalidValue(
                f"An entry of access_control_list names {len(named)} principals; expected exactly one of "
                f"{', '.join(_FIELDS.values())}."
            )
        ((kind, name),) = named.items()
        return WantedLevel(kind, name, parse_level(self.permission_level))


class WantedPermissions(Arguments):
    """The body of a PUT or PATCH; no list is an empty one."""

    access_control_list: list[WantedEntry] = Field(default_factory=list)

    def read(self) -> list[WantedLevel]:
        """Return what is wanted. Raises InvalidValue."""
        return [entry.read() for entry in self.access_control_list]


def get(object_id: str) -> Json:
    """Show who holds what."""
    with reading(site().engine) as session:
        return _answer(object_id, registry.read_permissions(session, current_actor(), object_id))


def get_levels(object_id: str) -> Json:
    """Show which levels there are."""
    with reading(site().engine) as session:
        registry.read_permissions(session, current_actor(), object_id)
    return {
        "permission_levels": [
            {"permission_level": level, "description": description} for level, description in DESCRIPTIONS.items()
        ]
    }


def put(object_id: str) -> Json:
    """Replace every direct permission."""
    wanted = arguments(WantedPermissions).read()
    with changing_people() as session:
        return _answer(object_id, registry.set_permissions(session, current_actor(), object_id, wanted))


def patch(object_id: str) -> Json:
    """Add or change permissions of those who are named."""
    wanted = arguments(WantedPermissions).read()
    with changing_people() as session:
        return _answer(object_id, registry.update_permissions(session, current_actor(), object_id, wanted))


def _answer(object_id: str, held: Iterable[HeldLevel]) -> Json:
    entries: dict[int, Json] = {}
    for one in held:
        principal = one.principal
        entry = entries.setdefault(principal.id, {_FIELDS[PrincipalKind(principal.kind)]: principal.name})
        if principal.kind != PrincipalKind.GROUP:
            entry["display_name"] = principal.display_name or principal.name
        permission: Json = {"permission_level": one.level, "inherited": one.inherited}
        if one.inherited:
            permission["inherited_from_object"] = [f"/registered-models/{ROOT}"]
        entry.setdefault("all_permissions", []).append(permission)
    return {
        "object_id": f"/registered-models/{object_id}",
        "object_type": "registered-model",
        "access_control_list": list(entries.values()),
    }
