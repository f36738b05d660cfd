"""The Production set of before its last change, on both databases."""

import pytest
from sqlalchemy import insert, update

from modelyard.database.session import transaction
from modelyard.database.tables import Blob, ManifestBlob, ModelVersion
from modelyard.errors import InvalidState, NotFound, PermissionDenied
from modelyard.registry.access import Actor
from modelyard.registry.rollbacks import Rollback, roll_back
from modelyard.registry.transition_requests import approve_transition_request, create_transition_request
from modelyard.rules.stages import Stage
from tests.plans.office import Office
from tests.registry.desks import ANN, MANIFEST, STRANGER


@pytest.fixture
def promoted(office: Office) -> Office:
    """Versions 1 and 2 were in Production until 3 came there from Staging and they stepped aside; 4 is in None."""
    office.versions("m", 4)
    office.move("m", 1, Stage.PRODUCTION)
    office.move("m", 2, Stage.PRODUCTION)
    office.move("m", 3, Stage.STAGING)
    office.move("m", 3, Stage.PRODUCTION, archive_existing=True)
    return office


def rolled_back(office: Office, *, dry_run: bool = False, actor: Actor = ANN, name: str = "m") -> Rollback:
    """Roll a model back."""
    with transaction(office.engine) as session:
        return roll_back(session, actor, name, dry_run=dry_run, comment="Too slow.")


def told(found: Rollback) -> list[tuple[int, str, str]]:
    """Return the moves of a roll back."""
    return [(move.version, move.from_stage, move.to_stage) for move in found.moves]


def test_a_dry_run_only_tells(promoted: Office) -> None:
    before = promoted.stages()

    found = rolled_back(promoted, dry_run=True)

    assert told(found) == [(1, "Archived", "Production"), (2, "Archived", "Production"), (3, "Production", "Staging")]
    assert (list(found.production), found.left) == ([1, 2], {})
    assert promoted.stages() == before


def test_the_previous_set_returns_while_the_promotions_job_still_waits(promoted: Office) -> None:
    counter = promoted.change_counter()

    found = rolled_back(promoted)

    assert promoted.stages() == {1: "Production", 2: "Production", 3: "Staging", 4: "None"}
    assert promoted.change_counter() > counter
    steps = promoted.feed("APPLIED_TRANSITION")[-3:]
    assert {(step.from_stage, step.to_stage, step.comment) for step in steps} == {
        ("Archived", "Production", "Too slow."),
        ("Production", "Staging", "Too slow."),
    }
    assert len({step.created_at_ms for step in steps}) == 1
    assert steps[0].created_at_ms > found.undone_at_ms


def test_it_is_the_same_when_the_job_has_recorded_and_is_gone(promoted: Office) -> None:
    promoted.work_off()
    promoted.forget_jobs()

    rolled_back(promoted)

    assert promoted.stages() == {1: "Production", 2: "Production", 3: "Staging", 4: "None"}


def test_a_roll_back_is_undone_by_the_next(promoted: Office) -> None:
    before = promoted.stages()

    rolled_back(promoted)
    rolled_back(promoted)

    assert promoted.stages() == before


def test_a_version_that_was_taken_from_production_returns(promoted: Office) -> None:
    promoted.move("m", 3, Stage.NONE)

    assert told(rolled_back(promoted)) == [(3, "None", "Production")]


def test_a_version_that_joined_the_others_leaves_them(promoted: Office) -> None:
    promoted.move("m", 4, Stage.PRODUCTION)

    found = rolled_back(promoted)

    assert (told(found), list(found.production)) == ([(4, "Production", "None")], [3])


def test_a_set_that_was_thinned_out_without_a_move_returns(office: Office) -> None:
    office.versions("m", 2)
    office.move("m", 1, Stage.PRODUCTION)
    office.move("m", 2, Stage.PRODUCTION)
    office.move("m", 2, Stage.PRODUCTION, archive_existing=True)

    assert told(rolled_back(office)) == [(1, "Archived", "Production")]


def test_what_was_moved_or_deleted_since_does_not_return(promoted: Office) -> None:
    promoted.move("m", 1, Stage.STAGING)
    promoted.set("m", 2, deleted_at_ms=5)

    found = rolled_back(promoted)

    # What stands in another stage now is no more of those that stepped aside.
    assert told(found) == [(3, "Production", "Staging")]
    assert found.left == {2: "It was deleted since."}
    assert promoted.stages()[1] == "Staging"


def test_a_version_that_went_on_from_where_it_was_put_stays(promoted: Office) -> None:
    promoted.move("m", 3, Stage.NONE)
    promoted.move("m", 3, Stage.STAGING)

    with pytest.raises(InvalidState, match=r"Version 3: It was moved to Staging since."):
        rolled_back(promoted)


def test_an_approval_is_undone_like_a_move(promoted: Office) -> None:
    with transaction(promoted.engine) as session:
        create_transition_request(session, ANN, "m", 4, to=Stage.PRODUCTION)
    with transaction(promoted.engine) as session:
        approve_transition_request(
            session, ANN, "m", 4, to=Stage.PRODUCTION, archive_existing=True, queue=promoted.queue
        )

    found = rolled_back(promoted)

    assert told(found) == [(3, "Archived", "Production"), (4, "Production", "None")]


def test_a_damaged_version_does_not_return(promoted: Office) -> None:
    promoted.model("other")
    promoted.ready("other")
    with transaction(promoted.engine) as session:
        session.execute(insert(Blob).values(digest="b" * 64, size_bytes=1, state="live", broken_at_ms=1))
        session.execute(insert(ManifestBlob).values(manifest_digest=MANIFEST, digest="b" * 64, state="live"))
        session.execute(update(ModelVersion).where(ModelVersion.version == 2).values(manifest_digest=MANIFEST))

    found = rolled_back(promoted)

    assert list(found.production) == [1]
    assert found.left[2].startswith("Damaged: 1 stored file cannot be read")


def test_without_a_change_there_is_nothing_to_roll_back(office: Office) -> None:
    office.versions("m", 1)
    office.move("m", 1, Stage.STAGING)

    with pytest.raises(InvalidState, match="has never had another Production set"):
        rolled_back(office)
    with pytest.raises(NotFound):
        rolled_back(office, name="n")


def test_what_cannot_be_undone_is_refused_with_the_reasons(office: Office) -> None:
    office.versions("m", 1)
    office.move("m", 1, Stage.PRODUCTION)
    office.move("m", 1, Stage.NONE)
    office.set("m", 1, deleted_at_ms=5)

    with pytest.raises(InvalidState, match=r"cannot be undone. Version 1: It was deleted since."):
        rolled_back(office)


def test_whoever_may_not_move_production_rolls_nothing_back(promoted: Office) -> None:
    before = promoted.stages()

    with pytest.raises(PermissionDenied):
        rolled_back(promoted, actor=STRANGER)

    assert promoted.stages() == before
