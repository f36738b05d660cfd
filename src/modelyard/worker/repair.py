"""The work of `repair_version`: stores damaged files once more, from a source that still holds the same bytes.

A source with other bytes repairs nothing, whatever it is: what is stored has the name of its digest.
"""

from collections.abc import Collection
from functools import partial
from typing import cast

from modelyard.errors import SourceUnreadable
from modelyard.jobs.guards import Claim
from modelyard.registry import integrity, verifying
from modelyard.registry.job_effects import Report
from modelyard.rules.counts import counted, listed
from modelyard.rules.sources import CopiedSource, parse_source
from modelyard.storage.copying import Copied, copy_tree, store_bytes
from modelyard.storage.course import Progress
from modelyard.storage.manifest import ManifestFile, build_manifest
from modelyard.storage.opening import open_source
from modelyard.storage.picked_tree import PickedTree
from modelyard.storage.store import Ingest
from modelyard.storage.tree import Tree
from modelyard.worker.context import Context, Pulse
from modelyard.worker.fence import fenced, looked_up
from modelyard.worker.file_names import FileNames, read_manifest
from modelyard.worker.ledger import JobLedger


def repair_version(context: Context, claim: Claim, pulse: Pulse) -> Report | None:
    """Copy what is damaged of a version from the source of `claim`; None when the version was deleted meanwhile.

    Raises SourceUnreadable, naming the files, when the source does not hold the same bytes any more.
    """
    manifest = looked_up(context, partial(verifying.manifest_to_verify, version_id=claim.version_id or 0))
    if manifest is None:
        return None
    damaged = _damaged(context, manifest)
    # Read before the repair: a manifest that is damaged itself tells no names.
    files = read_manifest(context, manifest)
    _copy_again(context, claim, pulse, manifest, files, damaged)
    left = _damaged(context, manifest)
    mended = len(damaged - left)
    if mended:
        tell = partial(integrity.count_change, model_id=claim.model_id or 0)
        fenced(context, claim, tell, model_id=claim.model_id)
    if left:
        raise SourceUnreadable(
            f"{counted(mended, 'file')} repaired, {len(left)} not ({_names(context, claim, left)}): "
            f"{claim.arguments['source']} does not hold the same bytes any more."
        )
    report = Report(f"Repaired {counted(mended, 'file')} from {claim.arguments['source']}.", items=mended)
    pulse.say(report.sentence)
    return report


def _damaged(context: Context, manifest: str) -> set[str]:
    return set(looked_up(context, partial(integrity.integrity_of, manifest_digest=manifest)).damaged)


def _copy_again(
    context: Context,
    claim: Claim,
    pulse: Pulse,
    manifest: str,
    files: list[ManifestFile] | None,
    damaged: Collection[str],
) -> None:
    """Copy the damaged files, or all where nobody knows their paths, and the manifest with them then."""
    ledger = JobLedger(context, claim)
    source = cast(CopiedSource, parse_source(claim.arguments["source"]))
    pulse(step="Opening the source")
    with (
        context.store.ingest(claim.job_id, claim.attempt) as ingest,
        open_source(
            source, roots=context.roots, tracking=context.tracking, limits=context.limits, buckets=context.buckets
        ) as opened,
    ):
        tree: Tree = opened.tree
        if files is not None:
            tree = PickedTree(tree, {file.path for file in files if file.digest in damaged})
        copied = copy_tree(tree, ingest, known={}, ledger=ledger, pulse=partial(_tell, pulse))
        stored = [blob.digest for blob in copied.blobs]
        if files is None:
            stored += _manifest_again(manifest, copied, ingest, ledger)
        ledger.settle(stored)


def _manifest_again(manifest: str, copied: Copied, ingest: Ingest, ledger: JobLedger) -> list[str]:
    again = build_manifest(copied.files)
    return [store_bytes(again.content, ingest, ledger).digest] if again.digest == manifest else []


def _tell(pulse: Pulse, progress: Progress) -> None:
    pulse(
        step="Repairing",
        items_done=progress.files_done,
        items_total=progress.files_total,
        bytes_done=progress.bytes_done,
        bytes_total=progress.bytes_total,
    )


def _names(context: Context, claim: Claim, digests: Collection[str]) -> str:
    """Return what the damaged files are called in this version, or in others of its model."""
    names = FileNames(context)
    uses = looked_up(context, partial(integrity.uses_of, digests=digests, limit=1000))
    return listed([names.written(use) for use in uses if use.model_id == claim.model_id])
