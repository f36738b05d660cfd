"""`modelyard store adopt`: a store taken over by the database that these settings name."""

from modelyard.database.engine import create_engine
from modelyard.database.schema import require_schema
from modelyard.registry.installation import known_owner
from modelyard.runtime import store_place
from modelyard.settings import Settings
from modelyard.storage.identity import Owner, StoreIdentity
from modelyard.storage.store import Store
from modelyard.storage.stores import open_store


def describe_adoption(settings: Settings) -> str:
    """Return whose the store is now, and whose it would be. Raises ConfigurationError."""
    store, owner = _open(settings)
    try:
        return _told(store.identity(), owner, store.place)
    finally:
        store.close()


def adopt_store(settings: Settings) -> str:
    """Make the store this database's own; return what was done. Raises ConfigurationError."""
    store, owner = _open(settings)
    try:
        before = store.adopt(owner)
        return f"The store {store.place} is this database's own now (it was that of {_name(before)})."
    finally:
        store.close()


def _open(settings: Settings) -> tuple[Store, Owner]:
    engine = create_engine(settings.database)
    try:
        require_schema(engine)
        owner = known_owner(engine)
    finally:
        engine.dispose()
    return open_store(store_place(settings, owner.registry_id), owner), owner


def _told(identity: StoreIdentity | None, owner: Owner, place: str) -> str:
    if identity is not None and identity.owner == owner:
        return f"The store {place} is this database's own already."
    return (
        f"The store {place} belongs to {_name(identity)}. This is the registry {owner.registry_id} on the database "
        f"{owner.database}."
    )


def _name(identity: StoreIdentity | None) -> str:
    if identity is None:
        return "nobody"
    return f"the registry {identity.owner.registry_id} on the database {identity.owner.database or '(none)'}"
