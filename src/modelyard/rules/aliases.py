"""Aliases: names that people give to versions of a model and move when they like. No I/O.

Source: MLflow 3.17 and contracts/mlflow.md 5.
"""

import re

from modelyard.errors import InvalidValue
from modelyard.rules.texts import check_length

MAX_ALIAS_CHARACTERS = 255
# Means a model's newest READY version, in any letter case.
LATEST = "latest"

_ALIAS = re.compile(r"[\w-]+")
# models:/NAME@v3 would read like version 3.
_VERSION = re.compile(r"[vV]\d+")


def check_alias(alias: str) -> None:
    """Raise InvalidValue unless an alias could be spelled so."""
    check_length("alias", alias, MAX_ALIAS_CHARACTERS)
    if not _ALIAS.fullmatch(alias):
        raise InvalidValue(
            f"Invalid alias name: {alias!r}. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )


def check_new_alias(alias: str) -> None:
    """Raise InvalidValue unless people may give `alias` to a version."""
    check_alias(alias)
    if means_latest(alias):
        raise InvalidValue(f"The alias {alias!r} is reserved: it always means the newest READY version.")
    if _VERSION.fullmatch(alias):
        raise InvalidValue(f"The alias {alias!r} is reserved, because it reads like the number of a version.")


def means_latest(alias: str) -> bool:
    """Whether `alias` is LATEST."""
    return alias.lower() == LATEST
