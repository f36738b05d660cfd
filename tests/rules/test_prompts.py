"""What makes a version a prompt's."""

import pytest

from modelyard.rules.prompts import is_prompt_version


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
