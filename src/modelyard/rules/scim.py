"""What SCIM clients write: filters of a list, and the paths of a PATCH. No I/O.

Source: RFC 7644 3.4.2.2 and 3.5.2, as far as databricks-sdk and Terraform use them: comparisons joined by `and` and
`or`, without brackets.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from modelyard.errors import InvalidValue

_WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
_ONE_OF = re.compile(r'(\w+)\[\s*value\s+eq\s+"([^"]*)"\s*\]', re.IGNORECASE)
_EXAMPLE = 'A right one is: userName eq "ann@example.com" and active eq true.'
MAX_COMPARISONS = 20


class ScimOperator(StrEnum):
    """How a filter compares; letters are compared without regard to their case."""

    EQUAL = "eq"
    UNEQUAL = "ne"
    CONTAINS = "co"
    STARTS_WITH = "sw"
    ENDS_WITH = "ew"


@dataclass(frozen=True, slots=True)
class ScimComparison:
    """`attribute operator value`; the attribute in small letters."""

    attribute: str
    operator: ScimOperator
    value: str


def parse_scim_filter(text: str) -> list[list[ScimComparison]]:
    """Return the alternatives of a filter, each a list of what must hold together; none for an empty text.

    Raises InvalidValue.
    """
    words = _words(text)
    if not words:
        return []
    alternatives: list[list[ScimComparison]] = [[]]
    for place in range(0, len(words), 4):
        alternatives[-1].append(_comparison(words[place : place + 3]))
        match [word.lower() for word in words[place + 3 : place + 4]]:
            case ["or"]:
                alternatives.append([])
            case ["and"] | []:
                pass
            case [other]:
                raise InvalidValue(f"Invalid filter: found {other!r} where 'and' or 'or' was expected. {_EXAMPLE}")
    if not alternatives[-1] or len(words) % 4 != 3:
        raise InvalidValue(f"Invalid filter: it ends in the middle of a comparison. {_EXAMPLE}")
    if sum(map(len, alternatives)) > MAX_COMPARISONS:
        raise InvalidValue(f"Invalid filter: it has more than {MAX_COMPARISONS} comparisons.")
    return alternatives


def split_path(path: str) -> tuple[str, str | None]:
    """Return a path's attribute in small letters, and the value that `attribute[value eq "value"]` picks, if any."""
    found = _ONE_OF.fullmatch(path.strip())
    return (found.group(1).lower(), found.group(2)) if found else (path.strip().lower(), None)


def _words(text: str) -> list[str]:
    words, place = [], 0
    stripped = text.strip()
    while place < len(stripped):
        found = _WORD.match(stripped, place)
        if found is None:
            raise InvalidValue(f"Invalid filter: a quotation mark is missing. {_EXAMPLE}")
        quoted, bare = found.groups()
        words.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare)
        place = found.end()
    return words


def _comparison(words: list[str]) -> ScimComparison:
    if len(words) < 3:
        raise InvalidValue(f"Invalid filter: it ends in the middle of a comparison. {_EXAMPLE}")
    attribute, operator, value = words
    try:
        return ScimComparison(attribute.lower(), ScimOperator(operator.lower()), value)
    except ValueError as error:
        listed = ", ".join(ScimOperator)
        raise InvalidValue(f"Invalid filter: unknown operator {operator[:20]!r}; expected one of {listed}.") from error
