"""The database's side of a copy: blob rows and leases around each batch, counted only while the job is ours."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from modelyard.database.session import repeat_conflicts, transaction
from modelyard.database.tables import metadata
from modelyard.jobs.guards import Claim, hold
from modelyard.registry import blobs
from modelyard.storage.copying import KnownFile, StoredFile
from modelyard.storage.store import BlobPlacement
from modelyard.storage.tree import FileEntry
from modelyard.worker.context import Context

job_files = metadata.tables["job_files"]


@dataclass(slots=True)
class JobLedger:
    """The ledger of one claim; each of its transactions begins with the job's fence."""

    context: Context
    claim: Claim
    _proven: set[str] = field(default_factory=set)

    def record(self, batch: Sequence[StoredFile]) -> Mapping[str, BlobPlacement]:
        """Enter a batch's blobs as live, lease them, and remember its files for a retry."""
        return repeat_conflicts(lambda: self._record(batch))

    def _record(self, batch: Sequence[StoredFile]) -> Mapping[str, BlobPlacement]:
        sizes = {file.digest: file.size_bytes for file in batch}
        with transaction(self.context.engine) as session:
            hold(session, self.claim)
            live = blobs.make_live(session, sizes, trust_ms=self.context.trust_ms)
            self._lease(session, sizes)
            self._remember(session, batch)
        return {digest: BlobPlacement(blob.gen, recheck=blob.recheck) for digest, blob in live.items()}

    def proven(self, digests: Sequence[str]) -> None:
        """Remember that the bytes of these blobs were just hashed and are right, until `settle` writes it down.

        A commit of its own for each batch would cost a small model a third of its time; an attempt that ends before
        leaves blobs that are hashed once more when they are met again.
        """
        self._proven.update(digests)

    def known_files(self) -> dict[str, KnownFile]:
        """Return path -> what an earlier attempt of this job stored and is live still, leased for this attempt."""
        return {} if self.claim.attempt == 1 else repeat_conflicts(self._known_files)

    def _known_files(self) -> dict[str, KnownFile]:
        with transaction(self.context.engine) as session:
            hold(session, self.claim)
            rows = session.execute(select(job_files).where(job_files.c.job_id == self.claim.job_id)).all()
            generations = blobs.generations(session, {row.digest for row in rows})
            blobs.touch(session, generations)
            self._lease(session, generations)
        return {
            row.path: KnownFile(_entry(row), row.digest, generations[row.digest])
            for row in rows
            if row.digest in generations
        }

    def settle(self, digests: Collection[str]) -> None:
        """Make sure, last before READY, that exactly these blobs are leased and that each is live.

        Raises TemporaryFailure when a collector was faster.
        """
        repeat_conflicts(lambda: self._settle(digests))

    def _settle(self, digests: Collection[str]) -> None:
        with transaction(self.context.engine) as session:
            hold(session, self.claim)
            blobs.require_live(session, digests)
            blobs.note_verified(session, self._proven)
            blobs.keep_leases(session, digests, job_id=self.claim.job_id, attempt=self.claim.attempt)

    def _lease(self, session: Session, digests: Collection[str]) -> None:
        blobs.lease(session, digests, job_id=self.claim.job_id, attempt=self.claim.attempt)

    def _remember(self, session: Session, batch: Sequence[StoredFile]) -> None:
        rows = [
            {
                "job_id": self.claim.job_id,
                "path": file.entry.path,
                "size_bytes": file.entry.size_bytes,
                "mtime_ns": file.entry.mtime_ns,
                "ctime_ns": file.entry.ctime_ns,
                "inode_or_etag": file.entry.inode_or_etag,
                "digest": file.digest,
            }
            for file in batch
            if file.entry is not None
        ]
        if not rows:
            return
        upsert = blobs.insert_or(session, job_files)
        changed = {name: upsert.excluded[name] for name in rows[0] if name not in ("job_id", "path")}
        upsert = upsert.on_conflict_do_update(index_elements=["job_id", "path"], set_=changed)
        session.connection().execute(upsert, rows)


def _entry(row: Any) -> FileEntry:
    return FileEntry(row.path, row.size_bytes, row.mtime_ns, row.ctime_ns, row.inode_or_etag)
