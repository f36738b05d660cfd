"""What makes this registry this one: its id, its database, the key its processes sign with, its schedules."""

import hashlib
import os
from collections.abc import Iterable, Sequence

from sqlalchemy import Engine, ScalarSelect, Table, func, select, text, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_or
from modelyard.database.session import autocommit, reading, transaction
from modelyard.database.tables import Registry, metadata, public_id
from modelyard.errors import ConfigurationError
from modelyard.registry import policies, schedules
from modelyard.storage.identity import Owner

registry = metadata.tables["registry"]
_schedules, _policies = metadata.tables["schedules"], metadata.tables["policies"]


def _count_of(table: Table, names: Iterable[str]) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).where(table.c.name.in_(sorted(names))).scalar_subquery()


_LOOK = select(
    registry.c.registry_id,
    registry.c.secret_key_fingerprint,
    _count_of(_schedules, schedules.BUILT_IN),
    _count_of(_policies, (wish.name for wish in policies.READY_MADE)),
)


def open_registry(engine: Engine, secret_keys: Sequence[str]) -> str:
    """Return the registry's id, made at the first start as its schedules are; check that the keys are this registry's.

    `secret_keys` are newest first; the newest of them is the one that the database remembers from now on.
    Raises ConfigurationError when none of them is the key that the other processes use.
    """
    prints = [fingerprint(key) for key in secret_keys]
    with autocommit(engine) as connection:
        looked = connection.execute(_LOOK).one_or_none()
    # Nothing to do, as in every process but the first: no lock is taken.
    if looked and tuple(looked[1:]) == (prints[0], len(schedules.BUILT_IN), len(policies.READY_MADE)):
        return str(looked.registry_id)
    with transaction(engine) as session:
        row = _the_row(session)
        if row.secret_key_fingerprint not in (None, *prints):
            raise ConfigurationError(
                "This process has another secret key than the rest of the registry. "
                "Set MODELYARD_SECRET_KEY to the same value everywhere (it stands in the file `secret.key` under "
                "MODELYARD_HOME where it was generated); to change it, put the new key before the old, by a comma."
            )
        if row.secret_key_fingerprint != prints[0]:
            session.execute(update(registry).values(secret_key_fingerprint=prints[0]))
        # The registry's row is locked, so two processes that start at once enter nothing twice.
        schedules.ensure_built_in(session)
        policies.ensure_ready_made(session)
        return row.registry_id


def known_registry_id(engine: Engine) -> str:
    """Return the registry's id. Raises ConfigurationError for a database that no server has opened yet."""
    with reading(engine) as session:
        found: str | None = session.scalars(select(registry.c.registry_id)).one_or_none()
    if found is None:
        raise ConfigurationError("This database has never been opened by a server. Start one first.")
    return found


def known_owner(engine: Engine) -> Owner:
    """Return what a store of this registry on this database names. Raises ConfigurationError."""
    return Owner(known_registry_id(engine), database_identity(engine))


def database_identity(engine: Engine) -> str:
    """Return a text that this very database has and no copy of it: 32 hex digits.

    A restored backup counts as a copy. A database that was moved does too, and its operator confirms that once by
    `modelyard store adopt`; a server that was started again, or a replica that took over, is the same.
    """
    if engine.dialect.name == "sqlite":
        path = os.path.realpath(str(engine.url.database))
        known_by = f"{path} {os.stat(path).st_ino}"
    else:
        with engine.connect() as connection:
            known_by = str(connection.execute(text(_POSTGRESQL_IDENTITY)).one())
    return hashlib.sha256(b"modelyard database\0" + known_by.encode()).hexdigest()[:32]


# The cluster's own number, which a dump does not carry, and that of the database in it.
_POSTGRESQL_IDENTITY = """
    SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_system()
"""


def fingerprint(key: str) -> str:
    """Return what the database may know of a key: 64 hex digits from which it cannot be found."""
    return hashlib.sha256(b"modelyard secret key\0" + key.encode()).hexdigest()


def _the_row(session: Session) -> Registry:
    session.execute(
        insert_or(session, registry)
        .values(id=1, registry_id=public_id(), created_at_ms=now_ms())
        .on_conflict_do_nothing()
    )
    return session.scalars(select(Registry).with_for_update()).one()
