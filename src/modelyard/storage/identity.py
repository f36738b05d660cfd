"""Whose store this is: the content of `store.json`, which workers compare at their start and collectors each time."""

import json
import uuid
from dataclasses import dataclass

from modelyard.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Owner:
    """The registry that a store serves, and the very database that counts the references to its blobs.

    A copy of the database has the same `registry_id`. Only `database` tells it from the one that it was copied from.
    """

    registry_id: str
    database: str


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """A store's own id, given to it when it was made, and its owner."""

    store_id: str
    owner: Owner


def new_identity(owner: Owner) -> StoreIdentity:
    """Return the identity of a store that is made now."""
    return StoreIdentity(uuid.uuid4().hex, owner)


def adopted(before: StoreIdentity | None, owner: Owner) -> StoreIdentity:
    """Return the identity of a store that `owner` takes over; it keeps its own id."""
    return StoreIdentity(before.store_id, owner) if before else new_identity(owner)


def require_registry(found: StoreIdentity, owner: Owner, place: str) -> None:
    """Raise ConfigurationError when the store at `place` is another registry's."""
    if found.owner.registry_id != owner.registry_id:
        raise ConfigurationError(
            f"The store {place} belongs to the registry {found.owner.registry_id}, not to {owner.registry_id}. "
            "Give this registry a store of its own with MODELYARD_STORE_URL, or run `modelyard store adopt` here if "
            "the other registry is gone for good."
        )


def dump_identity(identity: StoreIdentity) -> bytes:
    """Return what `store.json` holds."""
    document = {
        "database": identity.owner.database,
        "owner": identity.owner.registry_id,
        "store_id": identity.store_id,
    }
    return json.dumps(document, sort_keys=True).encode() + b"\n"


def parse_identity(content: bytes) -> StoreIdentity:
    """Return what `store.json` says. Raises ValueError for anything but our own writing."""
    try:
        document = json.loads(content)
        owner = Owner(str(document["owner"]), str(document.get("database", "")))
        return StoreIdentity(str(document["store_id"]), owner)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{error!r} in {content[:200]!r}") from error
