"""What the work of a job may use; made in each child of a worker after the fork."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Engine

from modelyard.jobs.guards import Claim
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.storage.identity import Owner
from modelyard.storage.roots import SourceRoots
from modelyard.storage.source_buckets import NO_BUCKETS, SourceBuckets
from modelyard.storage.store import Store
from modelyard.storage.tracking import TrackingServer
from modelyard.storage.tree import Limits
from modelyard.worker.drain import DrainFlag
from modelyard.worker.pacemaker import Pacemaker

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one worker child.

    `trust_ms` is how long a stored blob is believed without being hashed again, `job_days` how long a job is kept
    after its end, `trash_ms` how long what was deleted can be restored, `grace_ms` how long bytes stay that nobody
    refers to. `verify_bytes_per_s` bounds a verification of the whole store, 0 for no bound. `owner` is this registry,
    as its store must name it before anything is collected.
    """

    engine: Engine
    lifecycle: Lifecycle
    store: Store
    roots: SourceRoots
    tracking: TrackingServer | None
    limits: Limits
    drain: DrainFlag
    stall_s: float
    trust_ms: int
    owner: Owner
    job_days: int = 30
    trash_ms: int = 7 * DAY_MS
    grace_ms: int = DAY_MS
    verify_bytes_per_s: int = 0
    buckets: SourceBuckets = NO_BUCKETS
    pacemaker: Pacemaker = field(default_factory=Pacemaker)


class Pulse(Protocol):
    """What the work calls between its pieces (`worker/heart.py`); it raises when the work must stop."""

    def __call__(self, *, copied_bytes: int | None = None, **progress: Any) -> None:
        """Say that the work moves, and how far it is: columns of `jobs`, and what this very attempt has copied."""

    def say(self, text: str, level: str = "info") -> None:
        """Add a line to the job's log."""


# Does the work of a claim and returns what its effect needs. Raises TemporaryFailure to be tried again, any other
# ModelyardError to fail for good.
Work = Callable[[Context, Claim, Pulse], Any]
