"""What a running process holds: engine, store, sources, bell and keys, made from the settings after the fork."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine

from modelyard.database.engine import create_engine
from modelyard.database.schema import require_schema
from modelyard.errors import ConfigurationError
from modelyard.jobs.broker import Bell, create_broker
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.jobs.queue import JobQueue, no_bell
from modelyard.registry import job_effects
from modelyard.registry.installation import database_identity, open_registry
from modelyard.rules.buckets import BucketFolder
from modelyard.settings import Settings
from modelyard.storage.identity import Owner
from modelyard.storage.roots import SourceRoots
from modelyard.storage.source_buckets import SourceBuckets
from modelyard.storage.store import Store
from modelyard.storage.stores import Place, open_source_buckets, open_store, parse_folder, parse_place
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
    owner: Owner

    @classmethod
    def open(cls, settings: Settings) -> "Runtime":
        """Connect everything. Call it after a fork: connections and descriptors must not be shared by processes.

        Raises ConfigurationError with one line that says which setting to change.
        """
        keys = secret_keys(settings, generate=True)
        engine = create_engine(settings.database, pool_size=settings.web_threads + 4)
        require_schema(engine)
        owner = Owner(open_registry(engine, keys), database_identity(engine))
        place = store_place(settings, owner.registry_id)
        roots = SourceRoots(settings.source_roots, place if isinstance(place, Path) else None)
        roots.check_apart_from_store()
        buckets = _buckets(settings)
        buckets.check_apart_from_store(place if isinstance(place, BucketFolder) else None)
        store = open_store(place, owner)
        if store.survives_fork:
            store.create_or_check(owner)
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
            owner=owner,
        )

    @property
    def public_url(self) -> str:
        """The address in every URL that leaves the server, without a slash at its end."""
        return self.settings.public_url.rstrip("/") if self.settings.public_url else self.settings.address

    @property
    def trust_ms(self) -> int:
        """How long a stored blob is believed without being hashed again."""
        return self.settings.dedup_trust_days * DAY_MS

    @property
    def trash_ms(self) -> int:
        """How long what was deleted can be restored; 0 for not at all."""
        return self.settings.trash_days * DAY_MS

    @property
    def grace_ms(self) -> int:
        """How long bytes that nobody refers to stay in the store."""
        return int(self.settings.grace_hours * 3_600_000)


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
        plain_files=settings.source_plain_files,
    )


def store_place(settings: Settings, registry_id: str) -> Place:
    """Return the folder, or the folder of a bucket, of the managed store. Raises ConfigurationError."""
    return parse_place("MODELYARD_STORE_URL", settings.store, registry_id)


def _buckets(settings: Settings) -> SourceBuckets:
    allowed = [parse_folder("MODELYARD_SOURCE_BUCKETS", text) for text in settings.source_buckets]
    return open_source_buckets(allowed, _limits(settings))


def secret_keys(settings: Settings, *, generate: bool) -> tuple[str, ...]:
    """Return the keys, newest first: those of the setting, else the one of this home.

    Where there is none yet, one is generated if so asked; else the answer is empty. Raises ConfigurationError.
    """
    if settings.secret_key is not None:
        keys = tuple(key.strip() for key in settings.secret_key.get_secret_value().split(",") if key.strip())
        if not keys or min(map(len, keys)) < 16:
            raise ConfigurationError("MODELYARD_SECRET_KEY is too short; expected at least 16 characters for each key.")
        return keys
    path = settings.home / "secret.key"
    try:
        if generate:
            settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_new_key(path)
        return (path.read_text().strip(),) if path.exists() else ()
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
