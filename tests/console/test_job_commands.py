"""`modelyard job` against a server, on both databases: what is printed, and how it exits."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.console.served import ServedYard
from tests.waiting import wait_until

SOURCE_WITHOUT_MODEL = "Name the folder that holds the MLmodel file"


@contextmanager
def at_work(served: ServedYard) -> Iterator[None]:
    """Let the worker do what waits, beside the command that looks on."""
    worker = threading.Thread(target=served.yard.work)
    worker.start()
    yield
    worker.join()


@pytest.fixture
def job_id(served: ServedYard) -> str:
    """A registration that waits."""
    served.yard.register("fraud")
    (job,) = served.yard.jobs()
    return str(job.id)


@pytest.fixture
def failed_id(served: ServedYard) -> str:
    """A registration that FAILED: its source held no model, and holds one now."""
    folder = served.yard.folder / "sources" / "empty"
    folder.mkdir()
    (folder / "notes.txt").write_text("?")
    served.yard.register("fraud", source=folder)
    served.yard.work()
    (folder / "MLmodel").write_text("flavors: {}\n")
    return str(served.yard.jobs()[-1].id)


def test_jobs_are_listed_newest_first(served, job_id):
    served.yard.register("spam")

    said = served.run("job", "list")

    heading, first, second = said.out.splitlines()
    assert heading.split()[:4] == ["ID", "KIND", "MODEL", "STATUS"]
    assert "spam/1" in first
    assert "fraud/1  QUEUED" in second
    assert (said.status, said.err) == (0, "")


def test_jobs_are_told_apart_by_every_filter(served, failed_id):
    served.yard.register("fraud")
    filters = ["--status", "failed", "--kind", "register_version", "--queue", "copy", "--model", "fraud"]
    filters += ["--version", "1", "--actor", "local", "--created-after", "1h", "--created-before", "2999-01-01"]

    (row,) = served.run("job", "list", *filters).out.splitlines()[1:]

    assert row.split()[0] == failed_id
    assert served.run("job", "list", *filters, "--actor", "nobody").out == "No jobs.\n"


def test_all_pages_are_read_with_all_and_one_without(served, job_id):
    for _ in range(4):
        served.yard.register("fraud")

    one_page = served.run("job", "list", "--max-results", "2")
    everything = served.run("job", "list", "--max-results", "2", "--all", "--json")

    assert len(one_page.out.splitlines()) == 3
    token = one_page.err.split("--page-token ")[1].split()[0]
    assert len(served.run("job", "list", "--max-results", "2", "--page-token", token).out.splitlines()) == 3
    assert [job["id"] for job in json.loads(everything.out)["jobs"]] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["list"], "/api/v1/jobs?max_results=50"),
        (["show", "1"], "/api/v1/jobs/1"),
        (["log", "1"], "/api/v1/jobs/1/log?format=jsonl"),
        (["wait", "1"], "/api/v1/jobs/1"),
        (["watch", "1"], "/api/v1/jobs/1"),
    ],
)
def test_json_is_the_servers_answer_as_it_came(served, failed_id, words, path):
    said = served.run("job", *words, "--json")

    assert said.out.rstrip("\n") == served.yard.send("GET", path).get_data(as_text=True).rstrip("\n")


def test_a_job_is_shown_with_its_attempts(served, failed_id):
    told = served.run("job", "show", failed_id).out

    assert "status           FAILED" in told
    assert SOURCE_WITHOUT_MODEL in " ".join(told.split())
    assert "OUTCOME" in told


def test_the_log_is_a_line_each_with_the_attempt(served, failed_id):
    step, begun, failed = served.run("job", "log", failed_id).out.splitlines()

    assert "[1] STEP  Opening the source" in step
    assert "[1] INFO  Attempt 1 copies" in begun
    assert "[1] ERROR" in failed
    offset = json.loads(served.run("job", "log", failed_id, "--json").out.splitlines()[1])["offset"]
    assert served.run("job", "log", failed_id, "--after", str(offset)).out.splitlines() == [failed]


def test_a_log_is_followed_until_the_job_is_over(served, job_id):
    with at_work(served):
        told = served.run("job", "log", job_id, "--follow").out.splitlines()

    assert "Opening the source" in told[0]
    assert "Attempt 1 copies" in told[1]
    assert "Stored 1 files" in told[-1]


def test_a_waiting_job_is_cancelled_at_once(served, job_id):
    said = served.run("job", "cancel", job_id)

    assert (said.status, said.out) == (0, f"Job {job_id} is CANCELLED.\n")
    assert served.yard.version("fraud")["status_message"] == "Cancelled by local."


def test_a_running_job_is_asked_to_stop(served, job_id):
    served.yard.claim(int(job_id))

    said = served.run("job", "cancel", job_id)

    assert said.out.startswith(f"Job {job_id} is RUNNING. Its worker was asked to stop")


def test_a_failed_job_is_tried_again(served, failed_id):
    assert served.run("job", "retry", failed_id).out == f"Job {failed_id} is QUEUED again.\n"

    served.yard.work()

    assert served.yard.version("fraud")["status"] == "READY"


def test_every_failed_job_that_is_meant_is_tried_again(served, failed_id):
    said = served.run("job", "retry", "--failed", "--kind", "register_version", "--model", "fraud")

    assert (said.status, said.out) == (0, "Jobs that are QUEUED again: 1.\n")
    assert served.run("job", "retry", "--failed", "--model", "spam").out == "Jobs that are QUEUED again: 0.\n"


def test_jobs_that_cannot_be_tried_again_are_told_with_status_1(served, failed_id):
    served.yard.call("DELETE", "model-versions/delete", {"name": "fraud", "version": "1"})

    said = served.run("job", "retry", "--failed")

    assert said.status == 1
    assert f"Job {failed_id} stays FAILED: The version of this job was deleted" in said.out


@pytest.mark.parametrize("words", [["retry"], ["retry", "1", "--failed"], ["retry", "1", "--model", "fraud"]])
def test_a_retry_says_which_jobs_it_means(served, words):
    said = served.run("job", *words)

    assert said.status == 2
    assert "Say which: a job's number, or --failed" in said.err


def test_waiting_ends_with_0_when_the_job_succeeded(served, job_id):
    with at_work(served):
        said = served.run("job", "wait", job_id)

    assert (said.status, said.out) == (0, f"Job {job_id} SUCCEEDED\n")


def test_waiting_ends_with_1_and_the_reason_when_the_job_failed(served, failed_id):
    said = served.run("job", "wait", failed_id)

    assert said.status == 1
    assert said.out.startswith(f"Job {failed_id} FAILED: ")
    assert SOURCE_WITHOUT_MODEL in said.out


def test_waiting_ends_with_1_when_the_job_was_cancelled(served, job_id):
    served.run("job", "cancel", job_id)

    said = served.run("job", "wait", job_id)

    assert (said.status, said.out) == (1, f"Job {job_id} CANCELLED: Cancelled by local.\n")


def test_waiting_ends_with_3_when_the_time_is_over(served, job_id):
    said = served.run("job", "wait", job_id, "--timeout-s", "0.3")

    assert (said.status, said.out) == (3, f"Job {job_id} is QUEUED after 0.3 s: Waiting for a worker\n")


def test_watching_without_a_terminal_prints_the_log_and_the_outcome(served, job_id):
    with at_work(served):
        said = served.run("job", "watch", job_id)

    assert said.status == 0
    assert "Attempt 1 copies" in said.out
    assert said.out.splitlines()[-1] == f"Job {job_id} SUCCEEDED"


def test_waiting_goes_on_through_a_restart_of_the_server(served, job_id):
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(served.run("job", "wait", job_id)))
    waiter.start()
    wait_until(lambda: served.requests > 1, what="the second look")
    served.stop()
    served.hang_up()
    served.yard.work()
    served.start()
    waiter.join()

    (said,) = answers
    assert (said.status, said.out) == (0, f"Job {job_id} SUCCEEDED\n")
    told = said.err.splitlines()
    assert told[0].startswith(f"modelyard: The server {served.url} does not answer: ")
    assert told[1:] == ["modelyard: the server answers again."]


@pytest.mark.parametrize("words", [["show", "99"], ["log", "99"], ["cancel", "99"], ["wait", "99"], ["watch", "99"]])
def test_a_job_that_is_not_there_is_one_line_and_status_2(served, words):
    said = served.run("job", *words)

    assert (said.status, said.out) == (2, "")
    assert said.err == "modelyard: Job 99 not found. Jobs that ended long ago are removed.\n"


def test_a_filter_that_the_server_refuses_is_one_line_and_status_2(served):
    said = served.run("job", "list", "--status", "DONE")

    assert said.status == 2
    assert "status" in said.err
    assert "FAILED" in said.err


def test_a_server_that_was_never_there_is_not_waited_for(served):
    served.stop()

    said = served.run("job", "wait", "1")

    assert said.status == 2
    assert said.err.endswith("Start it, or set MODELYARD_URL.\n")
