"""Reading jobs over HTTP: one job, lists and their filters, pages, logs."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import update

from modelyard.database.session import transaction
from modelyard.database.tables import metadata
from modelyard.jobs.attempts import LogLine
from modelyard.jobs.guards import Claim
from tests.web.yards import Yard

JOBS = "/api/v1/jobs"
jobs = metadata.tables["jobs"]
job_log = metadata.tables["job_log"]

KEYS = {
    "id",
    "kind",
    "queue",
    "status",
    "status_message",
    "error_code",
    "attempt",
    "max_attempts",
    "model",
    "version",
    "requested_by",
    "cancel_requested",
    "cancelled_by",
    "progress",
    "worker",
    "run_after_ms",
    "created_at_ms",
    "started_at_ms",
    "finished_at_ms",
}


def listed(yard: Yard, **query: Any) -> list[int]:
    """Return the ids that a list shows."""
    return [job["id"] for job in yard.call("GET", JOBS, **query)["jobs"]]


def claim_saying(yard: Yard, *lines: LogLine) -> Claim:
    """Return a running job that has said something."""
    claim = yard.claim(yard.add_job())
    yard.runtime.lifecycle.heartbeat(claim, {}, lines)
    return claim


def test_a_waiting_job_is_shown_with_every_key(yard: Yard) -> None:
    yard.register("m")

    (job,) = yard.call("GET", JOBS)["jobs"]

    assert set(job) == KEYS
    assert (job["kind"], job["queue"], job["status"]) == ("register_version", "copy", "QUEUED")
    assert (job["model"], job["version"], job["requested_by"]) == ("m", 1, "local")
    assert (job["status_message"], job["error_code"], job["worker"], job["finished_at_ms"]) == ("", None, None, None)
    assert job["progress"] == {
        "step": "",
        "items_done": 0,
        "items_total": 0,
        "bytes_done": 0,
        "bytes_total": 0,
        "bytes_per_s": None,
        "left_s": None,
    }


def test_a_job_s_own_page_shows_what_it_was_to_do_and_how_each_attempt_ended(yard: Yard) -> None:
    source = yard.model_folder()
    yard.register("m", source=source / "gone")
    yard.work()
    job_id = yard.jobs()[0].id
    yard.call("POST", f"{JOBS}/{job_id}/retry")
    yard.work()

    job = yard.call("GET", f"{JOBS}/{job_id}")["job"]

    assert set(job) == KEYS | {"arguments", "attempts"}
    assert job["arguments"] == {"source": str(source / "gone")}
    assert [attempt["attempt"] for attempt in job["attempts"]] == [1, 2]
    for attempt in job["attempts"]:
        assert (attempt["outcome"], attempt["error_code"]) == (job["status"], job["error_code"])
        assert attempt["status_message"] == job["status_message"] != ""
        assert attempt["started_at_ms"] <= attempt["ended_at_ms"]


def test_each_attempt_tells_its_steps_and_when_each_began_and_ended(yard: Yard) -> None:
    yard.register("m")
    job_id = yard.jobs()[0].id
    lost = yard.claim(job_id)
    yard.runtime.lifecycle.give_back(
        lost, delay_ms=0, error_code="X", message="away", said=[LogLine("step", "Opening the source")]
    )
    yard.work()

    first, second = yard.call("GET", f"{JOBS}/{job_id}")["job"]["attempts"]

    assert [step["step"] for step in first["steps"]] == ["Opening the source"]
    assert [step["step"] for step in second["steps"]] == ["Opening the source", "Copying"]
    for attempt in (first, second):
        begun = [step["started_at_ms"] for step in attempt["steps"]]
        assert [step["ended_at_ms"] for step in attempt["steps"]] == [*begun[1:], attempt["ended_at_ms"]]


def test_a_step_under_way_has_no_end(yard: Yard) -> None:
    claim = claim_saying(yard, LogLine("step", "Copying"), LogLine("info", "on"))

    (attempt,) = yard.call("GET", f"{JOBS}/{claim.job_id}")["job"]["attempts"]

    assert [(step["step"], step["ended_at_ms"]) for step in attempt["steps"]] == [("Copying", None)]


def test_a_running_job_tells_its_speed_and_the_time_that_is_left(yard: Yard) -> None:
    yard.register("m")
    job_id = yard.jobs()[0].id
    claim = yard.claim(job_id)
    progress = {"step": "Copying", "bytes_done": 400, "bytes_total": 1000, "bytes_per_s": 100}
    yard.runtime.lifecycle.heartbeat(claim, progress)

    running = yard.call("GET", f"{JOBS}/{job_id}")["job"]["progress"]
    yard.runtime.lifecycle.fail(claim, "X", "no")
    ended = yard.call("GET", f"{JOBS}/{job_id}")["job"]["progress"]

    assert (running["bytes_per_s"], running["left_s"]) == (100, 6)
    assert (ended["bytes_done"], ended["bytes_per_s"], ended["left_s"]) == (400, None, None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "register failed cancelled probe other"),
        ({"status": "FAILED"}, "failed"),
        ({"status": ["FAILED", "CANCELLED"]}, "failed cancelled"),
        ({"status": "RUNNING"}, ""),
        ({"kind": "register_version"}, "register"),
        ({"kind": ["probe", "of_another_release"]}, "failed cancelled probe other"),
        ({"kind": "of_another_release"}, "other"),
        ({"kind": "none"}, ""),
        ({"queue": "copy"}, "register"),
        ({"queue": "none"}, ""),
        ({"model": "m"}, "register"),
        ({"model": "m", "version": 1}, "register"),
        ({"model": "m", "version": 2}, ""),
        ({"model": "none"}, ""),
        ({"actor": "bob"}, "failed"),
        ({"actor": "%"}, ""),
        ({"created_after_ms": 1000}, "register cancelled probe other"),
        ({"created_before_ms": 1001}, "failed"),
        ({"created_after_ms": 999, "created_before_ms": 1001}, "failed"),
        ({"created_after_ms": 1001, "created_before_ms": 1000}, ""),
        ({"status": "FAILED", "actor": "ann"}, ""),
    ],
)
def test_a_list_shows_what_was_asked_for_newest_first(yard: Yard, query: dict[str, Any], found: str) -> None:
    yard.register("m")
    ids = {
        "register": yard.jobs()[0].id,
        "failed": yard.add_job(status="FAILED", requested_by="bob", created_at_ms=1000),
        "cancelled": yard.add_job(status="CANCELLED"),
        "probe": yard.add_job(),
        "other": yard.add_job(kind="of_another_release", queue="third"),
    }

    assert listed(yard, **query) == sorted((ids[name] for name in found.split()), reverse=True)


def test_jobs_of_a_deleted_model_are_still_listed_under_its_name(yard: Yard) -> None:
    yard.register("m")
    yard.call("DELETE", "registered-models/delete", {"name": "m"})

    assert [job["status"] for job in yard.call("GET", JOBS, model="m")["jobs"]] == ["CANCELLED"]


def test_pages_follow_each_other_while_jobs_come_and_go(yard: Yard) -> None:
    ids = [yard.add_job() for _ in range(7)]
    first = yard.call("GET", JOBS, max_results=3, kind=["probe", "x"])
    yard.add_job()
    with transaction(yard.engine) as session:
        session.execute(jobs.delete().where(jobs.c.id == ids[1]))

    second = yard.call("GET", JOBS, max_results=2, kind=["x", "probe"], page_token=first["next_page_token"])
    third = yard.call("GET", JOBS, max_results=9, kind=["x", "probe"], page_token=second["next_page_token"])

    pages = [[job["id"] for job in page["jobs"]] for page in (first, second, third)]
    assert pages == [[ids[6], ids[5], ids[4]], [ids[3], ids[2]], [ids[0]]]
    assert "next_page_token" not in third


def test_a_page_that_is_just_full_is_the_last(yard: Yard) -> None:
    ids = [yard.add_job() for _ in range(3)]

    page = yard.call("GET", JOBS, max_results=3)

    assert [job["id"] for job in page["jobs"]] == ids[::-1]
    assert "next_page_token" not in page


@pytest.mark.parametrize(
    ("query", "named", "example"),
    [
        ("status=DONE", "status", "'FAILED'"),
        ("status=failed", "status", "'FAILED'"),
        ("status=FAILED&status=", "status", ""),
        ("kind=", "kind", ""),
        ("kind=a%00b", "kind", "'register_version'"),
        ("queue=", "queue", ""),
        ("queue=%00", "queue", "'copy'"),
        ("model=%00", "model", "'house-prices'"),
        ("actor=%00", "actor", "'ann'"),
        ("version=1", "version", "model=house-prices&version=3"),
        ("model=m&version=0", "version", "3"),
        ("model=m&version=-1", "version", "3"),
        ("model=m&version=1.5", "version", "3"),
        ("model=m&version=9999999999", "version", "3"),
        ("created_after_ms=yesterday", "created_after_ms", "1764090000000"),
        ("created_after_ms=-1", "created_after_ms", "1764090000000"),
        ("created_after_ms=1e9", "created_after_ms", "1764090000000"),
        ("created_before_ms=" + "9" * 400, "created_before_ms", "1764093600000"),
        ("created_before_ms=9223372036854775808", "created_before_ms", "1764093600000"),
        ("max_results=0", "max_results", "100"),
        ("max_results=1001", "max_results", "100"),
        ("max_results=many", "max_results", "100"),
        ("page_token=abc", "page_token", ""),
        ("page_token=%00", "page_token", ""),
        ("stauts=FAILED", "stauts", "status"),
        ("status[]=FAILED", "status[]", "status"),
    ],
)
def test_a_wrong_filter_is_named_and_a_right_one_shown(yard: Yard, query: str, named: str, example: str) -> None:
    answer = yard.client.get(f"{JOBS}?{query}")

    document = answer.get_json()
    assert (answer.status_code, document["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert named in document["message"]
    assert example in document["message"]


def test_a_page_token_belongs_to_one_search(yard: Yard) -> None:
    for name in "abc":
        yard.call("POST", "registered-models/create", {"name": name})
        yard.add_job()
    of_jobs = yard.call("GET", JOBS, max_results=1)["next_page_token"]
    of_models = yard.call("GET", "registered-models/search", max_results=1)["next_page_token"]

    for token, query in [(of_models, ""), (of_jobs, "&kind=probe"), (of_jobs[:-2], ""), (of_jobs + "x", "")]:
        answer = yard.client.get(f"{JOBS}?page_token={token}{query}")

        assert answer.status_code == 400
        assert "page_token" in answer.get_json()["message"]


@pytest.mark.parametrize(
    ("job_id", "status"),
    [
        ("1", 404),
        ("999999999999999999", 404),
        ("1000000000000000000", 400),
        ("9223372036854775808", 400),
        ("9" * 4000, 400),
        ("0", 400),
        ("-1", 400),
        ("1.0", 400),
        ("0x1", 400),
        ("abc", 400),
        ("%00", 400),
        ("%D9%A1", 400),
        ("%FF", 400),
    ],
)
def test_a_number_that_is_no_job_s_is_refused_everywhere(yard: Yard, job_id: str, status: int) -> None:
    code = {404: "RESOURCE_DOES_NOT_EXIST", 400: "INVALID_PARAMETER_VALUE"}[status]

    for method, path in [("GET", ""), ("GET", "/log"), ("POST", "/cancel"), ("POST", "/retry")]:
        answer = yard.client.open(f"{JOBS}/{job_id}{path}", method=method)

        document = answer.get_json()
        assert (answer.status_code, document["error_code"]) == (status, code)
        assert len(document["message"]) < 300


def test_a_log_reads_like_a_log(yard: Yard) -> None:
    said = [LogLine("info", "Copying\n2 files."), LogLine("warning", "slow"), LogLine("error", "No.")]
    claim = claim_saying(yard, *said)

    answer = yard.client.get(f"{JOBS}/{claim.job_id}/log")

    lines = answer.get_data(as_text=True).splitlines()
    assert answer.mimetype == "text/plain"
    assert [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", "", line) for line in lines] == [
        "[1] INFO  Copying 2 files.",
        "[1] WARNING slow",
        "[1] ERROR No.",
    ]


def test_a_time_in_a_log_is_the_database_s(yard: Yard) -> None:
    claim = claim_saying(yard, LogLine("info", "now"))
    with transaction(yard.engine) as session:
        session.execute(update(job_log).values(at_ms=1764090000007))

    answer = yard.client.get(f"{JOBS}/{claim.job_id}/log")

    assert answer.get_data(as_text=True) == "2025-11-25T17:00:00.007Z [1] INFO  now\n"


def test_a_log_is_followed_by_its_offset_until_the_job_is_over(yard: Yard) -> None:
    claim = claim_saying(yard, *(LogLine("info", f"line {number}") for number in range(3)))
    seen: list[str] = []
    offset, statuses = "0", []
    for _ in range(4):
        answer = yard.client.get(f"{JOBS}/{claim.job_id}/log?format=jsonl&max_results=2&after={offset}")
        lines = [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]
        seen += [line["line"] for line in lines]
        if lines:
            assert answer.headers["X-Next-Offset"] == str(lines[-1]["offset"])
        offset = answer.headers["X-Next-Offset"]
        statuses.append(answer.headers["X-Job-Status"])
        if len(statuses) == 2:
            yard.runtime.lifecycle.fail(claim, "X", "no", [LogLine("error", "the last one")])

    assert seen == ["line 0", "line 1", "line 2", "the last one"]
    assert statuses == ["RUNNING", "RUNNING", "FAILED", "FAILED"]


def test_a_job_that_said_nothing_has_an_empty_log(yard: Yard) -> None:
    answer = yard.client.get(f"{JOBS}/{yard.add_job()}/log?after=7")

    assert (answer.status_code, answer.data) == (200, b"")
    assert (answer.headers["X-Next-Offset"], answer.headers["X-Job-Status"]) == ("7", "QUEUED")


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=" + "9" * 30, "max_results=0", "max_results=10001", "format=xml", "tail=1"]
)
def test_a_log_is_not_shown_for_a_wrong_wish(yard: Yard, query: str) -> None:
    answer = yard.client.get(f"{JOBS}/{yard.add_job()}/log?{query}")

    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.get_json()["message"]
