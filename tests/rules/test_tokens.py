"""Tokens: their form, their limits, their lifetime."""

import pytest

from modelyard.errors import InvalidValue, PermissionDenied
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import (
    UNLIMITED,
    Scope,
    TokenLimits,
    check_lifetime_s,
    parse_limits,
    public_id_of,
    write_token,
)

TOKEN = write_token("0123456789abcdef", "s" * 43)
NARROW = TokenLimits(Scope.WRITE, frozenset({"a", "b"}), Stage.STAGING)


@pytest.mark.parametrize(
    "text",
    ["", "dapi123", TOKEN[:-1], TOKEN + "s", TOKEN.upper(), TOKEN.replace("mdy", "mdx"), TOKEN + "\n", f" {TOKEN}"],
)
def test_only_what_has_the_form_of_a_token_is_looked_up(text: str) -> None:
    assert public_id_of(TOKEN) == "0123456789abcdef"
    assert public_id_of(text) is None


@pytest.mark.parametrize(
    ("highest", "stages", "allowed"),
    [
        (None, (Stage.STAGING, Stage.PRODUCTION), True),
        (Stage.PRODUCTION, (Stage.STAGING, Stage.PRODUCTION), True),
        (Stage.STAGING, (Stage.NONE, Stage.STAGING), True),
        (Stage.STAGING, (Stage.STAGING, Stage.ARCHIVED), True),
        (Stage.STAGING, (Stage.STAGING, Stage.PRODUCTION), False),
        (Stage.STAGING, (Stage.PRODUCTION, Stage.ARCHIVED), False),
        (Stage.NONE, (Stage.NONE, Stage.ARCHIVED), True),
        (Stage.ARCHIVED, (Stage.NONE, Stage.STAGING), False),
    ],
)
def test_a_token_moves_versions_up_to_its_highest_stage(
    highest: Stage | None, stages: tuple[Stage, ...], allowed: bool
) -> None:
    assert TokenLimits(highest_stage=highest).moves(*stages) is allowed


def test_a_token_reaches_the_models_that_it_names() -> None:
    assert UNLIMITED.reaches("anything")
    assert NARROW.reaches("a")
    assert not NARROW.reaches("c")


@pytest.mark.parametrize(
    ("wished", "reason"),
    [
        (TokenLimits(Scope.ADMIN, frozenset({"a"}), Stage.STAGING), "scope admin"),
        (TokenLimits(Scope.WRITE, None, Stage.STAGING), "more models"),
        (TokenLimits(Scope.WRITE, frozenset({"a", "c"}), Stage.STAGING), "more models"),
        (TokenLimits(Scope.WRITE, frozenset({"a"}), None), "higher stages"),
        (TokenLimits(Scope.WRITE, frozenset({"a"}), Stage.PRODUCTION), "higher stages"),
    ],
)
def test_no_token_makes_one_that_reaches_further(wished: TokenLimits, reason: str) -> None:
    with pytest.raises(PermissionDenied, match=reason):
        NARROW.check_includes(wished)


@pytest.mark.parametrize("wished", [NARROW, TokenLimits(Scope.READ, frozenset({"a"}), Stage.NONE)])
def test_a_token_may_make_its_like_or_a_weaker_one(wished: TokenLimits) -> None:
    NARROW.check_includes(wished)
    UNLIMITED.check_includes(wished)


def test_limits_are_read_as_people_write_them() -> None:
    assert parse_limits(scope="WRITE", models=["b", "a"], highest_stage="staging") == NARROW
    assert parse_limits(scope="admin") == UNLIMITED


@pytest.mark.parametrize(
    "wrong", [{"scope": "root"}, {"scope": "read", "models": ["a/b"]}, {"scope": "read", "highest_stage": "Prod"}]
)
def test_limits_that_mean_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(InvalidValue):
        parse_limits(**wrong)


@pytest.mark.parametrize("lifetime_s", [0, -1, 3650 * 24 * 3600 + 1, 10**30])
def test_a_token_lives_for_a_second_to_ten_years(lifetime_s: int) -> None:
    assert check_lifetime_s(1) == 1
    with pytest.raises(InvalidValue, match="lifetime"):
        check_lifetime_s(lifetime_s)
