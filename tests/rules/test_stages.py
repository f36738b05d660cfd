"""Stages, and what they forbid."""

import pytest

from modelyard.errors import InvalidState, InvalidValue
from modelyard.rules.stages import Stage, check_archiving, check_model_free, check_version_deletable, parse_stage


@pytest.mark.shows("any-case")
@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("Production", Stage.PRODUCTION),
        ("production", Stage.PRODUCTION),
        ("STAGING", Stage.STAGING),
        ("none", Stage.NONE),
        ("Archived", Stage.ARCHIVED),
    ],
)
def test_a_stage_is_written_in_any_letter_case(text: str, stage: Stage) -> None:
    assert parse_stage(text) is stage


@pytest.mark.shows("four-stages")
@pytest.mark.parametrize("text", ["", "Prod", "Production ", "x" * 1000, "Deleted_Internal"])
def test_an_unknown_stage_is_refused_with_the_four_that_exist(text: str) -> None:
    with pytest.raises(InvalidValue, match="None, Staging, Production, Archived"):
        parse_stage(text)


@pytest.mark.parametrize(
    ("to", "allowed"),
    [(Stage.NONE, False), (Stage.STAGING, True), (Stage.PRODUCTION, True), (Stage.ARCHIVED, False)],
)
def test_versions_step_aside_only_where_versions_compete(to: Stage, allowed: bool) -> None:
    check_archiving(to, archive_existing=False)
    if allowed:
        check_archiving(to, archive_existing=True)
        return

    with pytest.raises(InvalidValue, match="archive_existing_versions"):
        check_archiving(to, archive_existing=True)


@pytest.mark.shows("delete-unused")
@pytest.mark.parametrize(
    ("stage", "allowed"),
    [(Stage.NONE, True), (Stage.STAGING, False), (Stage.PRODUCTION, False), (Stage.ARCHIVED, True)],
)
def test_a_version_in_use_is_not_deleted(stage: Stage, allowed: bool) -> None:
    if allowed:
        check_version_deletable("m", 3, stage)
        return

    with pytest.raises(InvalidState, match=f"Version 3 of 'm' is in {stage}. Move it"):
        check_version_deletable("m", 3, stage)


def test_a_model_in_use_is_refused_with_the_versions_to_move() -> None:
    check_model_free("m", [], "deleting")

    with pytest.raises(InvalidState, match=r"\(2, 7\).*before deleting the model"):
        check_model_free("m", [7, 2], "deleting")
    with pytest.raises(InvalidState, match=r"\(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …\)"):
        check_model_free("m", range(1, 99), "renaming")
