"""Open transition requests: which there are, and how whatever answers them closes them."""

from collections.abc import Sequence

from sqlalchemy import update
from sqlmodel import Session, col, select

from modelyard.database.tables import Activity, TransitionRequest
from modelyard.rules.stages import Stage
from modelyard.rules.transition_requests import RequestStatus

OPEN = col(TransitionRequest.status) == RequestStatus.OPEN


def open_requests(session: Session, version_id: int) -> list[Activity]:
    """Return a version's open requests, oldest first, each as the activity that it is."""
    statement = (
        select(Activity)
        .join(TransitionRequest, col(TransitionRequest.id) == col(Activity.id))
        .where(col(TransitionRequest.version_id) == version_id, OPEN)
    )
    return list(session.exec(statement.order_by(col(Activity.id))))


def open_request_ids(session: Session, version_id: int) -> set[int]:
    """Return the ids of a version's open requests."""
    return set(session.exec(select(TransitionRequest.id).where(col(TransitionRequest.version_id) == version_id, OPEN)))


def find_open_request(session: Session, version_id: int, to_stage: Stage, requested_by: str) -> Activity | None:
    """Return somebody's open request to move a version to a stage, None if there is none."""
    statement = (
        select(Activity)
        .join(TransitionRequest, col(TransitionRequest.id) == col(Activity.id))
        .where(
            col(TransitionRequest.version_id) == version_id,
            col(TransitionRequest.to_stage) == to_stage,
            col(TransitionRequest.requested_by) == requested_by,
            OPEN,
        )
    )
    return session.exec(statement).one_or_none()


def close_requests(
    session: Session,
    version_ids: Sequence[int],
    to_stage: Stage,
    status: RequestStatus,
    *,
    closed_by_id: int | None,
    requested_by: str | None = None,
) -> int:
    """Close the open requests to move these versions to a stage, of one person if so asked; return how many."""
    statement = update(TransitionRequest).where(
        col(TransitionRequest.version_id).in_(version_ids), col(TransitionRequest.to_stage) == to_stage, OPEN
    )
    if requested_by is not None:
        statement = statement.where(col(TransitionRequest.requested_by) == requested_by)
    closed = session.execute(
        statement.values(status=status, closed_by_id=closed_by_id).execution_options(synchronize_session=False)
    )
    return int(closed.rowcount)  # type: ignore[attr-defined]
