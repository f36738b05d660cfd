"""Versions of a model: their numbers, their statuses and what a status forbids. No I/O."""

import re
from enum import StrEnum

from modelyard.errors import InvalidState, InvalidValue, NotFound

# What the column holds. A larger number is well spelled, and no version's.
MAX_VERSION = 2**31 - 1
_NUMBER = re.compile(r"[0-9]{1,18}")


class VersionStatus(StrEnum):
    """Whether the bytes of a version are safe; the words people poll."""

    PENDING = "PENDING_REGISTRATION"
    READY = "READY"
    FAILED = "FAILED_REGISTRATION"


class RegistrationMode(StrEnum):
    """How a version is kept: its files copied into the store, or only its source remembered."""

    COPY = "copy"
    REFERENCE = "reference"


def parse_version(text: str) -> int:
    """Return the version number that `text` writes. Raises InvalidValue unless it is a whole number."""
    if not _NUMBER.fullmatch(text):
        raise InvalidValue(f"Invalid version {text[:50]!r}; expected a whole number, such as '3'.")
    return int(text)


def no_such_version(name: str, version: int) -> NotFound:
    """Return the error for a number that no living version of the model bears."""
    return NotFound(f"Model Version (name={name}, version={version}) not found.")


def check_ready(name: str, version: int, status: VersionStatus, doing: str) -> None:
    """Raise InvalidState unless a version is READY; `doing` says what it was wanted for."""
    if status is not VersionStatus.READY:
        raise InvalidState(f"Version {version} of {name!r} is {status}; only a READY version can be {doing}.")


def check_not_pending(name: str, version: int, status: VersionStatus) -> None:
    """Raise InvalidState while a version is being registered: its job would finish on a deleted version."""
    if status is VersionStatus.PENDING:
        raise InvalidState(f"Version {version} of {name!r} is being registered. Delete it when that has ended.")
