"""A worker child without Celery: a real database, a real store, real folders as sources."""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Job, ModelVersion, RegisteredModel, metadata
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.jobs.queue import Enqueued, JobQueue
from modelyard.registry import job_effects
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.storage.identity import Owner
from modelyard.storage.local_store import LocalStore
from modelyard.storage.manifest import ManifestFile, parse_manifest
from modelyard.storage.roots import SourceRoots
from modelyard.storage.store import blob_name
from modelyard.storage.tree import Limits
from modelyard.worker import runner
from modelyard.worker.context import Context, Work
from modelyard.worker.drain import DrainFlag
from modelyard.worker.registration import register_version
from modelyard.worker.tasks import WORK

DAY_MS = 24 * 3600 * 1000
OWNER = Owner("house", "database")


@dataclass
class House:
    """One model named `m`, a worker's context, and short ways to what a test asks for."""

    engine: Engine
    folder: Path
    model_id: int = 0
    rings: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = LocalStore(self.folder / "store")
        self.store.create_or_check(OWNER)
        self.sources = self.folder / "sources"
        self.sources.mkdir()
        queue = JobQueue(ring=lambda kind, name, job_id: self.rings.append(job_id), attempts=3)
        self.drain = DrainFlag()
        self.context = Context(
            engine=self.engine,
            lifecycle=Lifecycle(
                self.engine,
                queue,
                effects=job_effects.apply,
                retry_effects=job_effects.apply_retry,
                lease_ms=30_000,
            ),
            store=self.store,
            roots=SourceRoots([self.sources], self.store.root),
            tracking=None,
            limits=Limits(),
            drain=self.drain,
            stall_s=60,
            trust_ms=DAY_MS,
            owner=OWNER,
        )
        with transaction(self.engine) as session:
            model = RegisteredModel(name="m", created_by="ann")
            session.add(model)
            session.flush()
            self.model_id = model.id

    def model_folder(self, name: str = "model", **files: bytes) -> Path:
        """Write a folder with an MLmodel and these files, and return it."""
        folder = self.sources / name
        for path, content in {"MLmodel": b"flavors: {}\n", **files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return folder

    def register(self, source: Path | str, *, number: int = 1, **arguments: Any) -> Enqueued:
        """Enter a pending version and its job, as a create request does."""
        with transaction(self.engine) as session:
            version = ModelVersion(model_id=self.model_id, version=number, source=str(source), created_by="ann")
            session.add(version)
            session.flush()
            return self.context.lifecycle.queue.enqueue(
                session,
                JobKind.REGISTER_VERSION,
                requested_by="ann",
                subject=f"model_version:{version.public_id}",
                arguments={"source": str(source), **arguments},
                model_id=self.model_id,
                version_id=version.id,
            )

    def run(self, job: Job | Enqueued, work: Work = register_version) -> JobStatus | None:
        """Run one attempt of a job."""
        return runner.run(self.context, work, job.id)

    def enqueue(self, kind: JobKind, **options: Any) -> Enqueued:
        """Enqueue a job of any kind; options are those of `JobQueue.enqueue`."""
        with transaction(self.engine) as session:
            return self.context.lifecycle.queue.enqueue(session, kind, requested_by="ann", **options)

    def do(self, kind: JobKind, **options: Any) -> Job:
        """Enqueue a job, run one attempt of it, and return its row as it is then."""
        job = self.enqueue(kind, **options)
        self.run(job, WORK[kind])
        return self.job(job)

    def ready(self, number: int = 1, **files: bytes) -> ModelVersion:
        """Register a version with these files and an MLmodel, and run its copy."""
        assert self.run(self.register(self.model_folder(f"model-{number}", **files), number=number)) == "SUCCEEDED"
        return self.version(number)

    def forget(self, number: int) -> None:
        """Remove a version's row, as a purge does in the end."""
        with transaction(self.engine) as session:
            session.execute(delete(ModelVersion).where(ModelVersion.version == number))

    def with_context(self, **changes: Any) -> "House":
        """Change parts of the worker's context."""
        self.context = replace(self.context, **changes)
        return self

    def queue_again(self, job: Job | Enqueued) -> None:
        """Put a job back into the queue, as the reap of its lost worker does."""
        lost = {"status": "QUEUED", "lease_until_ms": None, "worker": None, "run_after_ms": 0}
        with transaction(self.engine) as session:
            session.execute(update(Job).where(Job.id == job.id).values(**lost))

    def version(self, number: int = 1) -> ModelVersion:
        """Return the version's row as it is now."""
        with reading(self.engine) as session:
            return session.scalars(select(ModelVersion).where(ModelVersion.version == number)).one()

    def job(self, job: Job | Enqueued) -> Job:
        """Return the job's row as it is now."""
        with reading(self.engine) as session:
            return session.scalars(select(Job).where(Job.id == job.id)).one()

    def rows(self, table: str) -> list[Any]:
        """Return all rows of a table."""
        with reading(self.engine) as session:
            return list(session.execute(select(metadata.tables[table])).all())

    def files_of(self, number: int = 1) -> dict[str, bytes]:
        """Return path -> bytes of a READY version, read from the store."""
        digest = self.version(number).manifest_digest
        assert digest is not None
        return {file.path: self.read(file.digest) for file in self.manifest(digest)}

    def manifest(self, digest: str) -> list[ManifestFile]:
        """Return the files that a stored manifest lists."""
        return parse_manifest(self.read(digest))

    def digest_of(self, path: str, number: int = 1) -> str:
        """Return the digest of a version's file."""
        manifest = self.version(number).manifest_digest
        assert manifest is not None
        [digest] = [file.digest for file in self.manifest(manifest) if file.path == path]
        return digest

    def blob_path(self, digest: str, gen: int = 0) -> Path:
        """Return where a blob's file lies."""
        return self.store.root / blob_name(digest, gen)

    def spoil(self, digest: str, content: bytes | None = None) -> None:
        """Damage a stored blob: flip a byte, or put `content` in its place."""
        path = self.blob_path(digest)
        path.chmod(0o644)
        good = path.read_bytes()
        path.write_bytes(bytes([good[0] ^ 1]) + good[1:] if content is None else content)

    def read(self, digest: str) -> bytes:
        """Return the bytes of a live blob."""
        (row,) = [row for row in self.rows("blobs") if row.digest == digest]
        with self.store.open_blob(digest, row.gen) as blob:
            return b"".join(blob.pieces())


@pytest.fixture
def house(engine: Engine, tmp_path: Path) -> House:
    """A worker's house, on SQLite and then on PostgreSQL."""
    return House(engine, tmp_path)


def random_bytes(size: int, seed: int = 1) -> bytes:
    """Return bytes that compress and deduplicate badly."""
    return random.Random(seed).randbytes(size)
