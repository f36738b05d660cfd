"""Routes of aliases, as clients see them."""

import pytest

from tests.web.yards import Yard

ALIAS = "registered-models/alias"


def test_an_alias_is_set_read_moved_and_deleted(yard: Yard) -> None:
    yard.ready()
    yard.ready()

    assert yard.call("POST", ALIAS, {"name": "m", "alias": "champion", "version": "1"}) == {}
    first = yard.call("GET", ALIAS, name="m", alias="champion")["model_version"]
    yard.call("POST", ALIAS, {"name": "m", "alias": "champion", "version": "2"})
    second = yard.call("GET", ALIAS, name="m", alias="champion")["model_version"]
    assert yard.call("DELETE", ALIAS, {"name": "m", "alias": "champion"}) == {}
    assert yard.call("DELETE", ALIAS, name="m", alias="champion") == {}

    assert (first["version"], first["aliases"]) == ("1", ["champion"])
    assert (second["version"], second["aliases"]) == ("2", ["champion"])
    assert yard.refused("GET", ALIAS, name="m", alias="champion") == (400, "INVALID_PARAMETER_VALUE")


def test_aliases_are_shown_where_the_contract_says(yard: Yard) -> None:
    yard.ready()
    yard.call("POST", ALIAS, {"name": "m", "alias": "a", "version": "1"})
    named = {"name": "m", "version": "1"}

    model = yard.call("GET", "registered-models/get", name="m")["registered_model"]
    updated = yard.call("PATCH", "model-versions/update", named)["model_version"]
    moved = yard.call("POST", "model-versions/transition-stage", {**named, "stage": "Staging"})["model_version"]
    (latest,) = yard.call("POST", "registered-models/get-latest-versions", {"name": "m"})["model_versions"]
    (found,) = yard.call("GET", "model-versions/search")["model_versions"]

    assert model["aliases"] == [{"alias": "a", "version": "1"}]
    assert [shown["aliases"] for shown in (yard.version(), updated, moved, latest)] == [["a"]] * 4
    assert "aliases" not in found
    assert "aliases" not in model["latest_versions"][0]


@pytest.mark.parametrize("alias", ["latest", "LaTeSt"])
def test_latest_is_the_newest_ready_version(yard: Yard, alias: str) -> None:
    yard.ready()
    yard.ready(stage="Production")
    yard.register()

    assert yard.call("GET", ALIAS, name="m", alias=alias)["model_version"]["version"] == "2"


def test_a_version_is_registered_from_an_alias(yard: Yard) -> None:
    yard.ready()
    yard.call("POST", ALIAS, {"name": "m", "alias": "champion", "version": "1"})

    copy = yard.register("other", source="models:/m@champion")

    assert (copy["status"], copy["source"]) == ("READY", "models:/m/1")
