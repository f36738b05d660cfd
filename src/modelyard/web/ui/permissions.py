"""Who may do what with a model: shown, granted, taken away, explained."""

from flask import Response

from modelyard.database.session import reading
from modelyard.errors import InvalidValue, NotFound, PermissionDenied
from modelyard.registry import permissions as registry
from modelyard.registry.permissions import Explanation, HeldLevel, WantedLevel
from modelyard.registry.registered_models import read_registered_model
from modelyard.rules.permissions import DESCRIPTIONS, Level, parse_level
from modelyard.rules.principals import PrincipalKind
from modelyard.web.api.changing import changing_people
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import query, typed
from modelyard.web.ui.frame import Refusal, go, page
from modelyard.web.ui.words import address

_NOTHING = "NONE"
_KINDS = {"user": "User", "group": "Group", "service_principal": "Service principal"}


def show(name: str) -> Response:
    """Show who holds what on a model, and why somebody may do what, if asked."""
    return _page(name)


def change(name: str) -> Response:
    """Give somebody a level on a model, or take it away; one's own only when that is confirmed."""
    kind, principal, level = typed("kind"), typed("principal").strip(), typed("level")
    if kind not in _KINDS:
        raise InvalidValue(f"{kind[:50]!r} is no kind of principal; expected one of {', '.join(_KINDS)}.")
    if principal == current_actor().name and not typed("own"):
        text = "This is your own level. Send it once more if you mean it: you may not be able to take it back."
        return _page(name, Refusal(text, "own"), {"kind": kind, "principal": principal, "level": level})
    try:
        with changing_people() as session:
            model = read_registered_model(session, current_actor(), name)
            if level == _NOTHING:
                held = registry.read_permissions(session, current_actor(), model.public_id)
                kept = [_wanted(one) for one in held if not one.inherited and not _is(one, kind, principal)]
                registry.set_permissions(session, current_actor(), model.public_id, kept)
            else:
                wish = WantedLevel(PrincipalKind(kind), principal, parse_level(level))
                registry.update_permissions(session, current_actor(), model.public_id, [wish])
    except InvalidValue as error:
        given = {"kind": kind, "principal": principal, "level": level}
        return _page(name, Refusal(error.message, "principal"), given)
    return go(address("models", name, "permissions"), f"The permissions of {principal} were changed.")


def _page(name: str, refusal: Refusal | None = None, given: dict[str, str] | None = None) -> Response:
    asked = query("check").strip()
    with reading(site().engine) as session:
        model = read_registered_model(session, current_actor(), name)
        held = registry.read_permissions(session, current_actor(), model.public_id)
        explained: Explanation | None = None
        problem = ""
        if asked:
            try:
                explained = registry.explain(session, current_actor(), name, asked)
            except (NotFound, PermissionDenied) as error:
                problem = error.message
    return page(
        "permissions.html",
        title=f"Permissions of {name}",
        section="models",
        status=422 if refusal else 200,
        name=name,
        held=sorted(held, key=lambda one: (one.inherited, one.principal.kind, one.principal.folded)),
        levels=[(level.value, DESCRIPTIONS[level]) for level in Level],
        kinds=_KINDS,
        given=given or {"kind": "user", "principal": "", "level": Level.CAN_READ},
        refusal=refusal,
        nothing=_NOTHING,
        asked=asked,
        explained=explained,
        problem=problem,
    )


def _wanted(one: HeldLevel) -> WantedLevel:
    return WantedLevel(PrincipalKind(one.principal.kind), one.principal.name, one.level)


def _is(one: HeldLevel, kind: str, name: str) -> bool:
    return one.principal.kind == kind and one.principal.name == name
