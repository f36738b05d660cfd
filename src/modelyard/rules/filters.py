"""The grammar of search filters: a text such as `name LIKE 'a%' AND tags.team = 'x'` -> comparisons. No I/O.

Source: MLflow 3.17.2 as measured (contracts/mlflow.md 2.3): comparisons joined by AND, which may be left out;
string values in quotes; neither OR nor NOT nor parentheses around conditions.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from modelyard.errors import InvalidValue
from modelyard.rules.tags import MAX_KEY_CHARACTERS
from modelyard.rules.texts import check_length, check_storable

# Far above what people write, far below what a database refuses to plan.
MAX_COMPARISONS = 100
MAX_LISTED_VALUES = 1000
MAX_PATTERN_CHARACTERS = 1000
MAX_NUMBER_DIGITS = 18


class Operator(StrEnum):
    """How a comparison compares; LIKE minds the case of letters, ILIKE does not."""

    EQUAL = "="
    UNEQUAL = "!="
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="


STRING_OPERATORS = frozenset({Operator.EQUAL, Operator.UNEQUAL, Operator.LIKE, Operator.ILIKE})
LIST_OPERATORS = frozenset({Operator.IN, Operator.NOT_IN})
NUMBER_OPERATORS = frozenset(Operator) - LIST_OPERATORS - {Operator.LIKE, Operator.ILIKE}
PATTERN_OPERATORS = frozenset({Operator.LIKE, Operator.ILIKE})


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of what is searched, under the name that the grammar gives it."""

    name: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of what is searched."""

    key: str


@dataclass(frozen=True, slots=True)
class OptionalTag:
    """A tag whose absence counts as a value unlike any other; only `!=` is asked of it, and only by rules of ours."""

    key: str


Subject: TypeAlias = Attribute | Tag | OptionalTag
Value: TypeAlias = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition. `value` is a tuple for IN and NOT IN, an int for numbers, else a string."""

    subject: Subject
    operator: Operator
    value: Value


# Which operators each attribute takes.
Grammar: TypeAlias = Mapping[str, frozenset[Operator]]

REGISTERED_MODELS: Grammar = {"name": STRING_OPERATORS | LIST_OPERATORS}
MODEL_VERSIONS: Grammar = {
    "name": STRING_OPERATORS | LIST_OPERATORS,
    "run_id": STRING_OPERATORS | LIST_OPERATORS,
    "source_path": STRING_OPERATORS,
    "version_number": NUMBER_OPERATORS,
}
# What plans over many versions are asked by, beside.
BULK_VERSIONS: Grammar = {
    **MODEL_VERSIONS,
    "stage": STRING_OPERATORS | LIST_OPERATORS,
    "status": STRING_OPERATORS | LIST_OPERATORS,
    "created_at": NUMBER_OPERATORS,
    "updated_at": NUMBER_OPERATORS,
}

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'[^']*'|"[^"]*")
      | (?P<quoted>`[^`]*`)
      | (?P<operator>!=|>=|<=|=|<|>)
      | (?P<mark>[(),])
      | (?P<word>[^\s'"`=!<>(),;]+)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse_filter(text: str, grammar: Grammar) -> list[Comparison]:
    """Return the comparisons that all must hold; an empty or blank filter gives none. Raises InvalidValue."""
    check_storable("filter", text)
    comparisons = list(_Parser(text, grammar).comparisons())
    if len(comparisons) > MAX_COMPARISONS:
        raise InvalidValue(f"The filter has {len(comparisons)} comparisons; at most {MAX_COMPARISONS} are allowed.")
    return comparisons


def widened(comparison: Comparison) -> Comparison:
    """Return a LIKE or ILIKE of an attribute as one that finds its pattern anywhere, unless that has a `%` of its own.

    So databricks-sdk documents the search of models by name; tags are matched as given.
    """
    subject, operator, value = comparison.subject, comparison.operator, comparison.value
    if not isinstance(subject, Attribute) or operator not in PATTERN_OPERATORS or "%" in str(value):
        return comparison
    return Comparison(subject, operator, f"%{value}%")


class _Parser:
    """Reads the tokens of one filter from left to right."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        self._text = text
        self._grammar = grammar
        self._tokens = list(self._split())
        self._next = 0

    def comparisons(self) -> Iterator[Comparison]:
        while self._next < len(self._tokens):
            yield self._comparison()
            # Two comparisons without AND are accepted, as MLflow does; one behind the last is not.
            if self._take_word("AND") and self._next == len(self._tokens):
                raise self._refusal("it ends with AND")

    def _comparison(self) -> Comparison:
        subject = self._subject()
        operator = self._operator()
        allowed = STRING_OPERATORS if isinstance(subject, Tag) else self._grammar[subject.name]
        if operator not in allowed:
            raise self._refusal(f"{_written(subject)} cannot be compared by {operator}; use {_listed(allowed)}")
        if operator in LIST_OPERATORS:
            return Comparison(subject, operator, self._list())
        if Operator.LESS in allowed:
            return Comparison(subject, operator, self._number())
        value = self._string()
        if operator in PATTERN_OPERATORS:
            check_length("pattern in the filter", value, MAX_PATTERN_CHARACTERS)
        return Comparison(subject, operator, value)

    def _subject(self) -> Attribute | Tag:
        token = self._take("word", "a name such as `name` or `tags.KEY`")
        prefix, dot, rest = token.text.partition(".")
        if dot and prefix.lower() in ("tag", "tags"):
            return self._tag(rest, token.end)
        name = rest if dot and prefix.lower() == "attribute" else token.text
        if name not in self._grammar:
            known = ", ".join([*self._grammar, "tags.KEY"])
            raise self._refusal(f"{token.text[:50]!r} cannot be searched; expected one of {known}")
        return Attribute(name)

    def _tag(self, key: str, end: int) -> Tag:
        following = self._peek()
        # In tags.`a b` the quoted part belongs to the word only when nothing stands between them.
        if not key and following is not None and following.start == end and following.kind in ("string", "quoted"):
            self._next += 1
            key = following.text[1:-1]
        if not key:
            raise self._refusal("a tag without a key; write tags.KEY or tags.`KEY`")
        check_length("tag key in the filter", key, MAX_KEY_CHARACTERS)
        return Tag(key)

    def _operator(self) -> Operator:
        token = self._peek()
        if token is None:
            raise self._refusal("it ends where an operator was expected")
        self._next += 1
        word = token.text.upper()
        if token.kind == "word" and word == "NOT" and self._take_word("IN"):
            return Operator.NOT_IN
        if token.kind in ("word", "operator") and word in set(Operator):
            return Operator(word)
        raise self._refusal(f"{token.text[:50]!r} is no operator")

    def _string(self) -> str:
        return self._take("string", "a value in quotes").text[1:-1]

    def _number(self) -> int:
        token = self._peek()
        text = token.text.strip("'\"") if token is not None and token.kind in ("string", "word") else ""
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_NUMBER_DIGITS):
            raise self._refusal("a whole number was expected")
        self._next += 1
        return int(text)

    def _list(self) -> tuple[str, ...]:
        self._take_mark("(")
        values = [self._string()]
        while (token := self._peek()) is not None and token.text == ",":
            self._next += 1
            values.append(self._string())
        self._take_mark(")")
        if len(values) > MAX_LISTED_VALUES:
            raise self._refusal(f"a list of {len(values)} values; at most {MAX_LISTED_VALUES} are allowed")
        return tuple(values)

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, kind: str, expected: str) -> _Token:
        token = self._peek()
        if token is None or token.kind != kind:
            found = "its end" if token is None else repr(token.text[:50])
            raise self._refusal(f"found {found} where {expected} was expected")
        self._next += 1
        return token

    def _take_mark(self, mark: str) -> None:
        if self._take("mark", repr(mark)).text != mark:
            raise self._refusal(f"{mark!r} was expected")

    def _take_word(self, word: str) -> bool:
        token = self._peek()
        found = token is not None and token.kind == "word" and token.text.upper() == word
        self._next += found
        return found

    def _split(self) -> Iterator[_Token]:
        position, end = 0, len(self._text.rstrip())
        while position < end:
            match = _TOKEN.match(self._text, position, end)
            if match is None:
                rest = self._text[position:end].strip()
                raise self._refusal(f"{rest[:20]!r} cannot be read")
            kind = match.lastgroup or ""
            yield _Token(kind, match[kind], match.start(kind), match.end())
            position = match.end()

    def _refusal(self, reason: str) -> InvalidValue:
        shown = self._text if len(self._text) <= 200 else self._text[:199] + "…"
        return InvalidValue(f"Invalid filter {shown!r}: {reason}.")


def _written(subject: Subject) -> str:
    return subject.name if isinstance(subject, Attribute) else f"tags.{subject.key}"


def _listed(operators: frozenset[Operator]) -> str:
    return ", ".join(operator for operator in Operator if operator in operators)
