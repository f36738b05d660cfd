"""Stages of a model version: which exist, and what they forbid. No I/O.

Source: Databricks, "Manage models", sections "Transition a model stage" and "Delete a model or model version".
"""

from collections.abc import Iterable
from enum import StrEnum

from modelyard.errors import InvalidState, InvalidValue


class Stage(StrEnum):
    """What a version is used for; the words of the wire."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


IN_USE = frozenset({Stage.STAGING, Stage.PRODUCTION})


def parse_stage(text: str) -> Stage:
    """Return the stage called `text`, in any letter case.

    Raises InvalidValue when there is no such stage.
    """
    for stage in Stage:
        if stage.lower() == text.lower():
            return stage
    raise InvalidValue(f"Unknown stage {text[:50]!r}; expected one of {', '.join(Stage)}.")


def check_archiving(to: Stage, *, archive_existing: bool) -> None:
    """Raise InvalidValue when versions should step aside for a stage in which nobody competes."""
    if archive_existing and to not in IN_USE:
        raise InvalidValue(
            f"archive_existing_versions cannot be used with the stage {to}; it is for Staging and Production."
        )


def check_version_deletable(name: str, version: int, stage: Stage) -> None:
    """Raise InvalidState for a version that is in use."""
    if stage in IN_USE:
        raise InvalidState(
            f"Version {version} of {name!r} is in {stage}. Move it to None or Archived before deleting it."
        )


def check_model_free(name: str, versions_in_use: Iterable[int], doing: str) -> None:
    """Raise InvalidState while a model has versions in Staging or Production; `doing` says what was asked."""
    numbers = sorted(versions_in_use)
    if numbers:
        listed = ", ".join(map(str, numbers[:10])) + (", …" if len(numbers) > 10 else "")
        raise InvalidState(
            f"{name!r} has versions in Staging or Production ({listed}). "
            f"Move them to None or Archived before {doing} the model."
        )
