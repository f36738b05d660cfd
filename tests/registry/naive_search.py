"""Searches without a database: every row is looked at, as the words of the grammar say. What SQL must agree with."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelyard.rules.filters import Attribute, Comparison, Operator, Tag
from modelyard.rules.ordering import OrderKey

PROMPT = Tag("mlflow.prompt.is_prompt")


@dataclass(frozen=True)
class Thing:
    """A model or a version: what it is called in a test, its attributes, its keys of the order, its tags."""

    label: str
    attributes: dict[str, Any]
    keys: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)


def find(things: Iterable[Thing], comparisons: Sequence[Comparison], order: Sequence[OrderKey]) -> list[str]:
    """Return the labels of what all comparisons hold for, in order."""
    found = [thing for thing in things if matches(thing, comparisons)]
    # Sorted by the last key first: Python keeps the order of equals.
    for key in reversed(order):
        found.sort(key=lambda thing: thing.keys[key.name], reverse=key.descending)
    return [thing.label for thing in found]


def matches(thing: Thing, comparisons: Sequence[Comparison]) -> bool:
    """Whether all comparisons hold, and prompts are wanted where `thing` is one."""
    asks_for_prompts = any(comparison.subject == PROMPT for comparison in comparisons)
    if not asks_for_prompts and is_prompt(thing):
        return False
    return all(holds(thing, comparison) for comparison in comparisons)


def holds(thing: Thing, comparison: Comparison) -> bool:
    """Whether one comparison holds."""
    if comparison.subject == PROMPT:
        wanted = (comparison.operator is Operator.EQUAL) == (comparison.value == "true")
        return is_prompt(thing) is wanted
    if isinstance(comparison.subject, Attribute):
        return compare(thing.attributes[comparison.subject.name], comparison.operator, comparison.value)
    found = thing.tags.get(comparison.subject.key)
    return found is not None and compare(found, comparison.operator, comparison.value)


def compare(found: Any, operator: Operator, value: Any) -> bool:
    """Whether `found operator value`."""
    return {
        Operator.EQUAL: lambda: found == value,
        Operator.UNEQUAL: lambda: found != value,
        Operator.LIKE: lambda: like(found, value),
        Operator.ILIKE: lambda: like(ascii_lower(found), ascii_lower(value)),
        Operator.IN: lambda: found in value,
        Operator.NOT_IN: lambda: found not in value,
        Operator.LESS: lambda: found < value,
        Operator.LESS_EQUAL: lambda: found <= value,
        Operator.GREATER: lambda: found > value,
        Operator.GREATER_EQUAL: lambda: found >= value,
    }[operator]()


def like(text: str, pattern: str) -> bool:
    """Whether `text` matches the whole of `pattern`, in which only `%` and `_` mean something."""
    wildcards = {"%": ".*", "_": "."}
    expression = "".join(wildcards.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def ascii_lower(text: str) -> str:
    """Return `text` with the letters A to Z made small, and no others."""
    return "".join(character.lower() if character.isascii() else character for character in text)


def is_prompt(thing: Thing) -> bool:
    """Whether the tag says so; without it nothing is a prompt."""
    return thing.tags.get(PROMPT.key) == "true"
