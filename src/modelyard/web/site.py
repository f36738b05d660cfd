"""What a web process serves with. Made once by `web/app.py`; handlers reach it by `site()`."""

from dataclasses import dataclass
from typing import cast

from flask import current_app
from sqlalchemy import Engine

from modelyard.jobs.broker import Bell
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.jobs.queue import JobQueue
from modelyard.rules.sources import Source
from modelyard.rules.versions import RegistrationMode
from modelyard.storage.opening import check_source
from modelyard.storage.roots import SourceRoots
from modelyard.storage.source_buckets import SourceBuckets
from modelyard.storage.store import Store
from modelyard.storage.tracking import TrackingServer
from modelyard.web.addresses import Network
from modelyard.web.file_index import FileIndexes
from modelyard.web.holding import Holding
from modelyard.web.identity import Identity
from modelyard.web.signing import Signer

EXTENSION = "modelyard"


@dataclass(frozen=True, slots=True)
class SourceRules:
    """Which sources this installation may read; see `storage/opening.check_source`."""

    mode: RegistrationMode
    roots: SourceRoots
    buckets: SourceBuckets
    tracking_configured: bool
    runs_permitted: bool

    def vet(self, source: Source) -> None:
        """Raise SourceRefused for a source that no worker of this installation could read."""
        check_source(
            source,
            roots=self.roots,
            tracking_configured=self.tracking_configured,
            runs_permitted=self.runs_permitted,
            buckets=self.buckets,
        )


@dataclass(frozen=True, slots=True)
class UploadRules:
    """How large an uploaded file may be, how long it waits, how long a known blob is believed unread."""

    max_bytes: int
    hours: int
    trust_ms: int


@dataclass(frozen=True, slots=True)
class Site:
    """The parts that handlers use. `public_url` ends without a slash; `allowed_hosts` are names in small letters."""

    engine: Engine
    lifecycle: Lifecycle
    bell: Bell | None
    store: Store
    files: FileIndexes
    sources: SourceRules
    tracking: TrackingServer | None
    uploads: UploadRules
    download_redirects: bool
    holding: Holding
    identity: Identity
    signer: Signer
    public_url: str
    allowed_hosts: frozenset[str]
    trusted_proxies: tuple[Network, ...]
    on_loopback: bool
    max_pending_versions: int
    trash_ms: int
    sweep_ms: int

    @property
    def queue(self) -> JobQueue:
        """Where handlers put work."""
        return self.lifecycle.queue

    @property
    def purges_at_once(self) -> bool:
        """Whether this installation keeps nothing that was deleted."""
        return self.trash_ms == 0


def site() -> Site:
    """Return the site of the application that answers this request."""
    return cast(Site, current_app.extensions[EXTENSION])
