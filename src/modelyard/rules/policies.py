"""Policies: what a registry archives and deletes by itself, how far that may go, and what is kept. No I/O.

A policy archives versions that nobody uses (stage None), or deletes such as were archived long ago. What protects a
version from every plan stands in `rules/plans.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from modelyard.errors import InvalidValue
from modelyard.rules.plans import PlanAction, Rule
from modelyard.rules.sources import shown
from modelyard.rules.stages import Stage
from modelyard.rules.tags import check_tag
from modelyard.rules.texts import check_length, check_storable

MAX_NAME_CHARACTERS = 100
MAX_PATTERN_CHARACTERS = 256
MAX_DAYS = 36_500
MAX_KEPT = 10_000
MAX_CAP_VERSIONS = 1_000_000

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_STAGE_OF: Mapping[PlanAction, Stage] = {PlanAction.ARCHIVE: Stage.NONE, PlanAction.DELETE: Stage.ARCHIVED}


class Mode(StrEnum):
    """What a run of a policy does with its plan: leave it to somebody's approval, or execute it at once."""

    PROPOSE = "propose"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Conditions:
    """Which versions a policy is about; all of what is given must hold.

    `models` is a pattern of models' names in which `*` stands for anything, "" for all of them; `tag` a key and value
    that the model bears. The days are the least since the version was registered, entered its stage, was downloaded.
    """

    models: str = ""
    tag_key: str = ""
    tag_value: str = ""
    registered_days: int = 0
    moved_days: int = 0
    downloaded_days: int = 0
    keep_newest: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether every version is meant; `keep_newest` only takes from that."""
        days = self.registered_days or self.moved_days or self.downloaded_days
        return not (self.tag_key or days or self.models.strip("*"))

    def as_json(self) -> dict[str, Any]:
        """Return what a row holds."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one run may touch by itself: so many versions, and so many percent of all living versions of the models
    that the policy is about. A run that would touch more stops, and leaves its plan to somebody's approval.
    """

    max_percent: int = 20
    max_versions: int = 500


def check_policy_name(name: str) -> None:
    """Raise InvalidValue unless `name` may be a policy's."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_CHARACTERS:
        raise InvalidValue(
            f"Invalid name {shown(name)}; expected up to {MAX_NAME_CHARACTERS} small letters, digits, dots, dashes and "
            "underscores, a letter or digit first, such as 'archive-idle'."
        )


def parse_policy_action(text: str) -> PlanAction:
    """Return what a policy does. Raises InvalidValue."""
    if text not in set(_STAGE_OF):
        raise InvalidValue(f"Invalid action {shown(text)}; expected 'archive' or 'delete'.")
    return PlanAction(text)


def parse_mode(text: str) -> Mode:
    """Return the mode called `text`. Raises InvalidValue."""
    if text not in set(Mode):
        raise InvalidValue(f"Invalid mode {shown(text)}; expected 'propose' or 'apply'.")
    return Mode(text)


def check_conditions(conditions: Conditions, *, everything: bool) -> None:
    """Raise InvalidValue, which names the field, for conditions that cannot be read, or mean `everything` unsaid."""
    _check_pattern(conditions.models)
    if conditions.tag_value and not conditions.tag_key:
        raise InvalidValue("A tag_value needs a tag_key, such as tag_key: 'team', tag_value: 'fraud'.")
    if conditions.tag_key:
        check_tag(conditions.tag_key, conditions.tag_value)
    for field in ("registered_days", "moved_days", "downloaded_days"):
        _check_range(field, getattr(conditions, field), 0, MAX_DAYS, "90")
    _check_range("keep_newest", conditions.keep_newest, 0, MAX_KEPT, "5")
    if conditions.is_empty and not everything:
        raise InvalidValue(
            "These conditions mean every version of every model. Give one, such as models: 'fraud-*' or "
            "registered_days: 90; or say all: true."
        )


def check_caps(caps: Caps) -> None:
    """Raise InvalidValue, which names the field, for caps out of range."""
    _check_range("max_percent", caps.max_percent, 1, 100, "20")
    _check_range("max_versions", caps.max_versions, 1, MAX_CAP_VERSIONS, "500")


def policy_rule(action: PlanAction, conditions: Conditions) -> Rule:
    """Return the rule of the plans that a policy makes."""
    return Rule(
        action=action,
        stage=_STAGE_OF[action],
        registered_days=conditions.registered_days,
        moved_days=conditions.moved_days,
        downloaded_days=conditions.downloaded_days,
        keep_newest=conditions.keep_newest,
    )


def matches(pattern: str, name: str) -> bool:
    """Whether a model's name fits a pattern; "" fits every name, letters are minded."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    return not pattern or re.fullmatch(expression, name, re.DOTALL) is not None


def beyond_caps(caps: Caps, *, touched: int, living: int) -> str:
    """Return why a run may not go on by itself, "" when it may. `living` counts the versions that it might touch."""
    if touched > caps.max_versions:
        return f"it would touch {touched} versions, and at most {caps.max_versions} are allowed in one run"
    if touched * 100 > living * caps.max_percent:
        return f"it would touch {touched} of {living} versions, and at most {caps.max_percent} % are allowed in one run"
    return ""


def in_words(action: PlanAction, conditions: Conditions) -> str:
    """Return a policy's rule as one sentence, such as "Archive None versions idle 90 days, keep newest 5"."""
    parts = [f"{action.capitalize()} {_STAGE_OF[action]} versions"]
    if conditions.models:
        parts[0] += f" of {conditions.models}"
    if conditions.tag_key:
        parts[0] += f" tagged {conditions.tag_key}={conditions.tag_value}"
    days = (conditions.registered_days, conditions.moved_days, conditions.downloaded_days)
    if days[0] and len(set(days)) == 1:
        parts[0] += f" idle {days[0]} days"
    else:
        words = ("registered", f"{'archived' if action is PlanAction.DELETE else 'moved'}", "downloaded")
        said = [f"{word} {count} days ago" for word, count in zip(words, days, strict=True) if count]
        parts[0] += f" {' and '.join(said)}" if said else ""
    if conditions.keep_newest:
        parts.append(f"keep newest {conditions.keep_newest}")
    return ", ".join(parts)


def _check_pattern(pattern: str) -> None:
    check_storable("pattern models", pattern)
    check_length("pattern models", pattern, MAX_PATTERN_CHARACTERS)
    if (pattern and not pattern.strip()) or "/" in pattern or ":" in pattern:
        raise InvalidValue(
            f"Invalid pattern models {shown(pattern)}: no model can have such a name. A right one is 'fraud-*'."
        )


def _check_range(field: str, found: int, least: int, most: int, example: str) -> None:
    if not least <= found <= most:
        raise InvalidValue(
            f"Invalid {field} {found}; expected a whole number from {least} to {most}, such as {example}."
        )
