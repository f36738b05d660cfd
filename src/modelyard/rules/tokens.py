"""Personal access tokens: how they are written, how long they live, what they leave of their owner's rights. No I/O.

A token is `mdy_<16 hex digits>_<43 letters>`. The digits are its public id, by which it is found and named; the
letters are 256 random bits, of which the database knows only the digest.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from modelyard.errors import InvalidValue, PermissionDenied
from modelyard.rules.names import check_model_name
from modelyard.rules.stages import Stage, parse_stage

DEFAULT_DAYS = 90
MAX_DAYS = 3650
DAY_S = 24 * 3600
# An owner is told so long before a token ends, unless it was made for a fortnight or less: that one is meant to end.
NOTICE_MS = 7 * DAY_S * 1000
SHORT_LIVED_MS = 14 * DAY_S * 1000
_FORM = re.compile(r"mdy_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
# None and Archived are where nobody uses a version.
_HEIGHT = {Stage.NONE: 0, Stage.ARCHIVED: 0, Stage.STAGING: 1, Stage.PRODUCTION: 2}


class Scope(StrEnum):
    """What a token is for, weakest first: look; work on models; administer. Each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_ORDER = list(Scope)


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """What a token takes away from its owner's rights.

    `models` are the only names that it reaches, None for all; `highest_stage` is the highest that it moves a version
    into or out of, None for any.
    """

    scope: Scope = Scope.ADMIN
    models: frozenset[str] | None = None
    highest_stage: Stage | None = None

    def reaches(self, model_name: str) -> bool:
        """Whether a model lies within these limits."""
        return self.models is None or model_name in self.models

    def moves(self, *stages: Stage) -> bool:
        """Whether a version may be moved between these stages."""
        return self.highest_stage is None or all(_HEIGHT[stage] <= _HEIGHT[self.highest_stage] for stage in stages)

    def check_includes(self, wished: "TokenLimits") -> None:
        """Raise PermissionDenied when `wished` would allow more than these limits: no token makes a stronger one."""
        wider = []
        if not scope_includes(self.scope, wished.scope):
            wider.append(f"the scope {wished.scope}")
        if self.models is not None and not (wished.models and wished.models <= self.models):
            wider.append("more models")
        if self.highest_stage is not None and not (wished.highest_stage and self.moves(wished.highest_stage)):
            wider.append("higher stages")
        if wider:
            raise PermissionDenied(f"This token cannot make one that reaches further: {', '.join(wider)}.")


UNLIMITED = TokenLimits()


def scope_includes(held: Scope, needed: Scope) -> bool:
    """Whether a token of scope `held` may do what `needed` allows."""
    return _ORDER.index(held) >= _ORDER.index(needed)


def parse_scope(text: str) -> Scope:
    """Return the scope called `text`. Raises InvalidValue."""
    try:
        return Scope(text.lower())
    except ValueError as error:
        raise InvalidValue(f"Unknown scope {text[:50]!r}; expected one of {', '.join(Scope)}.") from error


def parse_limits(*, scope: str, models: Iterable[str] = (), highest_stage: str = "") -> TokenLimits:
    """Return the limits that somebody wrote; no models mean all of them. Raises InvalidValue."""
    names = frozenset(models)
    for name in names:
        check_model_name(name)
    return TokenLimits(
        scope=parse_scope(scope),
        models=names or None,
        highest_stage=parse_stage(highest_stage) if highest_stage else None,
    )


def check_lifetime_s(lifetime_s: int) -> int:
    """Return the lifetime of a token in seconds. Raises InvalidValue outside of a second to ten years."""
    if not 1 <= lifetime_s <= MAX_DAYS * DAY_S:
        raise InvalidValue(
            f"Invalid lifetime of {str(lifetime_s)[:30]} seconds; expected from 1 second to {MAX_DAYS} days."
        )
    return lifetime_s


def write_token(public_id: str, secret: str) -> str:
    """Return the token that its owner is shown once."""
    return f"mdy_{public_id}_{secret}"


def public_id_of(text: str) -> str | None:
    """Return the public id of a token, None for a text that has not the form of one."""
    found = _FORM.fullmatch(text)
    return found.group(1) if found else None


def digest_of(text: str) -> str:
    """Return what the database keeps of a token: no slow hash is needed for 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()
