"""Policies over HTTP: entered, shown, changed, run; and what cannot be one."""

from typing import Any

from sqlalchemy import update

from modelyard.database.session import transaction
from modelyard.database.tables import ModelVersion
from tests.web.yards import Yard

POLICIES = "/api/v1/policies"
TIDY = {"name": "tidy", "action": "archive", "registered_days": 90, "cron": "0 4 * * 1"}


def entered(yard: Yard, **fields: Any) -> dict[str, Any]:
    """Enter a policy and return it."""
    policy: dict[str, Any] = yard.call("POST", POLICIES, {**TIDY, **fields})["policy"]
    return policy


def test_a_policy_is_entered_and_shown(yard: Yard) -> None:
    policy = entered(yard, models="fraud-*", tag_key="team", tag_value="a", keep_newest=3, time_zone="Europe/Berlin")

    assert policy | {"next_at_ms": 0, "created_at_ms": 0} == {
        "name": "tidy",
        "action": "archive",
        "in_words": "Archive None versions of fraud-* tagged team=a registered 90 days ago, keep newest 3",
        "conditions": {
            "models": "fraud-*",
            "tag_key": "team",
            "tag_value": "a",
            "registered_days": 90,
            "moved_days": 0,
            "downloaded_days": 0,
            "keep_newest": 3,
        },
        "mode": "propose",
        "max_percent": 20,
        "max_versions": 500,
        "schedule": "policy tidy",
        "rule": "cron",
        "expression": "0 4 * * 1",
        "time_zone": "Europe/Berlin",
        "enabled": True,
        "next_at_ms": 0,
        "last_plan": None,
        "created_by": "local",
        "created_at_ms": 0,
    }
    assert yard.call("GET", f"{POLICIES}/tidy")["policy"] == policy
    assert [each["name"] for each in yard.call("GET", POLICIES)["policies"]] == [
        "archive-idle",
        "delete-archived",
        "tidy",
    ]


def test_a_policy_is_changed_field_by_field(yard: Yard) -> None:
    entered(yard, keep_newest=3)
    path = f"{POLICIES}/tidy"

    yard.call("PATCH", path, {"keep_newest": 0})
    yard.call("PATCH", path, {"mode": "apply", "max_versions": 7})
    yard.call("PATCH", path, {"every_s": 60})
    changed = yard.call("PATCH", path, {"enabled": False})["policy"]

    assert (changed["conditions"]["keep_newest"], changed["conditions"]["registered_days"]) == (0, 90)
    assert (changed["mode"], changed["max_versions"], changed["max_percent"]) == ("apply", 7, 20)
    assert (changed["rule"], changed["expression"], changed["enabled"]) == ("every", "60", False)


def test_a_policy_is_planned_run_and_looked_back_at(yard: Yard) -> None:
    for _ in range(2):
        yard.ready()
    with transaction(yard.engine) as session:
        session.execute(update(ModelVersion).values(created_at_ms=1))
    entered(yard, mode="apply", max_percent=100)

    planned = yard.call("POST", f"{POLICIES}/tidy/plan")["job"]
    yard.work()
    yard.call("POST", f"{POLICIES}/tidy/run")
    yard.work()

    first = yard.call("GET", f"{POLICIES}/tidy/history", max_results=1)
    rest = yard.call("GET", f"{POLICIES}/tidy/history", max_results=1, page_token=first["next_page_token"])
    assert [(plan["status"], plan["versions"], plan["done"]) for plan in first["plans"] + rest["plans"]] == [
        ("EXECUTED", 2, 2),
        ("READY", 2, 0),
    ]
    assert rest["plans"][0]["plan_job_id"] == planned["id"]
    assert yard.call("GET", f"{POLICIES}/tidy")["policy"]["last_plan"]["id"] == first["plans"][0]["id"]
    assert [yard.version("m", number)["current_stage"] for number in "12"] == ["Archived"] * 2


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"registered_days": 0}, "These conditions mean every version of every model"),
    ({"registered_days": -1}, "Invalid registered_days -1; expected a whole number from 0"),
    ({"registered_days": "many"}, "'registered_days'"),
    ({"models": "a/b"}, "Invalid pattern models 'a/b'"),
    ({"tag_value": "a"}, "tag_value needs a tag_key"),
    ({"keep_newest": 10**6}, "Invalid keep_newest 1000000; expected"),
    ({"max_percent": 0}, "Invalid max_percent 0; expected a whole number from 1 to 100, such as 20"),
    ({"max_versions": 0}, "Invalid max_versions 0"),
    ({"cron": "61 * * * *"}, "expression '61 * * * *' is no cron line: Bad minute. A right one is"),
    ({"cron": None}, "Say when the policy runs"),
    ({"every_s": 60}, "give cron or every_s"),
    ({"cron": None, "every_s": 1}, "expression '1' is no interval; expected whole seconds from 10"),
    ({"time_zone": "Mars"}, "time_zone 'Mars' is not known; expected a name such as"),
    ({"mode": "sometimes"}, "Invalid mode 'sometimes'; expected 'propose' or 'apply'"),
    ({"action": "restore"}, "Invalid action 'restore'; expected 'archive' or 'delete'"),
    ({"name": "A b"}, "Invalid name 'A b'"),
    ({"stage": "Production"}, "There is no parameter 'stage'"),
]


def test_what_cannot_be_a_policy_is_refused_with_the_field_and_a_right_example(yard: Yard) -> None:
    for body, told in WRONG:
        answer = yard.send("POST", POLICIES, {**TIDY, **body})

        assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), body
        assert told in answer.get_json()["message"]


WRONG_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({}, "Nothing to change"),
    ({"registered_days": 0}, "These conditions mean every version"),
    ({"cron": "nightly"}, "no cron line"),
    ({"max_percent": 101}, "Invalid max_percent 101"),
]


def test_a_change_that_leaves_no_policy_is_refused(yard: Yard) -> None:
    before = entered(yard)

    for body, told in WRONG_CHANGES:
        answer = yard.send("PATCH", f"{POLICIES}/tidy", body)

        assert (answer.status_code, told in answer.get_json()["message"]) == (400, True), body
    assert yard.call("GET", f"{POLICIES}/tidy")["policy"] == before


def test_a_policy_that_is_not_there_is_not_found(yard: Yard) -> None:
    for method, path in [("GET", ""), ("PATCH", ""), ("POST", "/run"), ("POST", "/plan"), ("GET", "/history")]:
        body = {"enabled": True} if method == "PATCH" else None
        assert yard.refused(method, f"{POLICIES}/nightly{path}", body) == (404, "RESOURCE_DOES_NOT_EXIST")
    entered(yard)
    assert yard.refused("POST", POLICIES, TIDY) == (400, "RESOURCE_ALREADY_EXISTS")
