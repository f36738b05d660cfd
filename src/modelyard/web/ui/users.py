"""Users, service principals and groups: who there is, and who is let in. For administrators."""

from flask import Response, request

from modelyard.database.session import reading
from modelyard.errors import AlreadyExists, InvalidState, InvalidValue
from modelyard.registry import access
from modelyard.registry import users as registry
from modelyard.registry.groups import add_members, groups_of, members_of, remove_members
from modelyard.registry.principals import account_of_id, list_principals, principal_of_id, require_account
from modelyard.rules.principals import PrincipalKind
from modelyard.web.api.changing import changing_people
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import ticked, typed
from modelyard.web.ui.frame import Refusal, go, page, sheet
from modelyard.web.ui.words import address

_HERE = "/settings/users"
_SHOWN = 200


def show() -> Response:
    """Show everybody, in the order in which they were entered."""
    access.require_admin(current_actor(), "seeing users")
    start = request.args.get("from", "0")
    offset = int(start) if start.isdigit() and len(start) < 9 else 0
    with reading(site().engine) as session:
        people, total = list_principals(session, PrincipalKind.USER, offset=offset, limit=_SHOWN)
        programs, _ = list_principals(session, PrincipalKind.SERVICE_PRINCIPAL, limit=_SHOWN)
        groups, _ = list_principals(session, PrincipalKind.GROUP, limit=_SHOWN)
        of_whom = groups_of(session, [one.id for one in people + programs])
        members = members_of(session, [one.id for one in groups])
    return page(
        "users.html",
        title="Users",
        section="settings",
        accounts=[(one, [group.name for group in of_whom.get(one.id, [])]) for one in people + programs],
        groups=[(one, members.get(one.id, [])) for one in groups],
        first=_HERE if offset else "",
        following=address("settings", "users", **{"from": offset + _SHOWN}) if total > offset + _SHOWN else "",
    )


def new() -> Response:
    """Ask who is to be entered."""
    access.require_admin(current_actor(), "creating a user")
    return _form({"name": "", "display_name": ""})


def create() -> Response:
    """Enter a user."""
    given = {"name": typed("name").strip(), "display_name": typed("display_name").strip()}
    try:
        with changing_people() as session:
            registry.create_user(session, current_actor(), given["name"], display_name=given["display_name"])
    except (InvalidValue, AlreadyExists) as error:
        return _form(given, Refusal(error.message, "name"))
    return go(_HERE, f"The user {given['name']} was created. Print a link for the first visit: modelyard login-link.")


def set_active(row_id: int) -> Response:
    """Let somebody in again, or no more."""
    try:
        with changing_people() as session:
            person = account_of_id(session, row_id, lock=True)
            registry.set_active(session, current_actor(), person, active=ticked("active"))
            name = person.name
    except InvalidState as error:
        return go(_HERE, error.message)
    return go(_HERE, f"{name} is let in {'again' if ticked('active') else 'no more'}.")


def change_members(row_id: int) -> Response:
    """Put somebody into a group, or take them out."""
    try:
        with changing_people() as session:
            group = principal_of_id(session, PrincipalKind.GROUP, str(row_id), lock=True)
            member = require_account(session, typed("member").strip())
            change = remove_members if ticked("remove") else add_members
            change(session, current_actor(), group, [member])
            told = f"{member.name} is {'not ' if ticked('remove') else ''}in {group.name}."
    except (InvalidState, InvalidValue) as error:
        told = error.message
    return go(_HERE, told)


def _form(given: dict[str, str], refusal: Refusal | None = None) -> Response:
    return sheet(
        "new_user.html", title="New user", section="settings", action=_HERE, back=_HERE, refusal=refusal, given=given
    )
