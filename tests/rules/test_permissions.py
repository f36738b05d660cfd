"""Permission levels."""

import pytest

from modelyard.rules.permissions import Level, includes, needed_to_transition
from modelyard.rules.stages import Stage


def test_each_level_includes_those_before_it() -> None:
    levels = list(Level)

    for place, held in enumerate(levels):
        assert [includes(held, needed) for needed in levels] == [True] * (place + 1) + [False] * (4 - place)


def test_nobody_without_a_level_may_do_anything() -> None:
    assert not any(includes(None, needed) for needed in Level)


@pytest.mark.parametrize(
    ("from_stage", "to_stage", "needed"),
    [
        (Stage.NONE, Stage.STAGING, Level.CAN_MANAGE_STAGING_VERSIONS),
        (Stage.STAGING, Stage.ARCHIVED, Level.CAN_MANAGE_STAGING_VERSIONS),
        (Stage.STAGING, Stage.PRODUCTION, Level.CAN_MANAGE_PRODUCTION_VERSIONS),
        (Stage.PRODUCTION, Stage.ARCHIVED, Level.CAN_MANAGE_PRODUCTION_VERSIONS),
        (Stage.PRODUCTION, Stage.PRODUCTION, Level.CAN_MANAGE_PRODUCTION_VERSIONS),
    ],
)
def test_leaving_production_needs_as_much_as_entering_it(from_stage: Stage, to_stage: Stage, needed: Level) -> None:
    assert needed_to_transition(from_stage=from_stage, to_stage=to_stage) is needed
