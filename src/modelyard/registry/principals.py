"""Principals: found by name or number, entered, listed. What users and groups have in common."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from modelyard.database.tables import Principal
from modelyard.errors import AlreadyExists, InvalidState, InvalidValue, NotFound
from modelyard.rules.principals import PrincipalKind, folded

LIVING = col(Principal.deleted_at_ms).is_(None)
# The rows that the migration entered.
ADMINS_ID, LOCAL_ID, ADMIN_ID = 1, 2, 3


def find_principal(session: Session, kind: PrincipalKind, name: str) -> Principal | None:
    """Return the living principal called `name`, in any letter case; None if there is none."""
    statement = select(Principal).where(col(Principal.kind) == kind, col(Principal.folded) == folded(name), LIVING)
    return session.exec(statement).one_or_none()


def find_account(session: Session, name: str) -> Principal | None:
    """Return the living user or service principal called `name`; their names never meet."""
    statement = select(Principal).where(
        col(Principal.kind) != PrincipalKind.GROUP, col(Principal.folded) == folded(name), LIVING
    )
    return session.exec(statement).one_or_none()


def require_account(session: Session, name: str) -> Principal:
    """Return the user or service principal called `name`. Raises NotFound."""
    found = find_account(session, name)
    if found is None:
        raise NotFound(f"There is no user or service principal {name[:300]!r}.")
    return found


def principal_of_id(session: Session, kind: PrincipalKind, number: str, *, lock: bool = False) -> Principal:
    """Return the living principal with this number, its row locked if so asked. Raises NotFound."""
    statement = select(Principal).where(col(Principal.kind) == kind, LIVING)
    statement = statement.where(col(Principal.id) == _row_number(kind, number))
    found = session.exec(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound(f"There is no {shown_kind(kind)} with the id {number[:50]!r}.")
    return found


def account_of_id(session: Session, row_id: int, *, lock: bool = False) -> Principal:
    """Return the living user or service principal with this number, locked if so asked. Raises NotFound."""
    statement = select(Principal).where(col(Principal.kind) != PrincipalKind.GROUP, col(Principal.id) == row_id, LIVING)
    found = session.exec(statement.with_for_update() if lock else statement).one_or_none()
    if found is None:
        raise NotFound(f"There is no user or service principal with the id {row_id}.")
    return found


def principal_of_row(session: Session, row_id: int) -> Principal:
    """Return the living principal with this row id, of whatever kind. Raises NotFound."""
    found = session.get(Principal, row_id)
    if found is None or found.deleted_at_ms is not None:
        raise NotFound(f"There is no user with the id {row_id}.")
    return found


def list_principals(
    session: Session,
    kind: PrincipalKind,
    *conditions: ColumnElement[bool],
    order: ColumnElement[object] | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[list[Principal], int]:
    """Return living principals of a kind, and how many there are in all. The registry's own users are left out."""
    where = (col(Principal.kind) == kind, LIVING, *conditions)
    if kind is not PrincipalKind.GROUP:
        where = (*where, col(Principal.builtin).is_(False))
    total = session.exec(select(func.count()).select_from(Principal).where(*where)).one()
    statement = select(Principal).where(*where).order_by(*([order] if order is not None else []), col(Principal.id))
    return list(session.exec(statement.offset(offset).limit(limit))), total


def lock_admins(session: Session) -> None:
    """Let nobody else change who is an administrator until this transaction ends."""
    session.exec(select(Principal.id).where(col(Principal.id) == ADMINS_ID).with_for_update()).one()


def insert_principal(session: Session, principal: Principal) -> None:
    """Store a new principal, or one that comes back. Raises AlreadyExists when another request was faster."""
    session.add(principal)
    try:
        session.flush()
    except IntegrityError as error:
        raise taken(principal) from error


def taken(principal: Principal) -> AlreadyExists:
    """Return the refusal to enter somebody twice."""
    return AlreadyExists(f"The {shown_kind(principal.kind)} {principal.name!r} already exists.")


def check_changeable(principal: Principal) -> None:
    """Raise InvalidState for a principal that belongs to the registry itself."""
    if principal.builtin:
        raise InvalidState(f"The {shown_kind(principal.kind)} {principal.name!r} is the registry's own and stays.")


def label(principal: Principal) -> str:
    """Return how the audit log names a principal."""
    return label_of(principal.kind, principal.name)


def label_of(kind: str, name: str) -> str:
    """Return how the audit log names the principal of this kind and name."""
    return f"{kind}:{name}"


def shown_kind(kind: str) -> str:
    """Return a kind of principals in words."""
    return kind.replace("_", " ")


def principals_named(session: Session, wanted: Iterable[tuple[PrincipalKind, str]]) -> dict[tuple[str, str], Principal]:
    """Return (kind, folded name) -> principal for each one wanted, held against deletion until the transaction ends.

    A service principal's application id is found among user names too. Raises InvalidValue naming who is unknown.
    """
    pairs = list(wanted)
    found = {
        (row.kind, row.folded): row
        for row in session.exec(
            select(Principal)
            .where(col(Principal.folded).in_([folded(name) for _, name in pairs]), LIVING)
            .order_by(col(Principal.id))
            .with_for_update(read=True)
        )
    }
    return {(kind, folded(name)): _chosen(found, kind, name) for kind, name in pairs}


def _chosen(found: dict[tuple[str, str], Principal], kind: PrincipalKind, name: str) -> Principal:
    kinds: Sequence[PrincipalKind] = (kind,)
    if kind is PrincipalKind.USER:
        kinds = (PrincipalKind.USER, PrincipalKind.SERVICE_PRINCIPAL)
    for one in kinds:
        if (one, folded(name)) in found:
            return found[one, folded(name)]
    raise InvalidValue(f"There is no {shown_kind(kind)} {name[:300]!r}. Create it first, or correct the name.")


def _row_number(kind: PrincipalKind, number: str) -> int:
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise NotFound(f"There is no {shown_kind(kind)} with the id {number[:50]!r}; ids are numbers.")
    return int(number)
