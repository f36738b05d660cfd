"""Routes of tags, as clients see them."""

from typing import Any

import pytest

from tests.web.yards import Yard

MODEL: dict[str, Any] = {"name": "m"}
VERSION: dict[str, Any] = {"name": "m", "version": "1"}
NOUNS = [("registered-models", MODEL), ("model-versions", VERSION)]


def tags(yard: Yard, noun: str, owner: dict[str, Any]) -> list[tuple[str, str]]:
    (shown,) = yard.call("GET", f"{noun}/get", **owner).values()
    return [(tag["key"], tag["value"]) for tag in shown.get("tags", [])]


@pytest.mark.parametrize(("noun", "owner"), NOUNS)
def test_a_tag_is_set_and_set_again_and_deleted(yard: Yard, noun: str, owner: dict[str, Any]) -> None:
    yard.register()

    for key, value in (("a", "1"), ("b", ""), ("a", "2")):
        assert yard.call("POST", f"{noun}/set-tag", {**owner, "key": key, "value": value}) == {}
    seen = tags(yard, noun, owner)
    assert yard.call("DELETE", f"{noun}/delete-tag", {**owner, "key": "a"}) == {}
    assert yard.call("DELETE", f"{noun}/delete-tag", **owner, key="never") == {}

    assert seen == [("a", "2"), ("b", "")]
    assert tags(yard, noun, owner) == [("b", "")]


@pytest.mark.parametrize(("noun", "owner"), NOUNS)
def test_a_tag_without_a_value_has_an_empty_one(yard: Yard, noun: str, owner: dict[str, Any]) -> None:
    yard.register()

    yard.call("POST", f"{noun}/set-tag", {**owner, "key": "a"})

    assert tags(yard, noun, owner) == [("a", "")]


@pytest.mark.parametrize("key", ["team", "a b", "a/b", "a.b-c_d:e", "ключ", "x" * 250])
def test_keys_of_every_spelling_come_back_as_they_were_given(yard: Yard, key: str) -> None:
    yard.register()

    yard.call("POST", "model-versions/set-tag", {**VERSION, "key": key, "value": 'quote " \\ ü \u2028 \x7f\n'})

    assert tags(yard, "model-versions", VERSION) == [(key, 'quote " \\ ü \u2028 \x7f\n')]
    found = yard.call("GET", "model-versions/search", filter=f"tags.`{key}` LIKE 'quote%'")
    assert len(found["model_versions"]) == 1
