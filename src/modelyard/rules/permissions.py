"""Permission levels, and what each allows. No I/O.

Source: Databricks, "Manage models", permission table; contracts/databricks.md 1.6.
"""

from enum import StrEnum

from modelyard.rules.stages import Stage


class Level(StrEnum):
    """What somebody may do with a model, weakest first; each level includes those before it."""

    CAN_READ = "CAN_READ"
    CAN_EDIT = "CAN_EDIT"
    CAN_MANAGE_STAGING_VERSIONS = "CAN_MANAGE_STAGING_VERSIONS"
    CAN_MANAGE_PRODUCTION_VERSIONS = "CAN_MANAGE_PRODUCTION_VERSIONS"
    CAN_MANAGE = "CAN_MANAGE"


_ORDER = list(Level)


def includes(held: Level | None, needed: Level) -> bool:
    """Whether somebody who holds `held` (None: nothing) may do what `needed` allows."""
    return held is not None and _ORDER.index(held) >= _ORDER.index(needed)


def needed_to_transition(*, from_stage: Stage, to_stage: Stage) -> Level:
    """Return the weakest level that may move a version; leaving Production needs as much as entering it."""
    if Stage.PRODUCTION in (from_stage, to_stage):
        return Level.CAN_MANAGE_PRODUCTION_VERSIONS
    return Level.CAN_MANAGE_STAGING_VERSIONS
