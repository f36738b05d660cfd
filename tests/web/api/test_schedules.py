"""Schedules over HTTP: shown, enabled, disabled, edited; and what cannot be a rule."""

import pytest

from tests.web.yards import Yard

SCHEDULES = "/api/v1/schedules"
NIGHTLY = f"{SCHEDULES}/prune_jobs"


def test_the_nightly_schedule_is_listed(yard: Yard) -> None:
    audit, schedule = yard.call("GET", SCHEDULES)["schedules"]

    assert (audit["name"], audit["expression"]) == ("prune_audit", "45 2 * * *")

    assert schedule | {"next_at_ms": 0, "created_at_ms": 0} == {
        "name": "prune_jobs",
        "kind": "prune_jobs",
        "arguments": {},
        "rule": "cron",
        "expression": "30 2 * * *",
        "time_zone": "UTC",
        "enabled": True,
        "revision": 1,
        "next_at_ms": 0,
        "last_slot_ms": None,
        "last_job_id": None,
        "created_by": "modelyard",
        "created_at_ms": 0,
    }
    assert schedule["next_at_ms"] > schedule["created_at_ms"]


def test_a_schedule_is_edited_field_by_field(yard: Yard) -> None:
    yard.call("PATCH", NIGHTLY, {"expression": "0 4 * * SUN"})
    yard.call("PATCH", NIGHTLY, {"time_zone": "Europe/Berlin"})

    changed = yard.call("PATCH", NIGHTLY, {"enabled": False})["schedule"]

    assert (changed["expression"], changed["time_zone"]) == ("0 4 * * SUN", "Europe/Berlin")
    assert (changed["enabled"], changed["revision"]) == (False, 4)
    assert changed in yard.call("GET", SCHEDULES)["schedules"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"expression": "61 * * * *"}, "expression '61 * * * *' is no cron line: Bad minute. A right one is"),
        ({"rule": "every", "expression": "1"}, "expression '1' is no interval; expected whole seconds from 10"),
        ({"rule": "sometimes"}, "rule 'sometimes' is not known; expected 'cron' or 'every'"),
        ({"time_zone": "Mars/Olympus"}, "time_zone 'Mars/Olympus' is not known; expected a name such as"),
        ({"enabled": "perhaps"}, "'enabled'"),
        ({"cron": "30 2 * * *"}, "There is no parameter 'cron'"),
        ({}, "Nothing to change"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_with_the_field_and_a_right_example(
    yard: Yard, body: dict[str, object], told: str
) -> None:
    answer = yard.send("PATCH", NIGHTLY, body)

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert told in answer.get_json()["message"]


@pytest.mark.parametrize("name", ["nightly", "a%00b", "%ff", "a b"])
def test_a_schedule_that_is_not_there_is_not_found(yard: Yard, name: str) -> None:
    status, _ = yard.refused("PATCH", f"{SCHEDULES}/{name}", {"enabled": True})

    assert status == (400 if "%00" in name else 404)
