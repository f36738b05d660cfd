"""`modelyard doctor`: looks at a live registry from its database to its files, and changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from modelyard.console import surroundings
from modelyard.database.engine import create_engine
from modelyard.database.session import autocommit, is_outage
from modelyard.errors import ConfigurationError, TemporaryFailure
from modelyard.registry.damage_checks import find_damage
from modelyard.registry.health_checks import Finding, find_wrong_rows
from modelyard.registry.installation import known_owner
from modelyard.registry.stalled_checks import Periods, find_stalled
from modelyard.registry.store_checks import find_wrong_blobs, find_wrong_manifests
from modelyard.registry.stray_files import find_lost_staging, find_stray_blobs
from modelyard.runtime import store_place
from modelyard.settings import Settings
from modelyard.storage.identity import Owner
from modelyard.storage.stores import Place, open_store

# A store that is gone as a whole is told by its first thousand files.
MOST_FINDINGS = 1000
# Sweeps clear staging away each dozen rounds; this many such rounds may be missed.
CLEANING_SWEEPS = 36


@dataclass(frozen=True, slots=True)
class Section:
    """One thing that was looked at: `findings` are what is wrong; `skipped` says why nobody could look."""

    name: str
    about: str
    findings: list[Finding] = field(default_factory=list)
    skipped: str = ""


def examine(settings: Settings, *, deep: bool, on_piece: Callable[[int], None]) -> Iterator[Section]:
    """Yield every section as soon as it is known; with `deep`, every file of the store is read.

    `on_piece` is called with the bytes of each piece that was read. Raises ConfigurationError for settings that name
    no database or store.
    """
    engine = create_engine(settings.database)
    name = surroundings.database_name(settings)
    missing = surroundings.missing_database_file(settings)
    if missing:
        yield Section("database", name, [missing])
        return
    try:
        yield from _examine_connected(engine, settings, deep=deep, on_piece=on_piece)
    except DBAPIError as error:
        if not is_outage(error):
            raise
        yield Section("database", name, [surroundings.silent_database(settings, " ".join(str(error.orig).split()))])
    finally:
        engine.dispose()


def _examine_connected(
    engine: Engine, settings: Settings, *, deep: bool, on_piece: Callable[[int], None]
) -> Iterator[Section]:
    yield _looked("clock", surroundings.database_name(settings), surroundings.find_clock_skew(engine))
    schema = _looked("schema", "the database's tables", surroundings.find_wrong_schema(engine))
    yield schema
    if schema.findings:
        yield Section("everything else", "", skipped="the schema must be brought up to date first")
        return
    yield _looked("secret key", "the key that signs links", surroundings.find_wrong_key(engine, settings))
    yield _broker(settings)
    periods = Periods(lease_ms=int(settings.lease_s * 1000), sweep_ms=int(settings.sweep_s * 1000))
    with autocommit(engine) as connection:
        yield _looked("work", "workers, waiting jobs, schedules", find_stalled(connection, periods))
        yield _looked("rows", "what must always be true of them", find_wrong_rows(connection))
        yield _looked("damage", "what verifications have found", find_damage(connection))
    yield from _examine_store(engine, settings, periods, deep=deep, on_piece=on_piece)


def _broker(settings: Settings) -> Section:
    if settings.broker_url is None:
        return Section("broker", "", skipped="the embedded one of `modelyard up` answers its own processes only")
    found = surroundings.find_silent_broker(settings.broker_url.get_secret_value())
    return _looked("broker", "what wakes the workers", found)


def _examine_store(
    engine: Engine, settings: Settings, periods: Periods, *, deep: bool, on_piece: Callable[[int], None]
) -> Iterator[Section]:
    owner = known_owner(engine)
    place = store_place(settings, owner.registry_id)
    missing = surroundings.missing_store(place)
    if missing:
        yield Section("store", str(place), [missing])
        return
    try:
        yield from _examine_files(engine, place, owner, periods, deep=deep, on_piece=on_piece)
    except (ConfigurationError, TemporaryFailure) as error:
        yield Section("store", str(place), [surroundings.closed_store(error)])


def _examine_files(
    engine: Engine, place: Place, owner: Owner, periods: Periods, *, deep: bool, on_piece: Callable[[int], None]
) -> Iterator[Section]:
    """Yield the sections of a store. Raises ConfigurationError, TemporaryFailure when it cannot be used."""
    store = open_store(place, owner)
    try:
        whose = _looked("store", store.place, surroundings.find_wrong_owner(store, owner))
        yield whose
        if whose.findings:
            yield Section("files", "", skipped="they are those of another registry")
            return
        blobs = find_wrong_blobs(engine, store, deep=deep, on_piece=on_piece)
        yield _looked("files", "there, with their size" + (" and digest" if deep else ""), blobs)
        yield _looked("manifests", "the lists of versions' files", find_wrong_manifests(engine, store))
        patience_ms = CLEANING_SWEEPS * periods.sweep_ms + periods.patience_ms
        lost = find_lost_staging(engine, store, patience_ms=patience_ms)
        yield _looked("strays", "files that nobody knows of", chain(find_stray_blobs(engine, store), lost))
    finally:
        store.close()


def _looked(name: str, about: str, found: Iterable[Finding]) -> Section:
    return Section(name, about, list(islice(found, MOST_FINDINGS)))
