"""Who can hold permissions: users, groups and service principals, and what they may be called. No I/O.

A name is its bearer: activities, jobs and uploads know people by it, so it never changes and is never given to
somebody else. Names are compared without regard to the case of letters (contracts/databricks.md 2.6).
"""

import uuid
from enum import StrEnum

from modelyard.errors import InvalidValue
from modelyard.rules.texts import check_length, check_storable

MAX_NAME_CHARACTERS = 256
ADMINS = "admins"
# Who may act without being entered by anybody: everybody without authentication, the first administrator,
# the schedules, and commands on the server's own console.
LOCAL, ADMIN, SCHEDULER, CONSOLE = "local", "admin", "scheduler", "console"
RESERVED = frozenset({LOCAL, ADMIN, SCHEDULER, CONSOLE})


class PrincipalKind(StrEnum):
    """What kind of holder a principal is."""

    USER = "user"
    GROUP = "group"
    SERVICE_PRINCIPAL = "service_principal"


def folded(name: str) -> str:
    """Return what two names that mean the same principal have in common."""
    return name.casefold()


def check_user_name(name: str) -> str:
    """Return the name that a user gets: an e-mail address or a short name, in small letters. Raises InvalidValue."""
    _check(name, "user name")
    lowered = name.lower()
    if any(character.isspace() for character in name):
        raise InvalidValue(f"Invalid user name {name!r}: it holds a blank. Take the e-mail address.")
    if lowered in RESERVED:
        raise InvalidValue(f"The user name {name!r} is one of the registry's own ({', '.join(sorted(RESERVED))}).")
    if is_application_id(lowered):
        raise InvalidValue(f"The user name {name!r} has the form of a service principal's application id.")
    return lowered


def check_group_name(name: str) -> str:
    """Return the name that a group gets. Raises InvalidValue."""
    _check(name, "group name")
    return name


def check_application_id(text: str) -> str:
    """Return a service principal's application id as it is kept. Raises InvalidValue unless it is a UUID."""
    if not is_application_id(text):
        raise InvalidValue(
            f"Invalid application id {text[:50]!r}; expected a UUID such as 'f37d18cd-98a8-4db5-8112-12dd0a6bfe38'."
        )
    return text.lower()


def is_application_id(text: str) -> bool:
    """Whether `text` is a UUID as it is usually written."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def check_display_name(text: str) -> None:
    """Raise InvalidValue unless somebody may be shown as `text`."""
    check_storable("display name", text)
    check_length("display name", text, MAX_NAME_CHARACTERS)


def _check(name: str, label: str) -> None:
    if not name:
        raise InvalidValue(f"The {label} is missing.")
    check_storable(label, name)
    check_length(label, name, MAX_NAME_CHARACTERS)
    if name != name.strip() or not name.isprintable():
        raise InvalidValue(f"Invalid {label} {name[:50]!r}: it begins or ends with a blank, or holds a control sign.")
