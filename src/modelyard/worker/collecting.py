"""The work of `collect`: removes the bytes that nobody refers to any more, and tells how many those were.

A blob is marked, its file removed, its row marked gone: in this order and in transactions apart, so that whoever
comes after a crash finds either nothing to do or a mark to finish. Source: design/storage.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import structlog
from sqlmodel import Session

from modelyard.errors import InvalidState
from modelyard.jobs.guards import Claim
from modelyard.registry import blobs, collection
from modelyard.registry.collection import JudgedFile, Standing
from modelyard.registry.job_effects import Report
from modelyard.rules.counts import counted
from modelyard.storage import sizes
from modelyard.storage.checking import Condition, check_blob
from modelyard.storage.identity import Owner
from modelyard.storage.store import FoundBlob, StoredBlob
from modelyard.worker.chores import remove_lost_staging
from modelyard.worker.context import Context, Pulse
from modelyard.worker.fence import Answer, fenced, looked_up

log = structlog.get_logger(__name__)

# So many blobs are marked, removed and marked gone together. Each is a statement of its own in the transaction.
_BATCH = 50
_LISTED = 500
# Touching the blobs of a larger manifest takes longer than a transaction may.
_TOUCHED_TOGETHER = 500


def collect(context: Context, claim: Claim, pulse: Pulse) -> Report:
    """Remove what nobody refers to; with the argument `dry_run` only tell what that is.

    Raises InvalidState when the store is not known to be this database's: another's blobs would look unreferenced.
    """
    _require_ours(context)
    if claim.arguments.get("dry_run"):
        return _foresee(context, pulse)
    collector = Collector(context, claim, pulse)
    collector.run()
    report = collector.report()
    pulse.say(report.sentence)
    return report


def _require_ours(context: Context) -> None:
    identity = context.store.identity()
    if identity is None or identity.owner != context.owner:
        found = identity.owner if identity else Owner("(none)", "(none)")
        raise InvalidState(
            f"The store names the registry {found.registry_id} on the database {found.database or '(none)'} as its "
            f"owner; this is {context.owner.registry_id} on {context.owner.database}. If the other one is gone for "
            "good, run `modelyard store adopt`; else give this database a store of its own (MODELYARD_STORE_URL)."
        )


@dataclass(slots=True)
class Collector:
    """One collection and what it has done so far."""

    context: Context
    claim: Claim
    pulse: Pulse
    blobs: int = 0
    size_bytes: int = 0
    manifests: int = 0
    entered: int = 0
    strange: int = 0

    def run(self) -> None:
        """Do all of it, each step in batches."""
        self._do(blobs.expire_uploads)
        remove_lost_staging(self.context)
        self._finish_what_others_began()
        self._remove_manifests()
        self._look_at_files()
        self._remove_blobs()
        while self._do(partial(collection.forget_gone, limit=_LISTED)):
            self._tell("Forgetting old rows")

    def report(self) -> Report:
        """Say what was done."""
        parts = [f"Freed {sizes.written(self.size_bytes)} in {counted(self.blobs, 'file')}"]
        if self.manifests:
            parts.append(f"removed {counted(self.manifests, 'manifest')} that no version refers to")
        if self.entered:
            parts.append(f"entered {counted(self.entered, 'file')} that no row told of")
        if self.strange:
            parts.append(f"left {counted(self.strange, 'damaged file')} of a later generation alone")
        return Report("; ".join(parts) + ".", items=self.blobs, size_bytes=self.size_bytes)

    def _finish_what_others_began(self) -> None:
        after = ""
        while batch := self._ask(partial(collection.unfinished_blobs, after=after, limit=_BATCH)):
            self._remove(batch)
            after = batch[-1].digest

    def _remove_manifests(self) -> None:
        after = ""
        while batch := self._ask(partial(collection.unreferenced_manifests, after=after, limit=_BATCH)):
            for digest in batch:
                self.manifests += self._remove_manifest(digest)
                self._tell("Removing manifests")
            after = batch[-1]

    def _remove_manifest(self, digest: str) -> bool:
        digests = self._ask(partial(collection.blobs_of_manifest, manifest_digest=digest))
        if len(digests) > _TOUCHED_TOGETHER:
            for start in range(0, len(digests), _TOUCHED_TOGETHER):
                self._do(partial(blobs.touch, digests=digests[start : start + _TOUCHED_TOGETHER]))
            digests = []
        return self._do(partial(collection.remove_manifest, digest=digest, digests=digests))

    def _look_at_files(self) -> None:
        for batch in _batches(self.context.store.list_blobs()):
            for judged in self._ask(partial(collection.judge_files, files=batch)):
                self._settle(judged)
            self._tell("Looking at files")

    def _settle(self, judged: JudgedFile) -> None:
        """Do what a file's standing asks for; each way is safe however late it is gone."""
        match judged.standing:
            case Standing.UNKNOWN:
                self._do(partial(collection.enter_file, file=judged.file))
                self.entered += 1
            case Standing.LEFTOVER if judged.file.age_s * 1000 >= self.context.grace_ms:
                self._count(judged.file.size_bytes, self.context.store.remove_blob(judged.file.digest, judged.file.gen))
            case Standing.AHEAD:
                self._follow(judged)

    def _follow(self, judged: JudgedFile) -> None:
        file = judged.file
        condition = check_blob(self.context.store, StoredBlob(file.digest, file.gen, file.size_bytes), self._beat)
        if condition is Condition.GOOD:
            self._do(partial(collection.take_generation, judged=judged))
            return
        # It must stay: a registration may be about to put good bytes in its place.
        self.strange += 1
        log.warning("a file of a later generation is damaged", digest=file.digest, gen=file.gen, found=condition)

    def _remove_blobs(self) -> None:
        after = ""
        grace_ms = self.context.grace_ms
        find = partial(collection.unreferenced_blobs, grace_ms=grace_ms, limit=_BATCH)
        while digests := self._ask(partial(find, after=after)):
            self._remove(self._do(partial(collection.begin_deleting, digests=digests, grace_ms=grace_ms)))
            after = digests[-1]

    def _remove(self, marked: Sequence[StoredBlob]) -> None:
        for blob in marked:
            self._count(blob.size_bytes, self.context.store.remove_blob(blob.digest, blob.gen))
            self._tell("Removing files")
        if marked:
            self._do(partial(collection.finish_deleting, removed=marked))

    def _count(self, size_bytes: int, was_there: bool) -> None:
        if was_there:
            self.blobs += 1
            self.size_bytes += size_bytes

    def _tell(self, step: str) -> None:
        self.pulse(step=step, items_done=self.blobs, bytes_done=self.size_bytes)

    def _beat(self, _size_bytes: int) -> None:
        self.pulse()

    def _do(self, work: Callable[[Session], Answer]) -> Answer:
        return fenced(self.context, self.claim, work)

    def _ask(self, work: Callable[[Session], Answer]) -> Answer:
        return looked_up(self.context, work)


def _foresee(context: Context, pulse: Pulse) -> Report:
    """Tell what a collection would do now; nothing is changed."""
    leftovers = 0
    leftover_bytes = 0
    unknown = 0
    for batch in _batches(context.store.list_blobs()):
        for judged in looked_up(context, partial(collection.judge_files, files=batch)):
            unknown += judged.standing is Standing.UNKNOWN
            if judged.standing is Standing.LEFTOVER and judged.file.age_s * 1000 >= context.grace_ms:
                leftovers += 1
                leftover_bytes += judged.file.size_bytes
        pulse(step="Looking at files")
    seen = looked_up(context, partial(collection.outlook, grace_ms=context.grace_ms))
    count, size_bytes = seen.blobs + leftovers, seen.size_bytes + leftover_bytes
    sentence = f"Dry run: {sizes.written(size_bytes)} in {counted(count, 'file')} would be freed now"
    if seen.later_blobs:
        sentence += f", {sizes.written(seen.later_bytes)} in {counted(seen.later_blobs, 'file')} later"
    if seen.manifests:
        sentence += f"; {counted(seen.manifests, 'manifest')} that no version refers to would go"
    if unknown:
        sentence += f"; {counted(unknown, 'file')} that no row tells of would be entered"
    report = Report(sentence + ".", items=count, size_bytes=size_bytes)
    pulse.say(report.sentence)
    return report


def _batches(listed: Iterator[FoundBlob]) -> Iterator[list[FoundBlob]]:
    while batch := list(islice(listed, _LISTED)):
        yield batch
