"""What a running process holds: engine, store, sources, bell and keys, made from the settings after the fork."""

import os
import secrets
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from sqlalchemy import Engine

from modelyard.database.engine import create_engine
from modelyard.database.schema import require_schema
from modelyard.errors import ConfigurationError, SourceRefused
from modelyard.jobs.broker import Bell, create_broker
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.jobs.queue import JobQueue, no_bell
from modelyard.registry import job_effects
from modelyard.registry.installation import open_registry
from modelyard.rules.buckets import BUCKET_SCHEMES, BucketFolder, parse_bucket_folder
from modelyard.settings import Settings
from modelyard.storage.local_store import LocalStore
from modelyard.storage.roots import SourceRoots
from modelyard.storage.source_buckets import NO_BUCKETS, SourceBuckets
from modelyard.storage.store import Store
from modelyard.storage.tracking import TrackingServer
from modelyard.storage.tree import Limits

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of one process. `secret_keys` are newest first; `bell` is None without a broker."""

    settings: Settings
    engine: Engine
    store: Store
    roots: SourceRoots
    buckets: SourceBuckets
    tracking: TrackingServer | None
    limits: Limits
    lifecycle: Lifecycle
    bell: Bell | None
    secret_keys: tuple[str, ...]
    registry_id: str

    @classmethod
    def open(cls, settings: Settings) -> "Runtime":
        """Connect everything. Call it after a fork: connections and descriptors must not be shared by processes.

        Raises ConfigurationError with one line that says which setting to change.
        """
        keys = _secret_keys(settings)
        engine = create_engine(settings.database, pool_size=settings.web_threads + 4)
        require_schema(engine)
        registry_id = open_registry(engine, keys)
        place = _store_place(settings, registry_id)
        roots = SourceRoots(settings.source_roots, place if isinstance(place, Path) else None)
        roots.check_apart_from_store()
        buckets = _buckets(settings)
        buckets.check_apart_from_store(place if isinstance(place, BucketFolder) else None)
        store = _open_store(place, registry_id)
        bell = _bell(settings)
        return cls(
            settings=settings,
            engine=engine,
            store=store,
            roots=roots,
            buckets=buckets,
            tracking=_tracking(settings),
            limits=_limits(settings),
            lifecycle=_lifecycle(settings, engine, bell),
            bell=bell,
            secret_keys=keys,
            registry_id=registry_id,
        )

    @property
    def public_url(self) -> str:
        """The address in every URL that leaves the server, without a slash at its end."""
        settings = self.settings
        if settings.public_url:
            return settings.public_url.rstrip("/")
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104 - compared.
        return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"

    @property
    def trust_ms(self) -> int:
        """How long a stored blob is believed without being hashed again."""
        return self.settings.dedup_trust_days * DAY_MS


def _lifecycle(settings: Settings, engine: Engine, bell: Bell | None) -> Lifecycle:
    queue = JobQueue(
        ring=bell.ring if bell else no_bell, attempts=settings.job_attempts, grace_ms=int(settings.sweep_s * 1000)
    )
    return Lifecycle(
        engine,
        queue,
        effects=job_effects.apply,
        lease_ms=int(settings.lease_s * 1000),
        retry_effects=job_effects.apply_retry,
    )


def _bell(settings: Settings) -> Bell | None:
    if settings.broker_url is None:
        return None
    return Bell(create_broker(settings.broker_url.get_secret_value()), quiet_s=settings.sweep_s)


def _tracking(settings: Settings) -> TrackingServer | None:
    if not settings.tracking_uri:
        return None
    if urlsplit(settings.tracking_uri).scheme not in ("http", "https"):
        raise ConfigurationError(
            f"MODELYARD_TRACKING_URI is {settings.tracking_uri!r}; expected the http:// or https:// address of a "
            "tracking server. For a tracking store on this disk set MODELYARD_SOURCE_ROOTS to its artifact folder."
        )
    token, password = settings.tracking_token, settings.tracking_password
    return TrackingServer(
        settings.tracking_uri,
        token=token.get_secret_value() if token else None,
        username=settings.tracking_username,
        password=password.get_secret_value() if password else None,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        files=settings.source_max_files,
        depth=settings.source_max_depth,
        file_bytes=settings.source_max_file_bytes,
        total_bytes=settings.source_max_bytes,
    )


def _store_place(settings: Settings, registry_id: str) -> Path | BucketFolder:
    """Return where the managed store lies; a bucket without a folder gets one of the registry's own."""
    url = urlsplit(settings.store)
    if url.scheme in BUCKET_SCHEMES:
        folder = _bucket_folder("MODELYARD_STORE_URL", settings.store)
        return folder if folder.path else replace(folder, path=registry_id)
    if url.scheme not in ("", "file") or (url.scheme == "file" and url.netloc):
        raise ConfigurationError(
            f"MODELYARD_STORE_URL is {settings.store!r}; expected a folder, a file:/// URL or the address of a bucket."
        )
    return Path(url.path if url.scheme == "file" else settings.store).expanduser().absolute()


def _open_store(place: Path | BucketFolder, registry_id: str) -> Store:
    """Open the store. A bucket is not asked for anything yet: its threads would not survive a fork."""
    if isinstance(place, BucketFolder):
        return cast(Store, _cloud("store").BucketStore(place, registry_id))
    store = LocalStore(place)
    store.create_or_check(registry_id)
    return store


def _buckets(settings: Settings) -> SourceBuckets:
    if not settings.source_buckets:
        return NO_BUCKETS
    allowed = [_bucket_folder("MODELYARD_SOURCE_BUCKETS", text) for text in settings.source_buckets]
    return SourceBuckets(allowed, partial(_cloud("tree").BucketTree, limits=_limits(settings)))


def _bucket_folder(setting: str, text: str) -> BucketFolder:
    try:
        return parse_bucket_folder(text)
    except SourceRefused as error:
        raise ConfigurationError(f"{setting}: {error.message}") from error


def _cloud(module: str) -> Any:
    """Load what speaks to buckets, which no other process pays for."""
    try:
        return import_module(f"modelyard.storage.cloud.{module}")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The package {error.name} is missing, which speaks to buckets. Install it: pip install 'modelyard[cloud]'"
        ) from error


def _secret_keys(settings: Settings) -> tuple[str, ...]:
    """Return the keys, newest first; the one of this home is generated when no setting gives any."""
    if settings.secret_key is not None:
        keys = tuple(key.strip() for key in settings.secret_key.get_secret_value().split(",") if key.strip())
        if not keys or min(map(len, keys)) < 16:
            raise ConfigurationError("MODELYARD_SECRET_KEY is too short; expected at least 16 characters for each key.")
        return keys
    path = settings.home / "secret.key"
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new_key(path)
        return (path.read_text().strip(),)
    except OSError as error:
        raise ConfigurationError(
            f"The secret key {path} cannot be read or made: {error.strerror}. "
            "Set MODELYARD_SECRET_KEY, or MODELYARD_HOME to a folder that this user may write."
        ) from error


def _write_new_key(path: Path) -> None:
    """Make the key's file unless it is there; whole or not at all, since two processes may start at once."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # The other process was faster; its key is the one.
    finally:
        draft.unlink()
