"""Prompts: registered models that hold a text in their tags and no files. No I/O.

Source: contracts/mlflow.md 4.2.
"""

from collections.abc import Mapping

PROMPT_TAG = "mlflow.prompt.is_prompt"
PROMPT_SOURCES = frozenset({"dummy-source", "prompt-template"})


def is_prompt_version(source: str, tags: Mapping[str, str]) -> bool:
    """Whether a version is a prompt's, so that there is nothing to copy."""
    return source in PROMPT_SOURCES or tags.get(PROMPT_TAG) == "true"
