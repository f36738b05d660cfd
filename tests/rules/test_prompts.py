"""What makes a version a prompt's."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.filters import Attribute, Comparison, Operator, OptionalTag, Tag
from modelyard.rules.prompts import PROMPT_TAG, is_prompt_version, name_taken, with_prompt_rule


@pytest.mark.parametrize(
    ("source", "tags", "is_prompt"),
    [
        ("dummy-source", {}, True),
        ("prompt-template", {}, True),
        ("/data/m", {"mlflow.prompt.is_prompt": "true"}, True),
        ("/data/m", {"mlflow.prompt.is_prompt": "false"}, False),
        ("/data/dummy-source", {}, False),
        ("/data/m", {"mlflow.prompt.text": "Hello"}, False),
    ],
)
def test_a_prompt_is_known_by_its_tag_or_its_source(source: str, tags: dict[str, str], is_prompt: bool) -> None:
    assert is_prompt_version(source, tags) is is_prompt


NAMED = Comparison(Attribute("name"), Operator.EQUAL, "m")
NO_PROMPTS = Comparison(OptionalTag(PROMPT_TAG), Operator.UNEQUAL, "true")
PROMPTS_ONLY = Comparison(Tag(PROMPT_TAG), Operator.EQUAL, "true")


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        (Operator.EQUAL, "true", PROMPTS_ONLY),
        (Operator.EQUAL, "True", PROMPTS_ONLY),
        (Operator.UNEQUAL, "false", PROMPTS_ONLY),
        (Operator.UNEQUAL, "true", NO_PROMPTS),
        (Operator.EQUAL, "false", NO_PROMPTS),
    ],
)
def test_a_comparison_with_the_prompt_tag_asks_for_prompts_or_for_the_rest(
    operator: Operator, value: str, found: Comparison
) -> None:
    assert with_prompt_rule([Comparison(Tag(PROMPT_TAG), operator, value), NAMED]) == [NAMED, found]


def test_a_search_that_does_not_ask_for_prompts_leaves_them_out() -> None:
    assert with_prompt_rule([]) == [NO_PROMPTS]
    assert with_prompt_rule([NAMED]) == [NAMED, NO_PROMPTS]


@pytest.mark.parametrize(
    ("operator", "value"), [(Operator.LIKE, "true"), (Operator.ILIKE, "t%"), (Operator.EQUAL, "yes")]
)
def test_the_prompt_tag_is_compared_with_true_and_false_alone(operator: Operator, value: str) -> None:
    with pytest.raises(InvalidValue, match="'true' and 'false' only"):
        with_prompt_rule([Comparison(Tag(PROMPT_TAG), operator, value)])


@pytest.mark.parametrize(
    ("by_prompt", "for_prompt", "text"),
    [
        (False, False, "Registered Model (name=m) already exists."),
        (True, True, "Prompt (name=m) already exists."),
        (True, False, "Tried to create a registered model with name 'm', but the name is already taken by a prompt."),
        (False, True, "Tried to create a prompt with name 'm', but the name is already taken by a registered model."),
    ],
)
def test_a_taken_name_is_refused_in_mlflows_words(by_prompt: bool, for_prompt: bool, text: str) -> None:
    assert name_taken("m", by_prompt=by_prompt, for_prompt=for_prompt).startswith(text)
