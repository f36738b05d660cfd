"""Tags of models and versions. No I/O.

Source: MLflow 3.17 (`[/\\w.\\- :]*`, a normalised path) and contracts/mlflow.md 5 (lengths).
"""

import posixpath
import re
from collections.abc import Iterable

from modelyard.errors import InvalidValue
from modelyard.rules.texts import check_length, check_storable

MAX_KEY_CHARACTERS = 250
MAX_VALUE_CHARACTERS = 100_000
# Of one create. People set a few, tools some dozens; each is a row that every reader of the object pays for.
MAX_TAGS = 1000

_KEY = re.compile(r"[/\w.\- :]*")


def check_tag(key: str, value: str) -> None:
    """Raise InvalidValue unless `key` may be a tag's name and `value` its value."""
    if not key:
        raise InvalidValue("Missing value for required parameter 'key': a tag needs a name.")
    check_storable("tag key", key)
    check_length("tag key", key, MAX_KEY_CHARACTERS)
    if not _KEY.fullmatch(key):
        raise InvalidValue(
            f"Invalid tag key {key!r}; it may contain letters, digits, slashes, underscores, dashes, periods, "
            "colons and blanks."
        )
    if posixpath.normpath(key) != key or key in (".", "..") or key.startswith(("../", "/")):
        raise InvalidValue(f"Invalid tag key {key!r}; written as a path it would be {posixpath.normpath(key)!r}.")
    check_storable(f"value of the tag {key!r}", value)
    check_length(f"value of the tag {key!r}", value, MAX_VALUE_CHARACTERS)


def merge_tags(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return key -> value in order of first mention; the last value of a repeated key wins. Raises InvalidValue."""
    merged: dict[str, str] = {}
    for key, value in tags:
        check_tag(key, value)
        merged[key] = value
    if len(merged) > MAX_TAGS:
        raise InvalidValue(f"{len(merged)} tags were given at once; at most {MAX_TAGS} are allowed.")
    return merged
