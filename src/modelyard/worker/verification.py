"""The work of `verify_version` and `verify_store`: reads stored bytes again and says which are not what they were.

Blobs are leased while they are read, and one is reported only if it is still live and used then. What was read is
noted batch by batch, so that an attempt which comes later goes on from there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlmodel import Session

from modelyard.database.tables import Job
from modelyard.jobs.guards import Claim
from modelyard.registry import integrity, verifying
from modelyard.registry.integrity import Use
from modelyard.registry.job_effects import Report
from modelyard.registry.verifying import Scope, Suspect
from modelyard.rules.counts import counted, listed
from modelyard.storage import sizes
from modelyard.storage.checking import Condition, check_blob
from modelyard.storage.pace import Pace
from modelyard.worker.context import Context, Pulse
from modelyard.worker.fence import fenced, looked_up
from modelyard.worker.file_names import FileNames

# Looked for together, and read under one lease.
_PAGE = 1000
_BATCH = 100
_BATCH_BYTES = 256 << 20
# Beyond it a report counts versions instead of naming them.
_NAMED = 20


def verify_version(context: Context, claim: Claim, pulse: Pulse) -> Report | None:
    """Read the files of one version; None when it was deleted meanwhile."""
    manifest = looked_up(context, partial(verifying.manifest_to_verify, version_id=claim.version_id or 0))
    if manifest is None:
        return None
    return Verification(context, claim, pulse, Scope(manifest_digest=manifest), Pace(0)).run()


def verify_store(context: Context, claim: Claim, pulse: Pulse) -> Report:
    """Read what all versions of a model use, or without a model what any version does, slowly then."""
    pace = Pace(context.verify_bytes_per_s if claim.model_id is None else 0)
    return Verification(context, claim, pulse, Scope(model_id=claim.model_id), pace).run()


@dataclass(slots=True)
class Verification:
    """One attempt to read what a scope holds."""

    context: Context
    claim: Claim
    pulse: Pulse
    scope: Scope
    pace: Pace
    _began_ms: int = 0
    _done: int = 0
    _done_bytes: int = 0
    _total: tuple[int, int] = (0, 0)
    _names: FileNames = field(init=False)

    def __post_init__(self) -> None:
        self._names = FileNames(self.context)

    def run(self) -> Report:
        """Read until nothing is left that was last read before this job was asked for."""
        self._began_ms = looked_up(self.context, self._created_at_ms)
        waiting = partial(verifying.waiting_suspects, scope=self.scope, before_ms=self._began_ms, limit=_PAGE)
        count = partial(verifying.count_waiting, scope=self.scope, before_ms=self._began_ms)
        self._total = looked_up(self.context, count)
        while page := looked_up(self.context, waiting):
            for batch in _batches(page):
                self._verify(batch)
        return self._report()

    def _created_at_ms(self, session: Session) -> int:
        job = session.get(Job, self.claim.job_id)
        return job.created_at_ms if job else 0

    def _verify(self, batch: Sequence[Suspect]) -> None:
        job_id, attempt = self.claim.job_id, self.claim.attempt
        hold = partial(verifying.hold_suspects, suspects=batch, job_id=job_id, attempt=attempt)
        held = fenced(self.context, self.claim, hold)
        found = {suspect: self._read(suspect) for suspect in held}
        bad = {suspect: condition for suspect, condition in found.items() if condition is not Condition.GOOD}

        def note(session: Session) -> list[str]:
            good = [suspect for suspect in held if suspect not in bad]
            verifying.note_good(session, good, before_ms=self._began_ms)
            marked = verifying.note_damaged(session, list(bad), before_ms=self._began_ms)
            verifying.release_suspects(session, held, job_id=job_id, attempt=attempt)
            return marked

        marked = set(fenced(self.context, self.claim, note))
        if marked:
            self._tell({each.blob.digest: bad[each] for each in bad if each.blob.digest in marked})

    def _read(self, suspect: Suspect) -> Condition:
        condition = check_blob(self.context.store, suspect.blob, self._piece_done)
        self._done += 1
        self._beat()
        return condition

    def _piece_done(self, size_bytes: int) -> None:
        self._done_bytes += size_bytes
        self._beat()
        self.pace.rest(size_bytes, self._beat)

    def _beat(self) -> None:
        items, size_bytes = self._total
        self.pulse(
            step="Verifying",
            items_done=self._done,
            items_total=items,
            bytes_done=self._done_bytes,
            bytes_total=size_bytes,
        )

    def _tell(self, conditions: dict[str, Condition]) -> None:
        """Name what is damaged in the log, and let the pages of those models know."""
        uses = looked_up(self.context, partial(integrity.uses_of, digests=conditions, limit=_PAGE))
        for use in uses:
            self.pulse.say(f"{self._names.written(use)} is {conditions[use.digest]}.", "error")
        for model_id in sorted({use.model_id for use in uses}):
            fenced(self.context, self.claim, partial(integrity.count_change, model_id=model_id), model_id=model_id)

    def _report(self) -> Report:
        find = partial(verifying.verified_since, scope=self.scope, since_ms=self._began_ms)
        found = looked_up(self.context, find)
        read = f"{counted(found.blobs, 'file')}, {sizes.written(found.size_bytes)}"
        if not found.damaged:
            sentence = f"Verified {read}: all as they were stored."
        else:
            uses: list[Use] = looked_up(self.context, partial(integrity.uses_of, digests=found.damaged, limit=_PAGE))
            names = listed([self._names.written(use) for use in uses], most=_NAMED)
            sentence = f"Verified {read}: {counted(len(found.damaged), 'file')} damaged ({names})."
        self.pulse.say(sentence, "error" if found.damaged else "info")
        return Report(sentence, items=found.blobs, size_bytes=found.size_bytes)


def _batches(page: Sequence[Suspect]) -> Iterator[list[Suspect]]:
    batch: list[Suspect] = []
    batch_bytes = 0
    for suspect in page:
        if batch and (len(batch) == _BATCH or batch_bytes + suspect.blob.size_bytes > _BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(suspect)
        batch_bytes += suspect.blob.size_bytes
    if batch:
        yield batch
