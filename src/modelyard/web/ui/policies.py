"""Policies: what the registry archives and deletes by itself. Entered, changed, paused, tried and run."""

from dataclasses import dataclass, fields

from flask import Response

from modelyard.database.session import reading, transaction
from modelyard.errors import AlreadyExists, InvalidValue
from modelyard.registry import policies as registry
from modelyard.registry.plans import PlanFilter, list_plans
from modelyard.registry.policies import FoundPolicy, NewPolicy, PolicyChange
from modelyard.registry.schedules import ScheduleChange
from modelyard.rules.policies import Caps, Conditions, in_words, parse_mode, parse_policy_action
from modelyard.rules.schedules import Rule as Times
from modelyard.rules.schedules import RuleKind
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import ticked, typed
from modelyard.web.ui.frame import Refusal, go, page, sheet
from modelyard.web.ui.plans import shown_plan
from modelyard.web.ui.words import address

_SHOWN_RUNS = 50
_TEXTS = ("models", "tag_key", "tag_value")
_NUMBERS = ("registered_days", "moved_days", "downloaded_days", "keep_newest", "max_percent", "max_versions")


@dataclass(frozen=True, slots=True)
class ShownPolicy:
    """A policy with its rule as a sentence."""

    found: FoundPolicy
    words: str


def shown_policies() -> list[ShownPolicy]:
    """Return every policy. Raises PermissionDenied."""
    with reading(site().engine) as session:
        return [_shown(found) for found in registry.list_policies(session, current_actor())]


def show(name: str) -> Response:
    """Show a policy with the plans that it has made."""
    with reading(site().engine) as session:
        found = registry.find_policy(session, current_actor(), name)
        runs = list_plans(session, current_actor(), PlanFilter(policy=name), limit=_SHOWN_RUNS).rows
        plans = [shown_plan(session, plan) for plan in runs]
    return page("policy.html", title=f"Policy {name}", section="schedules", shown=_shown(found), plans=plans)


def new() -> Response:
    """Ask what a policy is to do."""
    conditions, caps = Conditions(registered_days=90, moved_days=90, downloaded_days=90, keep_newest=5), Caps()
    return _form({"name": "", "action": "archive", "expression": "0 4 * * 1", **_written(conditions, caps)}, new=True)


def create() -> Response:
    """Enter a policy."""
    given = _given() | {"name": typed("name").strip(), "action": typed("action")}
    try:
        wish = NewPolicy(
            name=given["name"],
            action=parse_policy_action(given["action"]),
            conditions=_conditions(given),
            times=Times(RuleKind.CRON, given["expression"], given["zone"]),
            mode=parse_mode(given["mode"]),
            caps=_caps(given),
            enabled=ticked("enabled"),
            everything=ticked("everything"),
        )
        with transaction(site().engine) as session:
            registry.create_policy(session, current_actor(), wish)
    except (InvalidValue, AlreadyExists) as error:
        return _form(given, Refusal(error.message), new=True)
    return go(address("policies", given["name"]), "The policy was created.")


def edit(name: str) -> Response:
    """Ask how a policy is to be."""
    with reading(site().engine) as session:
        found = registry.find_policy(session, current_actor(), name)
    given = _written(found.conditions, found.caps) | {
        "name": name,
        "action": str(found.action),
        "mode": found.policy.mode,
        "expression": found.schedule.expression,
        "zone": found.schedule.time_zone,
        "enabled": "1" if found.schedule.enabled else "",
    }
    return _form(given, new=False)


def save(name: str) -> Response:
    """Change a policy."""
    given = _given() | {"name": name, "action": ""}
    try:
        change = PolicyChange(
            conditions=_conditions(given),
            mode=parse_mode(given["mode"]),
            caps=_caps(given),
            schedule=ScheduleChange(
                enabled=ticked("enabled"), rule=RuleKind.CRON, expression=given["expression"], time_zone=given["zone"]
            ),
            everything=ticked("everything"),
        )
        with transaction(site().engine) as session:
            registry.change_policy(session, current_actor(), name, change)
    except InvalidValue as error:
        return _form(given, Refusal(error.message), new=False)
    return go(address("policies", name), "The policy was saved.")


def run(name: str) -> Response:
    """Have a policy run now: as a dry run, which only makes a plan, unless it is meant."""
    with transaction(site().engine) as session:
        job = registry.run_policy(session, current_actor(), name, propose=not ticked("apply"), queue=site().queue)
        job_id = job.id
    return go(address("jobs", job_id), "When the job has ended, its plan stands on the policy's page.")


def _shown(found: FoundPolicy) -> ShownPolicy:
    return ShownPolicy(found, in_words(found.action, found.conditions))


def _written(conditions: Conditions, caps: Caps) -> dict[str, str]:
    values = {one.name: str(getattr(conditions, one.name)) for one in fields(conditions)}
    return values | {
        "max_percent": str(caps.max_percent),
        "max_versions": str(caps.max_versions),
        "mode": "propose",
        "zone": "UTC",
        "enabled": "",
    }


def _given() -> dict[str, str]:
    names = (*_TEXTS, *_NUMBERS, "mode", "expression", "zone")
    return {name: typed(name).strip() for name in names} | {"enabled": "1" if ticked("enabled") else ""}


def _conditions(given: dict[str, str]) -> Conditions:
    numbers = {name: _number(name, given[name]) for name in _NUMBERS[:4]}
    return Conditions(**{name: given[name] for name in _TEXTS}, **numbers)  # type: ignore[arg-type]


def _caps(given: dict[str, str]) -> Caps:
    return Caps(_number("max_percent", given["max_percent"]), _number("max_versions", given["max_versions"]))


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidValue(f"{name} is {text[:30]!r}; expected a whole number, such as 90.")
    return int(text)


def _form(given: dict[str, str], refusal: Refusal | None = None, *, new: bool) -> Response:
    return sheet(
        "edit_policy.html",
        title="New policy" if new else f"Policy {given['name']}",
        section="schedules",
        action="/policies" if new else address("policies", given["name"], "edit"),
        back="/schedules" if new else address("policies", given["name"]),
        refusal=refusal,
        given=given,
        new=new,
    )
