"""Permission levels, and the table of what each allows."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.permissions import (
    DESCRIPTIONS,
    NEEDED,
    Ability,
    Level,
    allows,
    highest,
    includes,
    needed_to_transition,
    parse_level,
)
from modelyard.rules.stages import Stage

# The table of contracts/databricks.md 1.6: how many levels, from the strongest down, have an ability.
STRONGEST = {
    Ability.VIEW: 5,
    Ability.REQUEST_TRANSITION: 5,
    Ability.COMMENT: 5,
    Ability.CREATE_VERSION: 4,
    Ability.DESCRIBE: 4,
    Ability.TAG: 4,
    Ability.ALIAS: 4,
    Ability.VERIFY: 4,
    Ability.MANAGE_JOBS: 4,
    Ability.MOVE_BELOW_PRODUCTION: 3,
    Ability.MOVE_PRODUCTION: 2,
    Ability.CANCEL_REQUEST: 1,
    Ability.DELETE_COMMENT: 1,
    Ability.RENAME: 1,
    Ability.CHANGE_PERMISSIONS: 1,
    Ability.DELETE_VERSION: 1,
    Ability.DELETE_MODEL: 1,
    Ability.EMPTY_TRASH: 1,
    Ability.MANAGE_WEBHOOKS: 1,
}


@pytest.mark.parametrize("ability", Ability)
def test_what_each_level_allows(ability: Ability) -> None:
    allowed = [level for level in Level if allows(level, ability)]

    assert allowed == list(Level)[-STRONGEST[ability] :]
    assert not allows(None, ability)


def test_the_table_has_a_row_for_each_ability_and_each_level_is_described() -> None:
    assert set(NEEDED) == set(Ability)
    assert list(DESCRIPTIONS) == list(Level)


def test_each_level_includes_those_before_it() -> None:
    levels = list(Level)

    for place, held in enumerate(levels):
        assert [includes(held, needed) for needed in levels] == [True] * (place + 1) + [False] * (4 - place)


def test_the_highest_of_several_levels_counts() -> None:
    assert highest(Level.CAN_READ, None, Level.CAN_MANAGE, Level.CAN_EDIT) is Level.CAN_MANAGE
    assert highest(None) is highest() is None


@pytest.mark.parametrize("from_stage", Stage)
@pytest.mark.parametrize("to_stage", Stage)
def test_leaving_production_needs_as_much_as_entering_it(from_stage: Stage, to_stage: Stage) -> None:
    touches_production = Stage.PRODUCTION in (from_stage, to_stage)

    needed = needed_to_transition(from_stage=from_stage, to_stage=to_stage)

    assert needed is (Ability.MOVE_PRODUCTION if touches_production else Ability.MOVE_BELOW_PRODUCTION)


@pytest.mark.parametrize("text", ["", "CAN_WRITE", "can_read", "CAN_CREATE_REGISTERED_MODEL"])
def test_an_unknown_level_is_refused_with_the_five_that_exist(text: str) -> None:
    with pytest.raises(InvalidValue, match="CAN_READ, CAN_EDIT"):
        parse_level(text)
