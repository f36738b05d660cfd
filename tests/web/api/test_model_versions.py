"""Routes of model versions, as clients see them."""

from collections.abc import Callable
from threading import Thread

import pytest

from tests.waiting import wait_until
from tests.web.yards import Yard


def test_a_version_is_shown_as_the_contract_says(yard: Yard) -> None:
    source = yard.model_folder()

    version = yard.register(source=source, run_id="r", run_link="l", description="d", tags=[{"key": "k", "value": "v"}])

    assert version == {
        "name": "m",
        "version": "1",
        "creation_timestamp": version["creation_timestamp"],
        "last_updated_timestamp": version["creation_timestamp"],
        "user_id": "local",
        "current_stage": "None",
        "description": "d",
        "source": str(source),
        "run_id": "r",
        "run_link": "l",
        "status": "PENDING_REGISTRATION",
        "status_message": "Waiting for a worker",
        "tags": [{"key": "k", "value": "v"}],
    }
    assert yard.version() == version


@pytest.mark.shows("copied")
def test_a_worker_makes_it_ready(yard: Yard) -> None:
    yard.register()

    yard.work()

    assert (yard.version()["status"], yard.version()["status_message"]) == ("READY", "")
    latest = yard.call("GET", "registered-models/get", name="m")["registered_model"]["latest_versions"]
    assert latest == [yard.version()]


def test_a_source_that_cannot_be_copied_fails_with_a_reason(yard: Yard) -> None:
    yard.register(source=yard.folder / "sources" / "nothing")

    yard.work()

    assert yard.version()["status"] == "FAILED_REGISTRATION"
    assert "nothing" in yard.version()["status_message"]


def test_an_answer_is_held_until_a_quick_copy_has_ended(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(create_wait_s=10)
    answers = []
    caller = Thread(target=lambda: answers.append(yard.register()))

    caller.start()
    wait_until(yard.jobs, what="the job")
    yard.work()
    caller.join()

    assert [answer["status"] for answer in answers] == ["READY"]


def test_an_answer_is_not_held_for_ever(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(create_wait_s=0.1)

    assert yard.register()["status"] == "PENDING_REGISTRATION"


@pytest.mark.parametrize(
    "change",
    [
        {"source": ""},
        {"source": None},
        {"source": 3},
        {"source": "/etc"},
        {"source": "relative/path"},
        {"source": "/a/../b"},
        {"source": "s3://bucket/model"},
        {"source": "http://169.254.169.254/"},
        {"source": "models:/none/1"},
        {"source": "runs:/"},
        {"source": "dbfs:/databricks/mlflow/tmp-external-source/none/model"},
        {"source": "a\0b"},
        {"source": "/" + "x" * 2048},
        {"run_id": "r" * 257},
        {"run_id": 7},
        {"run_link": "l" * 2049},
        {"description": "d" * 65_536},
        {"tags": [{"key": "", "value": ""}]},
        {"tags": "k=v"},
    ],
)
def test_a_version_that_breaks_a_rule_is_refused_and_takes_no_number(yard: Yard, change: dict[str, object]) -> None:
    yard.call("POST", "registered-models/create", {"name": "m"})
    body = {"name": "m", "source": str(yard.model_folder()), **change}

    assert yard.refused("POST", "model-versions/create", body) == (400, "INVALID_PARAMETER_VALUE")

    assert yard.jobs() == []
    assert yard.register()["version"] == "1"


def test_a_copy_of_a_version_is_ready_in_the_answer(yard: Yard) -> None:
    yard.ready()

    copy = yard.register("other", source="models:/m/1")

    assert (copy["status"], copy["source"]) == ("READY", "models:/m/1")
    assert len(yard.jobs()) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "dummy-source"},
        {"source": "prompt-template"},
        {"source": "text", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]},
    ],
)
def test_a_prompt_is_ready_and_nothing_is_copied(yard: Yard, fields: dict[str, object]) -> None:
    prompt = yard.register("p", **fields)  # type: ignore[arg-type]

    assert prompt["status"] == "READY"
    assert yard.jobs() == []


def test_registered_by_reference_every_source_is_ready_unread(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(registration="reference")

    version = yard.register(source="s3://bucket/model")

    assert version["status"] == "READY"
    assert yard.call("GET", "model-versions/get-download-uri", name="m", version="1") == {
        "artifact_uri": "s3://bucket/model"
    }


def test_beyond_the_limit_of_pending_versions_clients_are_told_to_come_back(open_yard: Callable[..., Yard]) -> None:
    yard = open_yard(max_pending_versions=1)
    yard.register()

    body = {"name": "m", "source": str(yard.model_folder())}
    answer = yard.send("POST", "model-versions/create", body)

    assert (answer.status_code, answer.get_json()["error_code"]) == (429, "REQUEST_LIMIT_EXCEEDED")
    assert int(answer.headers["Retry-After"]) > 0
    yard.work()
    assert yard.register()["version"] == "2"


@pytest.mark.shows("any-case")
def test_a_stage_is_taken_in_any_letter_case_and_others_step_aside(yard: Yard) -> None:
    yard.ready(stage="Production")
    yard.ready()

    body = {"name": "m", "version": "2", "stage": "pRODUCTION", "archive_existing_versions": True}
    moved = yard.call("POST", "model-versions/transition-stage", body)["model_version"]

    assert (moved["version"], moved["current_stage"]) == ("2", "Production")
    assert yard.version(number="1")["current_stage"] == "Archived"
    assert yard.version(number="1")["last_updated_timestamp"] == moved["last_updated_timestamp"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"stage": "Prod"}, 400, "INVALID_PARAMETER_VALUE"),
        ({"stage": ""}, 400, "INVALID_PARAMETER_VALUE"),
        ({"stage": "Archived", "archive_existing_versions": True}, 400, "INVALID_PARAMETER_VALUE"),
        ({"archive_existing_versions": "yes"}, 400, "INVALID_PARAMETER_VALUE"),
        ({"version": "x"}, 400, "INVALID_PARAMETER_VALUE"),
        ({"version": 1}, 400, "INVALID_PARAMETER_VALUE"),
        ({"version": "9"}, 404, "RESOURCE_DOES_NOT_EXIST"),
        ({"version": "2"}, 400, "INVALID_STATE"),
    ],
)
def test_a_transition_that_breaks_a_rule_is_refused(
    yard: Yard, change: dict[str, object], status: int, code: str
) -> None:
    yard.ready()
    yard.register()
    body = {"name": "m", "version": "1", "stage": "Production", **change}

    assert yard.refused("POST", "model-versions/transition-stage", body) == (status, code)

    assert yard.version()["current_stage"] == "None"


@pytest.mark.shows("annotate")
def test_a_description_is_replaced_and_cleared(yard: Yard) -> None:
    yard.register(description="d")

    changed = yard.call("PATCH", "model-versions/update", {"name": "m", "version": "1", "description": "new"})
    cleared = yard.call("PATCH", "model-versions/update", {"name": "m", "version": "1"})

    assert changed["model_version"]["description"] == "new"
    assert cleared["model_version"]["description"] == ""


def test_a_version_is_deleted_once_and_its_number_stays_taken(yard: Yard) -> None:
    yard.ready()

    assert yard.call("DELETE", "model-versions/delete", name="m", version="1") == {}

    assert yard.refused("DELETE", "model-versions/delete", {"name": "m", "version": "1"}) == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
    )
    assert yard.register()["version"] == "2"


@pytest.mark.shows("delete-unused")
def test_a_version_is_not_deleted_in_use_nor_while_it_is_registered(yard: Yard) -> None:
    yard.ready(stage="Staging")
    yard.register()

    for number in ("1", "2"):
        refusal = yard.refused("DELETE", "model-versions/delete", {"name": "m", "version": number})
        assert refusal == (400, "INVALID_STATE")


def test_versions_are_searched_without_a_limit(yard: Yard) -> None:
    for _ in range(3):
        yard.register("a")
    yard.register("b")

    def found(**query: str) -> list[str]:
        versions = yard.call("GET", "model-versions/search", **query)["model_versions"]
        return [version["name"] + version["version"] for version in versions]

    assert sorted(found()) == ["a1", "a2", "a3", "b1"]
    assert found(filter="name='a'", order_by="version_number ASC") == ["a1", "a2", "a3"]
    assert found(filter="name='a'", max_results="200000", order_by="version DESC") == ["a3", "a2", "a1"]


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "version_number > 1.5"},
        {"filter": "source_path IN ('a')"},
        {"filter": "status = 'READY'"},
        {"max_results": "200001"},
        {"order_by": "status"},
    ],
)
def test_a_search_of_versions_that_breaks_a_rule_is_refused(yard: Yard, query: dict[str, str]) -> None:
    assert yard.refused("GET", "model-versions/search", **query) == (400, "INVALID_PARAMETER_VALUE")


def test_a_repeated_create_answers_the_same_version_as_it_is_now(yard: Yard) -> None:
    yard.call("POST", "registered-models/create", {"name": "m"})
    body = {"name": "m", "source": str(yard.model_folder())}
    key = {"Idempotency-Key": "k1"}

    first = yard.send("POST", "model-versions/create", body, headers=key).get_json()["model_version"]
    yard.work()
    second = yard.send("POST", "model-versions/create", dict(reversed(body.items())), headers=key).get_json()
    third = yard.send("POST", "model-versions/create", body).get_json()["model_version"]

    assert (first["version"], first["status"]) == ("1", "PENDING_REGISTRATION")
    assert (second["model_version"]["version"], second["model_version"]["status"]) == ("1", "READY")
    assert third["version"] == "2"


def test_a_key_is_for_one_request_on_one_route(yard: Yard) -> None:
    key = {"Idempotency-Key": "k1"}
    yard.send("POST", "registered-models/create", {"name": "m"}, headers=key)

    again = yard.send("POST", "registered-models/create", {"name": "m"}, headers=key)
    other_body = yard.send("POST", "registered-models/create", {"name": "n"}, headers=key)
    other_route = yard.send("POST", "model-versions/create", {"name": "m", "source": "dummy-source"}, headers=key)
    bad_key = yard.send("POST", "registered-models/create", {"name": "n"}, headers={"Idempotency-Key": "k" * 300})

    assert again.get_json()["registered_model"]["name"] == "m"
    assert (other_body.status_code, other_route.status_code, bad_key.status_code) == (400, 400, 400)


def test_what_a_key_made_and_somebody_deleted_is_not_found(yard: Yard) -> None:
    key = {"Idempotency-Key": "k1"}
    yard.send("POST", "registered-models/create", {"name": "m"}, headers=key)
    yard.call("DELETE", "registered-models/delete", {"name": "m"})

    again = yard.send("POST", "registered-models/create", {"name": "m"}, headers=key)

    assert again.status_code == 404
