"""Routes of registered models, as clients see them."""

import pytest

from tests.web.yards import Yard


def test_a_model_is_shown_as_the_contract_says(yard: Yard) -> None:
    tags = [{"key": "b", "value": "1"}, {"key": "a", "value": ""}]

    shown = yard.call("POST", "registered-models/create", {"name": "m", "description": "d", "tags": tags})

    model = shown["registered_model"]
    assert isinstance(model["creation_timestamp"], int)
    assert model == {
        "name": "m",
        "creation_timestamp": model["creation_timestamp"],
        "last_updated_timestamp": model["creation_timestamp"],
        "user_id": "local",
        "description": "d",
        "tags": tags,
    }
    assert yard.call("GET", "registered-models/get", name="m") == shown


@pytest.mark.parametrize("prefix", ["/api/2.0/mlflow", "/api/2.0/preview/mlflow", "/ajax-api/2.0/mlflow"])
def test_every_prefix_leads_to_the_same_models(yard: Yard, prefix: str) -> None:
    yard.call("POST", "registered-models/create", {"name": "m"})

    assert yard.call("GET", f"{prefix}/registered-models/get", name="m")["registered_model"]["name"] == "m"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "taken"}, 400, "RESOURCE_ALREADY_EXISTS"),
        ({}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": None}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": ""}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": 3}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": ["m"]}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": True}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "a/b"}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "m\0"}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "m" * 257}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "m", "description": 1}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "m", "description": "ä" * 40_000}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "m", "tags": {"a": "b"}}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "m", "tags": ["a"]}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "m", "tags": [{"key": "a", "value": 3}]}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "m", "tags": [{"value": "v"}]}, 400, "INVALID_PARAMETER_VALUE"),
        ({"name": "m", "tags": [{"key": "a=b", "value": "v"}]}, 400, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_a_create_that_breaks_a_rule_stores_nothing(
    yard: Yard, body: dict[str, object], status: int, code: str
) -> None:
    yard.call("POST", "registered-models/create", {"name": "taken"})

    assert yard.refused("POST", "registered-models/create", body) == (status, code)

    assert [model["name"] for model in yard.call("GET", "registered-models/list")["registered_models"]] == ["taken"]


def test_nulls_and_unknown_fields_count_as_absent(yard: Yard) -> None:
    body = {"name": "m", "description": None, "tags": [{"key": "a", "value": None, "x": 1}], "deployment_job_id": 3}

    model = yard.call("POST", "registered-models/create", body)["registered_model"]

    assert (model["description"], model["tags"]) == ("", [{"key": "a", "value": ""}])


@pytest.mark.parametrize("name", ["two words", "100%", "a?b#c&d=e", "ü", "a+b"])
def test_names_survive_the_query(yard: Yard, name: str) -> None:
    yard.call("POST", "registered-models/create", {"name": name})

    assert yard.call("GET", "registered-models/get", name=name)["registered_model"]["name"] == name


def test_an_update_without_a_description_clears_it(yard: Yard) -> None:
    yard.call("POST", "registered-models/create", {"name": "m", "description": "d"})

    changed = yard.call("PATCH", "registered-models/update", {"name": "m", "description": "new"})
    cleared = yard.call("PATCH", "registered-models/update", {"name": "m"})

    assert changed["registered_model"]["description"] == "new"
    assert cleared["registered_model"]["description"] == ""


def test_delete_takes_its_arguments_from_body_or_query(yard: Yard) -> None:
    for name in ("a", "b c"):
        yard.call("POST", "registered-models/create", {"name": name})

    assert yard.call("DELETE", "registered-models/delete", {"name": "a"}) == {}
    assert yard.call("DELETE", "registered-models/delete", name="b c") == {}

    assert yard.call("GET", "registered-models/list") == {}


def test_a_renamed_model_is_shown_under_its_new_name_only(yard: Yard) -> None:
    yard.ready()

    renamed = yard.call("POST", "registered-models/rename", {"name": "m", "new_name": "n"})["registered_model"]

    assert (renamed["name"], renamed["latest_versions"][0]["name"]) == ("n", "n")
    assert yard.version("n")["name"] == "n"
    assert yard.refused("GET", "registered-models/get", name="m") == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.shows("move-first")
@pytest.mark.parametrize("stage", ["Staging", "production"])
def test_a_model_in_use_is_deleted_only_after_its_versions_have_moved(yard: Yard, stage: str) -> None:
    yard.ready(stage=stage)

    assert yard.refused("DELETE", "registered-models/delete", {"name": "m"}) == (400, "INVALID_STATE")

    yard.call("POST", "model-versions/transition-stage", {"name": "m", "version": "1", "stage": "Archived"})
    yard.call("DELETE", "registered-models/delete", {"name": "m"})
    assert yard.refused("GET", "registered-models/get", name="m") == (404, "RESOURCE_DOES_NOT_EXIST")


def test_latest_versions_are_asked_by_body_and_by_query(yard: Yard) -> None:
    yard.ready(stage="Production")
    yard.ready()
    yard.register()

    every = yard.call("POST", "registered-models/get-latest-versions", {"name": "m"})
    some = yard.call("GET", "registered-models/get-latest-versions?name=m&stages=archived&stages=staging")

    assert [version["version"] for version in every["model_versions"]] == ["1", "2"]
    assert some == {}
    assert yard.refused("POST", "registered-models/get-latest-versions", {"name": "m", "stages": ["x"]}) == (
        400,
        "INVALID_PARAMETER_VALUE",
    )


def test_stages_may_be_repeated_in_the_query(yard: Yard) -> None:
    yard.ready(stage="Production")
    yard.ready()

    answer = yard.send("GET", "registered-models/get-latest-versions?name=m&stages=None&stages=Production").get_json()

    assert [version["current_stage"] for version in answer["model_versions"]] == ["Production", "None"]


def test_models_are_searched_page_by_page(yard: Yard) -> None:
    for number in range(5):
        yard.call("POST", "registered-models/create", {"name": f"m{number}"})
    query = {"filter": "name LIKE 'm%'", "max_results": "2", "order_by": "name DESC"}

    first = yard.call("GET", "registered-models/search", **query)
    second = yard.call("GET", "registered-models/search", page_token=first["next_page_token"], **query)
    third = yard.call("GET", "registered-models/search", page_token=second["next_page_token"], **query)

    pages = [[model["name"] for model in page["registered_models"]] for page in (first, second, third)]
    assert pages == [["m4", "m3"], ["m2", "m1"], ["m0"]]
    assert "next_page_token" not in third


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "name = m"},
        {"filter": "tags.a = b"},
        {"filter": "tags.mlflow.prompt.is_prompt = 'x'"},
        {"filter": "description = 'x'"},
        {"max_results": "0"},
        {"max_results": "-1"},
        {"max_results": "1001"},
        {"max_results": "9" * 40},
        {"max_results": "1.5"},
        {"max_results": "many"},
        {"order_by": "stage"},
        {"page_token": "garbage"},
        {"page_token": "eyJvZmZzZXQiOiAyfQ=="},
        {"filter": "name = 'a\0'"},
    ],
)
def test_a_search_that_breaks_a_rule_is_refused(yard: Yard, query: dict[str, str]) -> None:
    assert yard.refused("GET", "registered-models/search", **query) == (400, "INVALID_PARAMETER_VALUE")


def test_a_page_token_is_of_no_use_to_another_search(yard: Yard) -> None:
    for name in ("a", "b"):
        yard.call("POST", "registered-models/create", {"name": name})
    token = yard.call("GET", "registered-models/search", max_results="1")["next_page_token"]

    assert yard.refused("GET", "registered-models/search", filter="name LIKE 'b'", page_token=token) == (
        400,
        "INVALID_PARAMETER_VALUE",
    )


def test_prompts_are_listed_but_found_only_when_asked_for(yard: Yard) -> None:
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    yard.call("POST", "registered-models/create", {"name": "m"})
    yard.call("POST", "registered-models/create", {"name": "p", "tags": prompt})

    def names(route: str, **query: str) -> list[str]:
        return [model["name"] for model in yard.call("GET", route, **query)["registered_models"]]

    assert names("registered-models/list") == ["m", "p"]
    assert names("registered-models/search") == ["m"]
    assert names("registered-models/search", filter="tag.`mlflow.prompt.is_prompt` = 'true'") == ["p"]
