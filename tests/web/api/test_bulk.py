"""Bulk operations and plans over HTTP: asked for, read, executed, refused."""

from typing import Any

import pytest

from tests.web.yards import Yard

API = "/api/v1"
ALL = {"all": True}


@pytest.fixture
def shelf(yard: Yard) -> Yard:
    """A yard with three READY versions of `m`, the second in Production."""
    for _ in range(3):
        yard.ready()
    yard.call("POST", "model-versions/transition-stage", {"name": "m", "version": "2", "stage": "Production"})
    return yard


def planned(yard: Yard, action: str, **body: Any) -> dict[str, Any]:
    """Ask for a plan and return it."""
    plan: dict[str, Any] = yard.call("POST", f"{API}/bulk/{action}", body)["plan"]
    return plan


def lines(yard: Yard, plan: dict[str, Any], **query: Any) -> list[tuple[str, int, str, str | None]]:
    """Return name, number, action and reason of a plan's lines."""
    found = yard.call("GET", f"{API}/plans/{plan['id']}/versions", **query)["versions"]
    return [(line["name"], line["version"], line["action"], line["reason"]) for line in found]


def test_a_plan_is_made_read_and_executed(shelf: Yard) -> None:
    plan = planned(shelf, "archive", filter="name = 'm'")

    assert (plan["status"], plan["versions"], plan["kept"], plan["freed_bytes"]) == ("READY", 2, 1, None)
    assert lines(shelf, plan) == [
        ("m", 1, "archive", None),
        ("m", 2, "keep", "in_use"),
        ("m", 3, "archive", None),
    ]
    assert shelf.version("m", "1")["current_stage"] == "None"

    executing = shelf.call("POST", f"{API}/plans/{plan['id']}/execute", {"digest": plan["digest"]})["plan"]
    shelf.work()

    done = shelf.call("GET", f"{API}/plans/{plan['id']}")["plan"]
    assert (executing["status"], done["status"], done["done"], done["executed_by"]) == (
        "EXECUTING",
        "EXECUTED",
        2,
        "local",
    )
    assert [shelf.version("m", number)["current_stage"] for number in "123"] == ["Archived", "Production", "Archived"]
    assert shelf.call("GET", f"{API}/jobs/{done['execute_job_id']}")["job"]["status_message"] == "Archived 2 versions."


def test_without_a_dry_run_it_is_done_at_once(shelf: Yard) -> None:
    plan = planned(shelf, "delete", versions=[{"name": "m", "version": 3}], dry_run=False)
    shelf.work()

    assert shelf.call("GET", f"{API}/plans/{plan['id']}")["plan"]["done"] == 1
    assert [item["version"] for item in shelf.call("GET", f"{API}/trash")["items"]] == [3]
    assert lines(shelf, planned(shelf, "restore", **ALL)) == [("m", 3, "restore", None)]


def test_a_delete_says_how_many_bytes_it_would_free(yard: Yard) -> None:
    yard.ready(source=yard.model_folder("a", weights=b"a" * 1000))
    yard.ready(source=yard.model_folder("b", weights=b"b" * 5000))
    yard.ready(source=yard.model_folder("b"))

    both = planned(yard, "delete", filter="version_number <= 2")
    whole = planned(yard, "delete", **ALL)

    # The third shares what the second has.
    assert 1000 < both["freed_bytes"] < whole["freed_bytes"]
    assert both["size_bytes"] > both["freed_bytes"]


def test_a_tag_is_set_on_many(shelf: Yard) -> None:
    planned(shelf, "tag", key="modelyard.keep", value="true", filter="stage = 'None'", dry_run=False)
    shelf.work()

    assert lines(shelf, planned(shelf, "archive", **ALL)) == [
        ("m", 1, "keep", "pinned"),
        ("m", 2, "keep", "in_use"),
        ("m", 3, "keep", "pinned"),
    ]


def test_versions_are_verified_each_by_a_job(shelf: Yard) -> None:
    plan = planned(shelf, "verify", **ALL, dry_run=False)
    shelf.work()

    messages = [line["message"] for line in shelf.call("GET", f"{API}/plans/{plan['id']}/versions")["versions"]]
    assert messages == [f"Job {job.id} verifies it." for job in shelf.jobs() if job.kind == "verify_version"]


def test_plans_and_lines_are_paged(shelf: Yard) -> None:
    made = [planned(shelf, "archive", **ALL)["id"] for _ in range(3)]

    first = shelf.call("GET", f"{API}/plans", max_results=2)
    rest = shelf.call("GET", f"{API}/plans", max_results=2, page_token=first["next_page_token"])
    assert [plan["id"] for plan in first["plans"] + rest["plans"]] == made[::-1]
    assert "next_page_token" not in rest

    some = shelf.call("GET", f"{API}/plans/{made[0]}/versions", max_results=2)
    more = shelf.call("GET", f"{API}/plans/{made[0]}/versions", max_results=2, page_token=some["next_page_token"])
    assert [line["version"] for line in some["versions"] + more["versions"]] == [1, 2, 3]
    kept = shelf.call("GET", f"{API}/plans/{made[0]}/versions", kept="true")["versions"]
    assert [(line["version"], line["message"]) for line in kept] == [(2, "It is in Staging or Production.")]


MEANINGLESS: list[tuple[dict[str, Any], str]] = [
    ({}, "Say which versions are meant, by one of versions:"),
    ({"filter": "  "}, "or all: true"),
    ({"all": False}, "or all: true"),
    ({"all": True, "filter": "name = 'm'"}, "by one of versions:"),
    ({"filter": "colour = 'red'"}, "'colour' cannot be searched; expected one of name, run_id"),
    ({"filter": "stage > 'None'"}, "stage cannot be compared by >"),
    ({"filter": "created_at < 'yesterday'"}, "a whole number was expected"),
    ({"versions": [{"name": "m"}]}, "Missing value for required parameter 'versions.0.version'"),
    ({"versions": [{"name": "m", "version": 0}]}, "'versions.0.version'"),
    ({"versions": "m/1"}, "Invalid value 'm/1' for parameter 'versions'"),
    ({"versions": [{"name": "m", "version": 1}] * 501}, "at most 500 items"),
    ({"all": True, "dryrun": True}, "There is no parameter 'dryrun'"),
    ({"all": True, "dry_run": "perhaps"}, "'dry_run'"),
]


def test_what_means_no_versions_is_refused(yard: Yard) -> None:
    for body, told in MEANINGLESS:
        answer = yard.send("POST", f"{API}/bulk/archive", body)

        assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), body
        assert told in answer.get_json()["message"]


def test_a_version_that_is_not_there_is_not_found(shelf: Yard) -> None:
    body = {"versions": [{"name": "m", "version": 9}]}

    assert shelf.refused("POST", f"{API}/bulk/archive", body) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_tag_that_nothing_may_bear_is_refused(shelf: Yard) -> None:
    for body in ({**ALL}, {**ALL, "key": "a;b"}):
        assert shelf.refused("POST", f"{API}/bulk/tag", body) == (400, "INVALID_PARAMETER_VALUE")


def test_a_plan_is_executed_once_and_only_by_its_digest(shelf: Yard) -> None:
    plan = planned(shelf, "archive", **ALL)
    execute = f"{API}/plans/{plan['id']}/execute"

    assert shelf.refused("POST", execute) == (400, "INVALID_PARAMETER_VALUE")
    assert shelf.refused("POST", execute, {"digest": "0" * 64}) == (400, "INVALID_STATE")
    shelf.call("POST", execute, {"digest": plan["digest"]})
    assert shelf.refused("POST", execute, {"digest": plan["digest"]}) == (400, "INVALID_STATE")
    shelf.work()
    assert shelf.refused("POST", execute, {"digest": plan["digest"]}) == (400, "INVALID_STATE")
    assert shelf.refused("POST", f"{API}/plans/{'0' * 32}/execute", {"digest": "x"}) == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
    )
