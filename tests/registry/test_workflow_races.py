"""Two people answer at the same moment: one wins, the other is told clearly, nothing is half-done.

Each race is run in rounds, each on a version of its own, with two threads that start together.
"""

from collections.abc import Callable, Iterator
from threading import Barrier, Thread

import pytest
from sqlmodel import Session, col, select

from modelyard.database.session import reading, repeat_conflicts, transaction
from modelyard.database.tables import Activity, AuditEntry, ModelVersion, OutboxEvent, TransitionRequest
from modelyard.errors import ModelyardError
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import delete_model_version
from modelyard.registry.transition_requests import (
    approve_transition_request,
    cancel_transition_request,
    create_transition_request,
    reject_transition_request,
)
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.rules.permissions import Level
from modelyard.rules.stages import Stage
from tests.registry.desks import ANN, CONSOLE, Desk

ROUNDS = 12
MOVES = ("APPLIED_TRANSITION", "APPROVED_REQUEST", "SYSTEM_TRANSITION")
ANSWERS = ("APPROVED_REQUEST", "REJECTED_REQUEST", "CANCELLED_REQUEST")

Deed = Callable[[Desk, Session, int], object]


def approve(desk: Desk, session: Session, number: int) -> object:
    return approve_transition_request(
        session, ANN, "m", number, to=Stage.PRODUCTION, archive_existing=False, queue=desk.queue
    )


def reject(desk: Desk, session: Session, number: int) -> object:
    return reject_transition_request(session, CONSOLE, "m", number, to=Stage.PRODUCTION)


def cancel(desk: Desk, session: Session, number: int) -> object:
    return cancel_transition_request(
        session, Actor("bob", is_admin=True), "m", number, to=Stage.PRODUCTION, creator="bob"
    )


def delete(desk: Desk, session: Session, number: int) -> object:
    return delete_model_version(session, CONSOLE, "m", number, lifecycle=desk.lifecycle)


def move(desk: Desk, session: Session, number: int) -> object:
    return transition_model_version_stage(
        session, CONSOLE, "m", number, to=Stage.PRODUCTION, archive_existing=False, queue=desk.queue
    )


def race(desk: Desk, *deeds: Callable[[Session], object]) -> list[str]:
    """Do these at the same moment, each as a route would; return what became of each: "done" or the error's name."""
    barrier, outcomes = Barrier(len(deeds)), [""] * len(deeds)

    def once(deed: Callable[[Session], object]) -> None:
        with transaction(desk.engine) as session:
            deed(session)

    def run(place: int, deed: Callable[[Session], object]) -> None:
        barrier.wait()
        try:
            repeat_conflicts(lambda: once(deed))
            outcomes[place] = "done"
        except ModelyardError as error:
            outcomes[place] = type(error).__name__

    threads = [Thread(target=run, args=given) for given in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def violations(desk: Desk) -> list[str]:
    """Return what does not fit together: stages, requests, activities, events, the audit log."""
    with reading(desk.engine) as session:
        return [wrong for version in session.exec(select(ModelVersion)) for wrong in wrongs_of(session, version)]


def wrongs_of(session: Session, version: ModelVersion) -> Iterator[str]:
    told = session.exec(select(Activity).where(Activity.version_id == version.id).order_by(col(Activity.id))).all()
    requests = session.exec(select(TransitionRequest).where(TransitionRequest.version_id == version.id)).all()
    moves = [one for one in told if one.activity_type in MOVES]
    last = moves[-1].to_stage if moves else "None"
    counts = {"moves": len(moves), "events": events_of(session, version), "audited": audited_moves(session, version)}
    if last != version.stage:
        yield f"{version.version} is in {version.stage}, its last activity says {last}"
    if len(set(counts.values())) > 1:
        yield f"{version.version}: {counts}"
    if any(one.status == "OPEN" and one.to_stage == version.stage for one in requests):
        yield f"{version.version}: a request for its own stage is open"
    closed_by = {one.closed_by_id for one in requests if one.status != "OPEN"}
    if not closed_by <= {one.id for one in told if one.activity_type in (*ANSWERS, "APPLIED_TRANSITION")}:
        yield f"{version.version}: a request was closed by nothing"
    if not {one.id for one in told if one.activity_type in ANSWERS} <= closed_by:
        yield f"{version.version}: an answer answers nothing"


def events_of(session: Session, version: ModelVersion) -> int:
    moved = select(OutboxEvent).where(OutboxEvent.event == "MODEL_VERSION_TRANSITIONED_STAGE")
    return len(session.exec(moved.where(OutboxEvent.version_id == version.id)).all())


def audited_moves(session: Session, version: ModelVersion) -> int:
    about = select(AuditEntry).where(AuditEntry.model_id == version.model_id, AuditEntry.version == version.version)
    return len([entry for entry in session.exec(about) if "stage" in (entry.before or {})])


@pytest.mark.shows("approve", "reject", "cancel")
@pytest.mark.parametrize(
    ("one", "other", "loser"),
    [
        (approve, approve, {"NotFound"}),
        (approve, reject, {"NotFound"}),
        (approve, cancel, {"NotFound"}),
        (reject, cancel, {"NotFound"}),
        (reject, reject, {"NotFound"}),
        (cancel, cancel, {"NotFound"}),
        # Deleting wins over a version in None; once it is in Production it cannot be deleted.
        (approve, delete, {"NotFound", "InvalidState"}),
        (reject, delete, {"NotFound", "done"}),
        (approve, move, {"NotFound", "done"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_of_two_answers_at_once_one_wins(desk: Desk, one: Deed, other: Deed, loser: set[str]) -> None:
    desk.model()
    bob = desk.grant("bob", Level.CAN_READ)
    outcomes = []

    for _ in range(ROUNDS):
        number = desk.ready().version
        with transaction(desk.engine) as session:
            create_transition_request(session, bob, "m", number, to=Stage.PRODUCTION)
        outcomes.append(
            race(
                desk,
                lambda session, number=number: one(desk, session, number),
                lambda session, number=number: other(desk, session, number),
            )
        )

    assert violations(desk) == []
    for outcome in outcomes:
        assert "done" in outcome, outcomes
        rest = list(outcome)
        rest.remove("done")
        assert set(rest) <= loser, outcomes


@pytest.mark.shows("only-one")
def test_of_two_promotions_with_archive_at_once_one_version_stays(desk: Desk) -> None:
    desk.model()

    def promote(number: int) -> Callable[[Session], object]:
        return lambda session: transition_model_version_stage(
            session, ANN, "m", number, to=Stage.PRODUCTION, archive_existing=True, queue=desk.queue
        )

    for _ in range(ROUNDS):
        first, second = desk.ready().version, desk.ready().version
        assert race(desk, promote(first), promote(second)) == ["done", "done"]
        assert sorted(desk.stages().values()).count("Production") == 1

    archived = sum(len(job.arguments["versions"]) for job in desk.jobs() if job.kind == "archive_versions")
    assert archived == 2 * ROUNDS - 1


def test_a_direct_promotion_and_an_approval_with_archive_leave_one_version(desk: Desk) -> None:
    desk.model()
    bob = desk.grant("bob", Level.CAN_READ)

    for _ in range(ROUNDS):
        asked, moved = desk.ready().version, desk.ready().version
        with transaction(desk.engine) as session:
            create_transition_request(session, bob, "m", asked, to=Stage.PRODUCTION)
        outcome = race(
            desk,
            lambda session, number=asked: approve_transition_request(
                session, ANN, "m", number, to=Stage.PRODUCTION, archive_existing=True, queue=desk.queue
            ),
            lambda session, number=moved: transition_model_version_stage(
                session, ANN, "m", number, to=Stage.PRODUCTION, archive_existing=True, queue=desk.queue
            ),
        )
        assert outcome == ["done", "done"]
        assert sorted(desk.stages().values()).count("Production") == 1
        assert desk.open_requests(number=asked) == []


def test_of_many_who_ask_for_the_same_at_once_each_has_one_request(desk: Desk) -> None:
    desk.model()
    bob, eve = desk.grant("bob", Level.CAN_READ), desk.grant("eve", Level.CAN_READ)

    for _ in range(ROUNDS):
        number = desk.ready().version

        def ask(actor: Actor, number: int = number) -> Callable[[Session], object]:
            return lambda session: create_transition_request(session, actor, "m", number, to=Stage.PRODUCTION)

        assert race(desk, ask(bob), ask(bob), ask(eve), ask(eve)) == ["done"] * 4
        assert sorted(desk.open_requests(number=number)) == [("bob", "Production"), ("eve", "Production")]

    assert violations(desk) == []


def test_the_check_would_see_what_is_half_done(desk: Desk) -> None:
    desk.model()
    desk.ready()
    with transaction(desk.engine) as session:
        version = session.exec(select(ModelVersion)).one()
        version.stage = "Production"

    assert violations(desk) != []
