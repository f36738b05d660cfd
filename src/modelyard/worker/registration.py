"""The work of `register_version`: copy what the source names into the store, and say which manifest that is."""

from typing import cast

from sqlalchemy import select

from modelyard.database.session import reading
from modelyard.database.tables import metadata
from modelyard.errors import SourceUnreadable
from modelyard.jobs.guards import Claim
from modelyard.registry import blobs
from modelyard.registry.job_effects import StoredVersion
from modelyard.rules.sources import CopiedSource, parse_source
from modelyard.storage import sizes
from modelyard.storage.copying import Copied, copy_tree, store_bytes
from modelyard.storage.course import Progress
from modelyard.storage.manifest import ManifestFile, build_manifest
from modelyard.storage.opening import open_source
from modelyard.storage.store import Ingest, StoredBlob
from modelyard.storage.tree import require_model
from modelyard.worker.context import Context, Pulse
from modelyard.worker.ledger import JobLedger

job_files = metadata.tables["job_files"]


def register_version(context: Context, claim: Claim, pulse: Pulse) -> StoredVersion:
    """Copy the source of `claim` and return what its version consists of.

    Until the caller commits the outcome, all that exists are blobs held by leases.
    Raises SourceUnreadable, SourceRefused, TemporaryFailure.
    """
    ledger = JobLedger(context, claim)
    with context.store.ingest(claim.job_id, claim.attempt) as ingest:
        if "upload_folder" in claim.arguments:
            copied, run_id = _uploaded_files(context, claim), ""
        else:
            copied, run_id = _copy_source(context, claim, ingest, ledger, pulse)
        stored = _close_version(context, copied, run_id, ingest, ledger)
    pulse.say(f"Stored {stored.file_count} files, {sizes.written(stored.size_bytes)}, as {stored.manifest_digest}.")
    return stored


def _copy_source(context: Context, claim: Claim, ingest: Ingest, ledger: JobLedger, pulse: Pulse) -> tuple[Copied, str]:
    def tell(progress: Progress) -> None:
        pulse(
            step="Copying",
            items_done=progress.files_done,
            items_total=progress.files_total,
            bytes_done=progress.bytes_done,
            bytes_total=progress.bytes_total,
            copied_bytes=progress.copied_bytes,
        )

    pulse(step="Opening the source")
    pulse.say(f"Attempt {claim.attempt} copies {claim.arguments['source']}.")
    source = cast(CopiedSource, parse_source(claim.arguments["source"]))
    with open_source(
        source, roots=context.roots, tracking=context.tracking, limits=context.limits, buckets=context.buckets
    ) as opened:
        copied = copy_tree(opened.tree, ingest, known=ledger.known_files(), ledger=ledger, pulse=tell)
        return copied, opened.run_id or ""


def _uploaded_files(context: Context, claim: Claim) -> Copied:
    """Return the files that the create request took from the landing zone; their bytes are stored already."""
    with reading(context.engine) as session:
        rows = session.execute(
            select(job_files.c.path, job_files.c.size_bytes, job_files.c.digest)
            .where(job_files.c.job_id == claim.job_id)
            .order_by(job_files.c.path)
        ).all()
        generations = blobs.generations(session, {row.digest for row in rows})
    require_model([row.path for row in rows], "The upload", context.limits)
    if any(row.digest not in generations for row in rows):
        # The job's own leases hold them, so only somebody's hands in the store or the database do this.
        raise SourceUnreadable("The uploaded files are gone; upload and register again.")
    files = [ManifestFile(row.path, row.size_bytes, row.digest) for row in rows]
    stored = {file.digest: StoredBlob(file.digest, generations[file.digest], file.size_bytes) for file in files}
    return Copied(sorted(files), [stored[digest] for digest in sorted(stored)])


def _close_version(context: Context, copied: Copied, run_id: str, ingest: Ingest, ledger: JobLedger) -> StoredVersion:
    """Store the manifest, and look once more that every byte is in place before anybody says READY."""
    manifest = build_manifest(copied.files)
    manifest_blob = store_bytes(manifest.content, ingest, ledger)
    context.store.check_present([*copied.blobs, manifest_blob])
    ledger.settle([blob.digest for blob in copied.blobs] + [manifest_blob.digest])
    return StoredVersion(
        manifest_digest=manifest.digest,
        file_count=len(copied.files),
        size_bytes=sum(file.size_bytes for file in copied.files),
        source_run_id=run_id,
    )
