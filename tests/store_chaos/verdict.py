"""What must be true of a store after a storm, once the waiting work is done and everything unneeded collected."""

import hashlib
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, update

from modelyard.database.session import reading, transaction
from modelyard.database.tables import Job, ModelVersion, metadata
from modelyard.jobs.sweep import Sweep
from modelyard.registry.blobs import blob_leases, blobs, manifest_blobs
from modelyard.rules.jobs import JobKind
from modelyard.storage.manifest import parse_manifest
from modelyard.worker import runner
from modelyard.worker.chores import remove_lost_staging
from modelyard.worker.tasks import WORK
from tests.store_chaos.house import LEASE_MS, StormHouse

jobs = metadata.tables["jobs"]
PATIENCE_S = 60


class Silence:
    """A broker that nobody listens to: this process does all the work itself."""

    def ring(self, _kind: str, _queue: str, _job_id: int) -> bool:
        return True

    def depth(self, _queue: str) -> int | None:
        return 0


@dataclass
class Verdict:
    """How much there was in the end, and everything that is wrong with it."""

    versions: int = 0
    blobs: int = 0
    violations: list[str] = field(default_factory=list)
    jobs: Counter[str] = field(default_factory=Counter)


def settle(house: StormHouse) -> None:
    """Take jobs from dead workers, do what waits, and collect until nothing is left to collect."""
    end_s = time.monotonic() + PATIENCE_S
    sweep = Sweep(house.lifecycle, Silence(), period_s=1)
    while (open_jobs := _open_jobs(house)) and time.monotonic() < end_s:
        sweep.reap()
        for job_id, kind in open_jobs:
            runner.run(house.context, WORK[kind], job_id)
        with transaction(house.engine) as session:
            session.execute(update(jobs).where(jobs.c.status == "QUEUED").values(run_after_ms=0))
        time.sleep(LEASE_MS / 10_000)
    remove_lost_staging(house.context)
    house.store.remove_remnants(0)
    for _ in range(3):
        with transaction(house.engine) as session:
            job = house.lifecycle.queue.enqueue(session, JobKind.COLLECT, requested_by="storm")
        runner.run(house.context, WORK[JobKind.COLLECT], job.id)


def judge(house: StormHouse) -> Verdict:
    """Look at everything. Nobody else may be at work."""
    verdict = Verdict()
    with reading(house.engine) as session:
        rows = {row.digest: row for row in session.execute(select(blobs))}
        leases = session.execute(select(blob_leases)).all()
        references: dict[str, set[str]] = {}
        for row in session.execute(select(manifest_blobs)):
            references.setdefault(row.manifest_digest, set()).add(row.digest)
        ready = session.execute(
            select(ModelVersion.id, ModelVersion.version, ModelVersion.manifest_digest).where(
                ModelVersion.status == "READY"
            )
        ).all()
        verdict.jobs = Counter(
            {
                f"{kind} {status}": n
                for kind, status, n in session.execute(
                    select(Job.kind, Job.status, func.count()).group_by(Job.kind, Job.status)
                )
            }
        )
        defects = session.scalars(select(Job.status_message).where(Job.error_code == "INTERNAL_ERROR")).all()
    verdict.versions, wrong = len(ready), verdict.violations
    wrong += [f"a defect of ours ended a job: {message}" for message in defects]
    wrong += [f"a job is not over: {job_id} {kind}" for job_id, kind in _open_jobs(house)]
    wrong += [f"a lease was left behind: job {lease.job_id}" for lease in leases]
    wrong += [f"staging was left behind: {staging.name}" for staging in house.store.list_staging()]
    files = {(blob.digest, blob.gen) for blob in house.store.list_blobs()}
    verdict.blobs = len(files)
    live = {(row.digest, row.gen) for row in rows.values() if row.state == "live"}
    used = {digest for version in ready for digest in references.get(version.manifest_digest, ())}
    wrong += [f"a blob is neither live nor gone: {row.digest}" for row in rows.values() if row.state == "deleting"]
    wrong += [f"a blob was found damaged: {row.digest}" for row in rows.values() if row.broken_at_ms is not None]
    wrong += [f"a file without a live row, not collected: {digest}.{gen}" for digest, gen in files - live]
    wrong += [f"a live row without its file: {digest}.{gen}" for digest, gen in live - files]
    wrong += [f"bytes that nobody refers to, not collected: {digest}" for digest, _gen in live if digest not in used]
    for digest, gen in files:
        if hashlib.sha256(_read(house, digest, gen)).hexdigest() != digest:
            wrong.append(f"a blob is partial or misnamed: {digest}.{gen}")
    present = {digest for digest, gen in files & live}
    for version in ready:
        wrong += _wrong_with(house, version, references.get(version.manifest_digest, set()), present, rows)
    return verdict


def _wrong_with(
    house: StormHouse, version: Any, referenced: set[str], present: set[str], rows: dict[str, Any]
) -> list[str]:
    """Return what a READY version lacks; `present` are the digests whose live file is there."""
    manifest = version.manifest_digest
    if manifest not in present:
        return [f"READY version {version.id} lacks its list of files"]
    listed = {file.digest for file in parse_manifest(_read(house, manifest, rows[manifest].gen))}
    lost = [f"READY version {version.id} lacks the bytes {digest}" for digest in listed - present]
    if referenced != listed | {manifest}:
        lost.append(f"READY version {version.id} refers to other blobs than it lists")
    return lost


def _read(house: StormHouse, digest: str, gen: int) -> bytes:
    with house.store.open_blob(digest, gen) as blob:
        return b"".join(blob.pieces())


def _open_jobs(house: StormHouse) -> list[tuple[int, JobKind]]:
    waiting = select(Job.id, Job.kind).where(Job.status.in_(["QUEUED", "RUNNING"])).order_by(Job.id)
    with reading(house.engine) as session:
        return [(job_id, JobKind(kind)) for job_id, kind in session.execute(waiting)]
