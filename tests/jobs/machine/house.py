"""The real thing that the state machine moves: a lifecycle, a sweep and the registry on a real database."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, select

from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import Job, ModelVersion, metadata
from modelyard.errors import ClaimLost
from modelyard.jobs.attempts import attempts
from modelyard.jobs.guards import Claim, hold, jobs, lock_registry_rows, models, versions
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.jobs.queue import JobQueue
from modelyard.jobs.sweep import Sweep
from modelyard.registry import blobs, job_effects
from modelyard.registry.access import Actor
from modelyard.registry.job_effects import StoredVersion
from modelyard.registry.model_versions import create_model_version
from modelyard.registry.registered_models import create_registered_model, delete_registered_model
from modelyard.registry.registration import NewVersion
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.rules.sources import parse_source
from tests.jobs.machine.world import ATTEMPTS, GRACE_MS, LEASE_MS

ANN = Actor("ann", is_admin=True)
SOURCE = "/data/model"
DIGESTS = [letter * 64 for letter in "abc"]
STORED = StoredVersion(manifest_digest=DIGESTS[0], file_count=1, size_bytes=5)

_leases = metadata.tables["blob_leases"]


@dataclass
class House:
    """Moves of jobs, and what the rows say. `rings` are the wake-ups since it was last emptied.

    It is also the sweep's broker: a queue that holds `depth` messages, and never hears one twice.
    """

    engine: Engine
    rings: list[int] = field(default_factory=list)
    waiting: int = 0

    def __post_init__(self) -> None:
        queue = JobQueue(ring=self.ring, attempts=ATTEMPTS, grace_ms=GRACE_MS)
        self.lifecycle = Lifecycle(
            self.engine,
            queue,
            effects=job_effects.apply,
            lease_ms=LEASE_MS,
            retry_effects=job_effects.apply_retry,
        )
        self.sweep = Sweep(self.lifecycle, self, period_s=GRACE_MS / 1000)

    def ring(self, kind: str, queue: str, job_id: int) -> bool:
        """Take a wake-up."""
        self.rings.append(job_id)
        return True

    def depth(self, queue: str) -> int:
        """Say how many messages wait."""
        return self.waiting

    def create_model(self, name: str) -> int:
        """Create a model and return its row id."""
        with transaction(self.engine) as session:
            return create_registered_model(session, ANN, name).id

    def delete_model(self, name: str) -> None:
        """Delete a model with its versions."""
        with transaction(self.engine) as session:
            delete_registered_model(session, ANN, name, lifecycle=self.lifecycle)

    def register(self, name: str) -> tuple[ModelVersion, Job]:
        """Register a version as a request does; return it and its job."""
        wish = NewVersion(name=name, source=SOURCE)
        with transaction(self.engine) as session:
            version = create_model_version(session, ANN, wish, parse_source(SOURCE), lifecycle=self.lifecycle)
            return version, session.scalars(select(Job).where(jobs.c.version_id == version.id)).one()

    def enqueue(self, **columns: Any) -> int:
        """Add a job without effects and return its id."""
        with transaction(self.engine) as session:
            return self.lifecycle.queue.enqueue(session, JobKind.PROBE, requested_by="ann", **columns).id

    def cancel(self, work: Any) -> JobStatus | None:
        """Cancel a job as a person does."""
        version = work.version
        with transaction(self.engine) as session:
            lock_registry_rows(session, version and version.model, version and version.id)
            return self.lifecycle.cancel(session, work.id, by=ANN.name)

    def retry(self, job_id: int) -> JobStatus | None:
        """Have a job tried again."""
        with transaction(self.engine) as session:
            return self.lifecycle.retry(session, job_id)

    def store(self, claim: Claim, digest: str) -> None:
        """Enter a blob and lease it, as a batch of a copy does."""
        with transaction(self.engine) as session:
            hold(session, claim)
            blobs.make_live(session, {digest: 5}, trust_ms=1000)
            blobs.lease(session, [digest], job_id=claim.job_id, attempt=claim.attempt)

    def overdue_claims(self) -> list[Claim]:
        """List what a sweep would take back, and do not do it yet."""
        listed: list[Claim] = []

        class Listing(Lifecycle):
            def reap(self, claim: Claim, *, delay_ms: int) -> None:
                listed.append(claim)

        lifecycle = Listing(self.engine, self.lifecycle.queue, effects=job_effects.apply, lease_ms=LEASE_MS)
        Sweep(lifecycle, self, period_s=5).reap()
        return listed

    def rows(self) -> dict[int, Any]:
        """Return job id -> its row."""
        with autocommit(self.engine) as connection:
            return {row.id: row for row in connection.execute(select(jobs))}

    def outcomes(self) -> dict[int, list[str | None]]:
        """Return job id -> the outcomes of its attempts, in order."""
        found: dict[int, list[str | None]] = {}
        with autocommit(self.engine) as connection:
            for row in connection.execute(select(attempts).order_by(attempts.c.job_id, attempts.c.attempt)):
                found.setdefault(row.job_id, []).append(row.outcome)
        return found

    def leases(self) -> set[tuple[int, int, str]]:
        """Return (job id, attempt, digest) of what is held."""
        with autocommit(self.engine) as connection:
            rows = connection.execute(select(_leases.c.job_id, _leases.c.attempt, _leases.c.digest))
            return {tuple(row) for row in rows}

    def versions(self) -> dict[int, Any]:
        """Return version id -> its row."""
        with autocommit(self.engine) as connection:
            return {row.id: row for row in connection.execute(select(versions))}

    def changes(self) -> dict[int, int]:
        """Return id -> change counter of each living model."""
        with autocommit(self.engine) as connection:
            living = select(models.c.id, models.c.change_counter).where(models.c.deleted_at_ms.is_(None))
            return {row.id: row.change_counter for row in connection.execute(living)}

    def empty(self) -> None:
        """Delete every row but those of the audit log, which keeps them, so that the next example begins afresh."""
        with transaction(self.engine) as session:
            for table in reversed(metadata.sorted_tables):
                if table.name != "audit_log":
                    session.execute(table.delete())


# What a worker may do with a claim. Each raises ClaimLost when the claim is not true any more.
MOVES: dict[str, Callable[[House, Claim], object]] = {
    "heartbeat": lambda house, claim: house.lifecycle.heartbeat(claim, {"items_done": 1}),
    "store": lambda house, claim: house.store(claim, DIGESTS[claim.attempt % len(DIGESTS)]),
    "finish": lambda house, claim: house.lifecycle.finish(claim, STORED),
    "fail": lambda house, claim: house.lifecycle.fail(claim, "X", "no"),
    "acknowledge": lambda house, claim: house.lifecycle.acknowledge_cancel(claim),
    "give back": lambda house, claim: house.lifecycle.give_back(claim, delay_ms=20_000, error_code="X", message="away"),
    "give back at once": lambda house, claim: house.lifecycle.give_back(
        claim, delay_ms=0, error_code="X", message="away"
    ),
    "release": lambda house, claim: house.lifecycle.release(claim),
}


def is_refused(move: Callable[[], object]) -> tuple[bool, object]:
    """Return whether a move was refused, and else its answer."""
    try:
        return False, move()
    except ClaimLost:
        return True, None
