"""What makes this registry this one: its id, the key that all of its processes sign with, its built-in schedules."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import Engine, update
from sqlmodel import Session, select

from modelyard.database.clock import now_ms
from modelyard.database.session import transaction
from modelyard.database.tables import Registry, metadata, public_id
from modelyard.errors import ConfigurationError
from modelyard.registry import schedules
from modelyard.registry.blobs import insert_or

registry = metadata.tables["registry"]


def open_registry(engine: Engine, secret_keys: Sequence[str]) -> str:
    """Return the registry's id, made at the first start as its schedules are; check that the keys are this registry's.

    `secret_keys` are newest first; the newest of them is the one that the database remembers from now on.
    Raises ConfigurationError when none of them is the key that the other processes use.
    """
    prints = [fingerprint(key) for key in secret_keys]
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
        return row.registry_id


def fingerprint(key: str) -> str:
    """Return what the database may know of a key: 64 hex digits from which it cannot be found."""
    return hashlib.sha256(b"modelyard secret key\0" + key.encode()).hexdigest()


def _the_row(session: Session) -> Registry:
    session.execute(
        insert_or(session, registry)
        .values(id=1, registry_id=public_id(), created_at_ms=now_ms())
        .on_conflict_do_nothing()
    )
    return session.exec(select(Registry).with_for_update()).one()
