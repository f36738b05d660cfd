"""What a registry stands on, asked by the doctor: database, schema, clocks, key, store, broker. Nothing is changed."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine, select
from sqlalchemy.engine import make_url

from modelyard.database.clock import now_ms
from modelyard.database.schema import HEAD, current_revision
from modelyard.database.session import autocommit
from modelyard.database.tables import metadata
from modelyard.errors import ConfigurationError, ModelyardError
from modelyard.jobs.broker import Bell, create_broker
from modelyard.registry.health_checks import Finding
from modelyard.registry.installation import fingerprint
from modelyard.rules.jobs import QUEUES
from modelyard.runtime import secret_keys
from modelyard.settings import Settings
from modelyard.storage.identity import Owner
from modelyard.storage.store import Store
from modelyard.storage.stores import Place

registry = metadata.tables["registry"]

# Links and sessions are judged by the clock of the machine that is asked; a few seconds hurt nobody.
SKEW_S = 5.0


def database_name(settings: Settings) -> str:
    """Return the database's URL without its password."""
    return make_url(settings.database).render_as_string(hide_password=True)


def missing_database_file(settings: Settings) -> Finding | None:
    """Return what is wrong when the SQLite file is not there; connecting would make an empty one."""
    url = make_url(settings.database)
    if url.get_backend_name() != "sqlite" or not url.database or Path(url.database).exists():
        return None
    return Finding(
        "no_database",
        f"There is no file {url.database}.",
        "This machine has no registry, or another one than you mean.",
        "Set MODELYARD_HOME or MODELYARD_DATABASE_URL as the server has it; for a new one: `modelyard up`.",
    )


def silent_database(settings: Settings, reason: str) -> Finding:
    """Return what is wrong when the database does not answer."""
    return Finding(
        "no_database",
        f"The database {database_name(settings)} does not answer: {reason}.",
        "Nothing works without it; workers wait, and every request is answered 503.",
        "Start it, or correct MODELYARD_DATABASE_URL.",
    )


def find_wrong_schema(engine: Engine) -> Iterator[Finding]:
    """Yield what is wrong when the schema is older than this release."""
    revision = current_revision(engine)
    if revision is None or revision < HEAD:
        yield Finding(
            "old_schema",
            f"The database's schema is at {revision or 'nothing'}, this release needs {HEAD}.",
            "Processes of this release refuse to start on it.",
            "`modelyard migrate`",
        )


def find_clock_skew(engine: Engine) -> Iterator[Finding]:
    """Yield what is wrong when this machine and the database disagree about the time."""
    with autocommit(engine) as connection:
        connection.scalar(select(now_ms()))  # The first one also connects.
        asked_s = time.time()
        database_s = (connection.scalar(select(now_ms())) or 0) / 1000
        took_s = time.time() - asked_s
    skew_s = database_s - (asked_s + took_s / 2)
    if abs(skew_s) > SKEW_S + took_s / 2:
        yield Finding(
            "clock_skew",
            f"The database's clock is {abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} this machine's.",
            "Jobs live by the database's clock alone, but signed links that one web server made end early or late on "
            "another.",
            "Let both machines follow the same time server (NTP).",
        )


def find_wrong_key(engine: Engine, settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong when the registry signs with another secret key than processes with these settings."""
    with autocommit(engine) as connection:
        known = connection.scalar(select(registry.c.secret_key_fingerprint))
    keys = secret_keys(settings, generate=False)
    if known is None or known in [fingerprint(key) for key in keys]:
        return
    yield Finding(
        "other_secret_key",
        "The secret key of these settings is not the registry's."
        if keys
        else f"There is no secret key here: MODELYARD_SECRET_KEY is not set, nor is there {settings.home}/secret.key.",
        "Processes with these settings refuse to start.",
        "Set MODELYARD_SECRET_KEY to the key of the running processes (`secret.key` under their MODELYARD_HOME).",
    )


def missing_store(place: Place) -> Finding | None:
    """Return what is wrong when there is no store in that folder; opening it would make one."""
    if not isinstance(place, Path) or (place / "store.json").is_file():
        return None
    return Finding(
        "no_store",
        f"There is no store in {place}: it has no store.json.",
        "The files of READY versions are not where these settings say; a volume may not be mounted.",
        "Mount it, or set MODELYARD_STORE_URL as the server has it. A registry that never ran has none yet.",
    )


def closed_store(error: ModelyardError) -> Finding:
    """Return what is wrong when the store cannot be opened, or does not answer."""
    return Finding(
        "no_store",
        error.message,
        "No file of a version can be read or stored with these settings, by this user.",
        "Correct the folder's permissions or its mount, or the bucket's credentials; or set MODELYARD_STORE_URL.",
    )


def find_wrong_owner(store: Store, owner: Owner) -> Iterator[Finding]:
    """Yield what is wrong when the store is another registry's, or that of a database which this is a copy of."""
    try:
        identity = store.identity()
    except ConfigurationError as error:
        yield Finding("unreadable_store", error.message, "Nobody can tell whose store this is.", "Restore the file.")
        return
    found = identity.owner.registry_id if identity else None
    if found != owner.registry_id:
        yield Finding(
            "store_of_another_registry",
            f"The store {store.place} belongs to the registry {found}; this database is the registry "
            f"{owner.registry_id}.",
            "The database was cloned, or the folder is shared: each would remove files that the other needs.",
            "Give this registry a store of its own with MODELYARD_STORE_URL, or connect the database that owns it.",
        )
    elif identity and identity.owner.database != owner.database:
        yield Finding(
            "store_of_another_database",
            f"The store {store.place} names another database of this registry as the one that counts its references.",
            "This database is a copy, was restored or was moved. Nothing is collected, so that no bytes are lost.",
            "`modelyard store adopt` if the other one is gone for good; else give one of them a store of its own.",
        )


def find_silent_broker(url: str) -> Iterator[Finding]:
    """Yield what is wrong when the broker does not answer."""
    bell = Bell(create_broker(url), quiet_s=0)
    if bell.depth(QUEUES[0]) is None:
        address = urlsplit(url)
        yield Finding(
            "no_broker",
            f"The broker at {address.hostname or address.path}:{address.port or 6379} does not answer.",
            "Nothing is lost, but no worker is woken: jobs wait until it is back.",
            "Start it, or correct MODELYARD_BROKER_URL.",
        )
