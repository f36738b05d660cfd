"""Open transition requests: which there are, and how whatever answers them closes them."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam, literal_column, update
from sqlmodel import Session, col, select

from modelyard.database.tables import Activity, TransitionRequest, metadata
from modelyard.rules.stages import Stage
from modelyard.rules.transition_requests import RequestStatus

OPEN = col(TransitionRequest.status) == RequestStatus.OPEN
_requests = metadata.tables["transition_requests"]
_versions = metadata.tables["model_versions"]
_other = _versions.alias("other")
# Written out: SQLite takes the index of open requests for the word alone, not for a bound value.
_OPEN_ROW: ColumnElement[bool] = _requests.c.status == literal_column(f"'{RequestStatus.OPEN}'")
# Every promotion asks for it, and there is hardly ever one.
_CLOSE = (
    update(_requests)
    .where(
        _requests.c.version_id.in_(bindparam("version_ids", expanding=True)),
        _requests.c.to_stage == bindparam("to"),
        _OPEN_ROW,
    )
    .values(status=bindparam("new_status"))
    .returning(_requests.c.id)
)
# Above so many versions it is asked first which of the model's have a request: a statement that names a thousand
# versions takes longer to write than all the rest of a promotion.
_MANY = 50
_ASKED_FOR = (
    select(_requests.c.version_id)
    .join(_versions, _versions.c.id == _requests.c.version_id)
    .where(
        _OPEN_ROW,
        _requests.c.to_stage == bindparam("to"),
        _versions.c.model_id == select(_other.c.model_id).where(_other.c.id == bindparam("one_id")).scalar_subquery(),
    )
)


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
    requested_by: str | None = None,
) -> list[int]:
    """Close the open requests to move these versions of one model to a stage, of one person if so asked.

    Returns their ids. The model is locked: nobody opens or closes one meanwhile.
    """
    if len(version_ids) > _MANY:
        asked = {"to": to_stage, "one_id": version_ids[0]}
        version_ids = sorted(set(version_ids).intersection(session.connection().scalars(_ASKED_FOR, asked)))
    if not version_ids:
        return []
    closing = _CLOSE.where(_requests.c.requested_by == requested_by) if requested_by is not None else _CLOSE
    given = {"version_ids": version_ids, "to": to_stage, "new_status": status}
    return list(session.connection().scalars(closing, given))


def note_answer(session: Session, request_ids: Sequence[int], activity_id: int) -> None:
    """Write down which activity closed these requests."""
    if request_ids:
        session.connection().execute(
            update(_requests).where(_requests.c.id.in_(request_ids)).values(closed_by_id=activity_id)
        )
