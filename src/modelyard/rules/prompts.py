"""Prompts: registered models that hold a text in their tags and no files. No I/O.

Source: contracts/mlflow.md 4.2.
"""

from collections.abc import Iterable, Mapping

from modelyard.errors import InvalidValue
from modelyard.rules.filters import Comparison, Operator, OptionalTag, Tag

PROMPT_TAG = "mlflow.prompt.is_prompt"
PROMPT_SOURCES = frozenset({"dummy-source", "prompt-template"})


def is_prompt_version(source: str, tags: Mapping[str, str]) -> bool:
    """Whether a version is a prompt's, so that there is nothing to copy."""
    return source in PROMPT_SOURCES or has_prompt_tag(tags)


def has_prompt_tag(tags: Mapping[str, str]) -> bool:
    """Whether the tags of a model or version say that it is a prompt's."""
    return tags.get(PROMPT_TAG) == "true"


def with_prompt_rule(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Return what a search with these comparisons looks for: everything but prompts, unless it asks for prompts.

    Models do not carry the tag at all, so that its absence counts as "no prompt", unlike that of other tags.
    Raises InvalidValue for other comparisons with the tag than = and != with 'true' and 'false'.
    """
    given = list(comparisons)
    asked = [comparison for comparison in given if comparison.subject == Tag(PROMPT_TAG)]
    others = [comparison for comparison in given if comparison.subject != Tag(PROMPT_TAG)]
    return others + ([_prompts_or_none(comparison) for comparison in asked] or [_NO_PROMPTS])


def name_taken(name: str, *, by_prompt: bool, for_prompt: bool) -> str:
    """Return why a model or prompt cannot be created under a living one's name, in MLflow's words."""
    living = "Prompt" if by_prompt else "Registered Model"
    wanted = "Prompt" if for_prompt else "Registered Model"
    if living == wanted:
        return f"{wanted} (name={name}) already exists."
    return (
        f"Tried to create a {wanted.lower()} with name {name!r}, but the name is already taken by a {living.lower()}. "
        "MLflow does not allow creating a model and a prompt with the same name."
    )


_PROMPTS_ONLY = Comparison(Tag(PROMPT_TAG), Operator.EQUAL, "true")
_NO_PROMPTS = Comparison(OptionalTag(PROMPT_TAG), Operator.UNEQUAL, "true")


def _prompts_or_none(comparison: Comparison) -> Comparison:
    word = str(comparison.value).lower()
    if comparison.operator not in (Operator.EQUAL, Operator.UNEQUAL) or word not in ("true", "false"):
        raise InvalidValue(f"The tag {PROMPT_TAG} can be compared by = and != with 'true' and 'false' only.")
    wants_prompts = (comparison.operator is Operator.EQUAL) == (word == "true")
    return _PROMPTS_ONLY if wants_prompts else _NO_PROMPTS
