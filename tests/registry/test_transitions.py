"""Stage changes as use-cases."""

from threading import Barrier, Thread

import pytest

from modelyard.database.session import transaction
from modelyard.errors import InvalidState, InvalidValue, NotFound, PermissionDenied
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.rules.stages import Stage
from tests.registry.desks import STRANGER, Desk


def test_a_transition_moves_the_version_and_is_recorded(desk: Desk) -> None:
    desk.model()
    before = desk.ready()

    after = desk.move("m", 1, Stage.STAGING)

    assert (after.stage, desk.stages()) == ("Staging", {1: "Staging"})
    assert after.stage_changed_at_ms == after.updated_at_ms >= before.updated_at_ms
    recorded = desk.activities()[-1]
    assert (recorded.activity_type, recorded.from_stage, recorded.to_stage) == ("APPLIED_TRANSITION", "None", "Staging")


@pytest.mark.shows("only-one")
def test_promotion_archives_those_in_its_way_in_the_same_transaction(desk: Desk) -> None:
    desk.model()
    for _ in range(3):
        desk.ready(stage=Stage.PRODUCTION)
    desk.ready(stage=Stage.STAGING)

    promoted = desk.move("m", 4, Stage.PRODUCTION, archive_existing=True)

    assert desk.stages() == {1: "Archived", 2: "Archived", 3: "Archived", 4: "Production"}
    assert desk.version(number=2).updated_at_ms == promoted.updated_at_ms
    job = desk.jobs()[-1]
    assert (job.kind, job.queue, job.subject) == ("archive_versions", "fast", None)
    assert job.arguments == {"versions": [1, 2, 3], "from_stage": "Production", "promoted": 4}


def test_of_promotions_at_the_same_moment_one_stays(desk: Desk) -> None:
    desk.model()
    for _ in range(4):
        desk.ready()
    barrier = Barrier(4)

    def promote(number: int) -> None:
        barrier.wait()
        desk.move("m", number, Stage.PRODUCTION, archive_existing=True)

    threads = [Thread(target=promote, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(desk.stages().values()) == ["Archived", "Archived", "Archived", "Production"]


@pytest.mark.shows("more-than-one")
def test_without_the_flag_versions_share_a_stage(desk: Desk) -> None:
    desk.model()
    desk.ready(stage=Stage.PRODUCTION)
    desk.ready(stage=Stage.PRODUCTION)

    assert desk.stages() == {1: "Production", 2: "Production"}
    assert [job.kind for job in desk.jobs()] == ["register_version"] * 2


def test_moving_to_the_same_stage_moves_only_times_and_still_archives_others(desk: Desk) -> None:
    desk.model()
    desk.ready(stage=Stage.PRODUCTION)
    before = desk.ready(stage=Stage.PRODUCTION)
    recorded = len(desk.activities())

    after = desk.move("m", 2, Stage.PRODUCTION, archive_existing=True)

    assert desk.stages() == {1: "Archived", 2: "Production"}
    assert after.stage_changed_at_ms == before.stage_changed_at_ms
    assert len(desk.activities()) == recorded


def test_deleted_versions_stay_where_they_are(desk: Desk) -> None:
    desk.model("a")
    desk.model("b")
    desk.ready("a", stage=Stage.PRODUCTION)
    desk.ready("b")

    desk.move("b", 1, Stage.PRODUCTION, archive_existing=True)

    assert desk.stages("a") == {1: "Production"}


@pytest.mark.parametrize("to", [Stage.NONE, Stage.ARCHIVED])
def test_nobody_steps_aside_for_none_or_archived(desk: Desk, to: Stage) -> None:
    desk.model()
    desk.ready()

    with pytest.raises(InvalidValue):
        desk.move("m", 1, to, archive_existing=True)


def test_a_version_that_is_not_ready_does_not_move(desk: Desk) -> None:
    desk.model()
    desk.pending()

    with pytest.raises(InvalidState, match="moved to another stage"):
        desk.move("m", 1, Stage.STAGING)
    with pytest.raises(NotFound):
        desk.move("m", 2, Stage.STAGING)


def test_whoever_has_no_permission_moves_nothing(desk: Desk) -> None:
    desk.model()
    desk.ready()

    with transaction(desk.engine) as session, pytest.raises(PermissionDenied, match="CAN_MANAGE_STAGING_VERSIONS"):
        transition_model_version_stage(
            session, STRANGER, "m", 1, to=Stage.STAGING, archive_existing=False, queue=desk.queue
        )
