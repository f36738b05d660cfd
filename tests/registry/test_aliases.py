"""Aliases as use-cases."""

import pytest

from modelyard.database.session import transaction
from modelyard.errors import InvalidValue, NotFound, PermissionDenied
from modelyard.registry import queries
from modelyard.registry.aliases import delete_registered_model_alias, set_registered_model_alias
from modelyard.registry.model_versions import delete_model_version
from modelyard.registry.registered_models import delete_registered_model, rename_registered_model
from modelyard.rules.stages import Stage
from tests.registry.desks import ANN, STRANGER, Desk


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A registry with one model, `m`, and two versions of it."""
    desk.model()
    desk.ready()
    desk.ready()
    return desk


def by_alias(desk: Desk, alias: str, name: str = "m") -> int:
    return desk.ask(queries.model_version_by_alias, name, alias).version


def test_an_alias_points_to_a_version_until_it_is_moved(desk: Desk) -> None:
    desk.alias("m", "champion", 1)
    first = by_alias(desk, "champion")
    desk.alias("m", "champion", 2)

    assert (first, by_alias(desk, "champion")) == (1, 2)
    assert desk.ask(queries.registered_model, "m").aliases == [("champion", 2)]


def test_a_version_may_bear_several_and_letter_case_counts(desk: Desk) -> None:
    for alias in ("b", "B", "a"):
        desk.alias("m", alias, 1)

    assert desk.ask(queries.model_version, "m", 1).aliases == ["B", "a", "b"]
    assert desk.ask(queries.model_version, "m", 2).aliases == []
    assert desk.ask(queries.registered_model, "m").aliases == [("B", 1), ("a", 1), ("b", 1)]


def test_aliases_are_a_models_own(desk: Desk) -> None:
    desk.model("other")
    desk.ready("other")
    desk.alias("m", "champion", 2)
    desk.alias("other", "champion", 1)

    assert (by_alias(desk, "champion"), by_alias(desk, "champion", "other")) == (2, 1)


@pytest.mark.parametrize("alias", ["latest", "LATEST"])
def test_latest_means_the_newest_version_that_is_ready(desk: Desk, alias: str) -> None:
    desk.move("m", 1, Stage.PRODUCTION)
    desk.pending()

    assert by_alias(desk, alias) == 2


def test_a_model_without_ready_versions_has_no_latest(desk: Desk) -> None:
    desk.model("other")
    desk.pending("other")

    with pytest.raises(NotFound, match="Latest version not found for model other"):
        by_alias(desk, "latest", "other")


def test_a_deleted_alias_is_gone_and_one_that_never_was_is_no_error(desk: Desk) -> None:
    desk.alias("m", "champion", 1)

    with transaction(desk.engine) as session:
        for alias in ("champion", "champion", "never"):
            delete_registered_model_alias(session, ANN, "m", alias)

    with pytest.raises(InvalidValue, match="Registered model alias champion not found"):
        by_alias(desk, "champion")


def test_aliases_go_with_their_version(desk: Desk) -> None:
    desk.alias("m", "champion", 1)
    desk.alias("m", "second", 2)

    with transaction(desk.engine) as session:
        delete_model_version(session, ANN, "m", 1, lifecycle=desk.lifecycle)

    assert desk.ask(queries.registered_model, "m").aliases == [("second", 2)]
    with pytest.raises(InvalidValue, match="champion"):
        by_alias(desk, "champion")


def test_aliases_stay_with_a_renamed_model_and_are_not_inherited_with_a_name(desk: Desk) -> None:
    desk.alias("m", "champion", 1)
    with transaction(desk.engine) as session:
        rename_registered_model(session, ANN, "m", new_name="n")
        delete_registered_model(session, ANN, "n", lifecycle=desk.lifecycle)

    desk.model("n")

    with pytest.raises(InvalidValue, match="champion"):
        by_alias(desk, "champion", "n")


def test_aliases_move_the_change_counter_but_no_time_of_last_change(desk: Desk) -> None:
    before, counter = desk.ask(queries.registered_model, "m"), desk.change_counter()

    desk.alias("m", "champion", 1)
    desk.alias("m", "champion", 1)

    assert desk.ask(queries.registered_model, "m").updated_at_ms == before.updated_at_ms
    assert desk.change_counter() == counter + 1
    assert [activity.system_comment for activity in desk.activities()[3:]] == ["The alias 'champion'."]


def test_whoever_may_not_edit_moves_no_alias(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        with pytest.raises(PermissionDenied, match="CAN_EDIT"):
            set_registered_model_alias(session, STRANGER, "m", "a", 1)
        with pytest.raises(PermissionDenied, match="CAN_EDIT"):
            delete_registered_model_alias(session, STRANGER, "m", "a")


@pytest.mark.parametrize(("name", "number"), [("none", 1), ("m", 3), ("m", 2**40)])
def test_an_alias_points_to_nothing_that_does_not_exist(desk: Desk, name: str, number: int) -> None:
    with pytest.raises(NotFound):
        desk.alias(name, "a", number)


@pytest.mark.parametrize("alias", ["latest", "v1", "a b", "x" * 256])
def test_an_alias_that_breaks_a_rule_is_refused(desk: Desk, alias: str) -> None:
    with pytest.raises(InvalidValue, match="alias"):
        desk.alias("m", alias, 1)
