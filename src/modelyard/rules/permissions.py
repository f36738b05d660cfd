"""Permission levels, and what each allows: the table of the contract as data. No I/O.

Source: Databricks, "Manage models", permission table; contracts/databricks.md 1.6.
"""

from collections.abc import Mapping
from enum import StrEnum

from modelyard.errors import InvalidValue
from modelyard.rules.stages import Stage

# The object id of the registry itself, whose permissions every model inherits.
ROOT = "root"


class Level(StrEnum):
    """What somebody may do with a model, weakest first; each level includes those before it."""

    CAN_READ = "CAN_READ"
    CAN_EDIT = "CAN_EDIT"
    CAN_MANAGE_STAGING_VERSIONS = "CAN_MANAGE_STAGING_VERSIONS"
    CAN_MANAGE_PRODUCTION_VERSIONS = "CAN_MANAGE_PRODUCTION_VERSIONS"
    CAN_MANAGE = "CAN_MANAGE"


class Ability(StrEnum):
    """Something that can be done with an existing model; the words complete "you may not …"."""

    VIEW = "see the model"
    REQUEST_TRANSITION = "request a stage transition"
    COMMENT = "comment on a version"
    CREATE_VERSION = "add a version"
    DESCRIBE = "change a description"
    TAG = "change a tag"
    ALIAS = "change an alias"
    VERIFY = "have stored files verified or repaired"
    MANAGE_JOBS = "cancel the model's jobs or try them again"
    MOVE_BELOW_PRODUCTION = "move a version between None, Staging and Archived"
    MOVE_PRODUCTION = "move a version into or out of Production"
    CANCEL_REQUEST = "cancel somebody else's transition request"
    DELETE_COMMENT = "delete somebody else's comment"
    RENAME = "rename the model"
    CHANGE_PERMISSIONS = "change the model's permissions"
    DELETE_VERSION = "delete a version"
    DELETE_MODEL = "delete the model"
    EMPTY_TRASH = "restore or purge what was deleted"
    MANAGE_WEBHOOKS = "manage the model's webhooks"


NEEDED: Mapping[Ability, Level] = {
    Ability.VIEW: Level.CAN_READ,
    Ability.REQUEST_TRANSITION: Level.CAN_READ,
    Ability.COMMENT: Level.CAN_READ,
    Ability.CREATE_VERSION: Level.CAN_EDIT,
    Ability.DESCRIBE: Level.CAN_EDIT,
    Ability.TAG: Level.CAN_EDIT,
    Ability.ALIAS: Level.CAN_EDIT,
    Ability.VERIFY: Level.CAN_EDIT,
    Ability.MANAGE_JOBS: Level.CAN_EDIT,
    Ability.MOVE_BELOW_PRODUCTION: Level.CAN_MANAGE_STAGING_VERSIONS,
    Ability.MOVE_PRODUCTION: Level.CAN_MANAGE_PRODUCTION_VERSIONS,
    Ability.CANCEL_REQUEST: Level.CAN_MANAGE,
    Ability.DELETE_COMMENT: Level.CAN_MANAGE,
    Ability.RENAME: Level.CAN_MANAGE,
    Ability.CHANGE_PERMISSIONS: Level.CAN_MANAGE,
    Ability.DELETE_VERSION: Level.CAN_MANAGE,
    Ability.DELETE_MODEL: Level.CAN_MANAGE,
    Ability.EMPTY_TRASH: Level.CAN_MANAGE,
    Ability.MANAGE_WEBHOOKS: Level.CAN_MANAGE,
}

DESCRIPTIONS: Mapping[Level, str] = {
    Level.CAN_READ: "Can see the model with its versions and files, comment, and request stage transitions",
    Level.CAN_EDIT: "Can also add versions and change descriptions, tags and aliases",
    Level.CAN_MANAGE_STAGING_VERSIONS: "Can also move versions between None, Staging and Archived",
    Level.CAN_MANAGE_PRODUCTION_VERSIONS: "Can also move versions into and out of Production",
    Level.CAN_MANAGE: "Can also rename and delete the model and manage its permissions and webhooks",
}

_ORDER = list(Level)


def includes(held: Level | None, needed: Level) -> bool:
    """Whether somebody who holds `held` (None: nothing) may do what `needed` allows."""
    return held is not None and _ORDER.index(held) >= _ORDER.index(needed)


def allows(held: Level | None, ability: Ability) -> bool:
    """Whether somebody who holds `held` (None: nothing) has `ability`."""
    return includes(held, NEEDED[ability])


def at_least(level: Level) -> list[Level]:
    """Return `level` and every level above it."""
    return _ORDER[_ORDER.index(level) :]


def highest(*held: Level | None) -> Level | None:
    """Return the strongest of these levels, None when there is none."""
    return max((level for level in held if level is not None), key=_ORDER.index, default=None)


def needed_to_transition(*, from_stage: Stage, to_stage: Stage) -> Ability:
    """Return what moving a version takes; leaving Production needs as much as entering it."""
    if Stage.PRODUCTION in (from_stage, to_stage):
        return Ability.MOVE_PRODUCTION
    return Ability.MOVE_BELOW_PRODUCTION


def parse_level(text: str) -> Level:
    """Return the level called `text`. Raises InvalidValue."""
    try:
        return Level(text)
    except ValueError as error:
        raise InvalidValue(f"Unknown permission level {text[:50]!r}; expected one of {', '.join(Level)}.") from error
