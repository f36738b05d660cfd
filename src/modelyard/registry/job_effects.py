"""What the end of a job changes in the registry, in the transaction that ends it: kind -> effects.

One of the three tables in which a kind of job stands; the others are `rules/jobs.py` and `worker/tasks.py`.
Each effect is guarded by its own WHERE, so that it happens once or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.tables import metadata
from modelyard.errors import InvalidState
from modelyard.jobs.guards import KNOWN_KINDS, Claim, jobs
from modelyard.jobs.lifecycle import NOTHING_LEFT, EndedAttempt
from modelyard.registry import audit, blobs
from modelyard.rules.audit import Action
from modelyard.rules.jobs import FINAL, JobKind, JobStatus, clip_message
from modelyard.rules.plans import PlanStatus
from modelyard.rules.versions import RegistrationMode

versions = metadata.tables["model_versions"]
models = metadata.tables["registered_models"]
job_files = metadata.tables["job_files"]
plans = metadata.tables["plans"]


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """What a registration stored. `size_bytes` counts each file, also those that share a blob.

    `source_run_id` is the run that the tracking server named, if any.
    """

    manifest_digest: str
    file_count: int
    size_bytes: int
    source_run_id: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a job found or did, for whoever looks at it afterwards: a sentence, and how many things and bytes.

    A figure that is None stays as the job's transactions counted it.
    """

    sentence: str
    items: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class KindEffects:
    """The effects of one kind; each returns False when it found nothing to change.

    `retried` prepares another try, and raises InvalidState when there is nothing left to work on.
    """

    succeeded: Callable[[Session, EndedAttempt], bool]
    failed: Callable[[Session, EndedAttempt], bool]
    cancelled: Callable[[Session, EndedAttempt], bool]
    retried: Callable[[Session, Claim], None]


def apply(session: Session, ended: EndedAttempt) -> bool:
    """Run the effects of an attempt that ended; what it leased is let go whatever the outcome.

    The leases go last, since a manifest takes its references from them.
    """
    claim = ended.claim
    changed = True
    if ended.status in FINAL:
        effects = _effects_of(claim)
        effect = {
            JobStatus.SUCCEEDED: effects.succeeded,
            JobStatus.FAILED: effects.failed,
            JobStatus.CANCELLED: effects.cancelled,
        }[ended.status]
        changed = effect(session, ended)
    blobs.drop_leases(session, job_id=claim.job_id, attempt=claim.attempt, final=ended.status in FINAL)
    return changed


def apply_retry(session: Session, claim: Claim) -> None:
    """Prepare the registry for another try of a job. Raises InvalidState when there is nothing left to work on."""
    _effects_of(claim).retried(session, claim)


def _effects_of(claim: Claim) -> KindEffects:
    if claim.kind not in KNOWN_KINDS:
        raise InvalidState(
            f"Jobs of kind {claim.kind!r} are another release's: this one can neither end nor retry them."
        )
    return EFFECTS[JobKind(claim.kind)]


def _version_ready(session: Session, ended: EndedAttempt) -> bool:
    stored, claim = _recorded(session, ended), ended.claim
    ready = _move_pending_version(
        session,
        ended,
        versions.c.deleted_at_ms.is_(None),
        status="READY",
        status_message="",
        manifest_digest=stored.manifest_digest,
        size_bytes=stored.size_bytes,
        file_count=stored.file_count,
        run_id=func.coalesce(func.nullif(versions.c.run_id, ""), stored.source_run_id),
    )
    if not ready:
        # Deleted while it was copied. Nothing is PENDING without an open job, in the trash neither.
        _move_pending_version(session, ended, status="FAILED_REGISTRATION", status_message=NOTHING_LEFT)
    upload = claim.arguments.get("upload_folder")
    if ready and upload is not None:
        blobs.forget_uploads(session, actor_name=claim.requested_by, folder=upload)
    return ready


def _recorded(session: Session, ended: EndedAttempt) -> StoredVersion:
    """Enter the manifest of what was stored; the leases of the job's attempt become its references."""
    stored: StoredVersion = ended.result
    blobs.record_manifest(
        session,
        stored.manifest_digest,
        file_count=stored.file_count,
        size_bytes=stored.size_bytes,
        job_id=ended.claim.job_id,
        attempt=ended.claim.attempt,
    )
    return stored


def _version_failed(session: Session, ended: EndedAttempt) -> bool:
    return _move_pending_version(session, ended, status="FAILED_REGISTRATION", status_message=ended.message)


def _move_pending_version(
    session: Session, ended: EndedAttempt, *conditions: ColumnElement[bool], **values: object
) -> bool:
    claim = ended.claim
    moved = session.execute(
        update(versions)
        .where(versions.c.id == claim.version_id, versions.c.status == "PENDING_REGISTRATION", *conditions)
        .values(updated_at_ms=now_ms(), **values)
    )
    _count_change(session, claim)
    changed = bool(moved.rowcount == 1)  # type: ignore[attr-defined]
    if changed:
        audit.record_job(
            session,
            claim,
            Action.FINISH_VERSION,
            before={"status": "PENDING_REGISTRATION"},
            after={name: values[name] for name in ("status", "status_message", "manifest_digest") if values.get(name)},
        )
    return changed


def _count_change(session: Session, claim: Claim) -> None:
    session.execute(
        update(models).where(models.c.id == claim.model_id).values(change_counter=models.c.change_counter + 1)
    )


def _version_pending_again(session: Session, claim: Claim) -> None:
    moved = session.execute(
        update(versions)
        .where(
            versions.c.id == claim.version_id,
            versions.c.status == "FAILED_REGISTRATION",
            versions.c.deleted_at_ms.is_(None),
        )
        .values(status="PENDING_REGISTRATION", status_message="", updated_at_ms=now_ms())
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        raise InvalidState("The version of this job was deleted, so there is nothing to try again.")
    _count_change(session, claim)
    if "upload_folder" in claim.arguments:
        _hold_uploads_again(session, claim)


def _hold_uploads_again(session: Session, claim: Claim) -> None:
    """Take the job's leases on its uploaded files again; they were let go when it ended."""
    files = session.scalars(select(job_files.c.digest).where(job_files.c.job_id == claim.job_id)).all()
    digests = set(files)
    if blobs.touch(session, digests) != len(digests):
        raise InvalidState("The uploaded files are gone; upload and register again.")
    blobs.lease(session, digests, job_id=claim.job_id, attempt=blobs.JOB_ITSELF)


# What a version holds that was registered by reference and has not been taken over.
_ONLY_REMEMBERED = and_(
    versions.c.status == "READY",
    versions.c.registration_mode == RegistrationMode.REFERENCE,
    versions.c.manifest_digest.is_(None),
    versions.c.deleted_at_ms.is_(None),
)


def _version_taken_over(session: Session, ended: EndedAttempt) -> bool:
    """Give a version that was only remembered its files; whatever else is known of it stays."""
    stored, claim = _recorded(session, ended), ended.claim
    taken = session.execute(
        update(versions)
        .where(versions.c.id == claim.version_id, _ONLY_REMEMBERED)
        .values(
            registration_mode=RegistrationMode.COPY,
            manifest_digest=stored.manifest_digest,
            size_bytes=stored.size_bytes,
            file_count=stored.file_count,
            run_id=func.coalesce(func.nullif(versions.c.run_id, ""), stored.source_run_id),
            updated_at_ms=now_ms(),
        )
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        return False
    _count_change(session, claim)
    audit.record_job(
        session,
        claim,
        Action.MATERIALIZE_VERSION,
        before={"registration_mode": RegistrationMode.REFERENCE},
        after={"registration_mode": RegistrationMode.COPY, "manifest_digest": stored.manifest_digest},
    )
    return True


def _still_only_remembered(session: Session, claim: Claim) -> None:
    if not session.scalar(select(exists().where(versions.c.id == claim.version_id, _ONLY_REMEMBERED))):
        raise InvalidState(
            "The version of this job was deleted or has its files already: there is nothing to try again."
        )


def _reported(session: Session, ended: EndedAttempt) -> bool:
    """Write the work's report into its job; None says that what it was about is gone."""
    report: Report | None = ended.result
    if report is None:
        return False
    figures = {"items_done": report.items, "bytes_done": report.size_bytes}
    session.execute(
        update(jobs)
        .where(jobs.c.id == ended.claim.job_id)
        .values(
            status_message=clip_message(report.sentence),
            **{name: figure for name, figure in figures.items() if figure is not None},
        )
    )
    return True


def _plan_failed(session: Session, ended: EndedAttempt) -> bool:
    return _end_plan(session, ended, PlanStatus.FAILED)


def _plan_cancelled(session: Session, ended: EndedAttempt) -> bool:
    return _end_plan(session, ended, PlanStatus.CANCELLED)


def _end_plan(session: Session, ended: EndedAttempt, status: PlanStatus) -> bool:
    """Let a plan end with the job that makes or executes it; what was done to versions stays done."""
    job_id = ended.claim.job_id
    session.execute(
        update(plans)
        .where(
            or_(
                and_(plans.c.status == PlanStatus.PLANNING, plans.c.plan_job_id == job_id),
                # Somebody else's job may execute what this one has made.
                and_(plans.c.status == PlanStatus.EXECUTING, plans.c.execute_job_id == job_id),
            )
        )
        .values(status=status, status_message=ended.message, finished_at_ms=now_ms())
    )
    return True


def _plan_again(session: Session, claim: Claim) -> None:
    """Let another try of the job go on with its plan where it stopped."""
    ended = plans.c.status.in_([PlanStatus.FAILED, PlanStatus.CANCELLED])
    again = update(plans).where(ended)
    # A plan that was never sealed is still to be made.
    unmade = again.where(plans.c.digest.is_(None), plans.c.plan_job_id == claim.job_id)
    session.execute(unmade.values(status=PlanStatus.PLANNING, status_message="", finished_at_ms=None))
    undone = again.where(plans.c.execute_job_id == claim.job_id, plans.c.expires_at_ms > now_ms())
    session.execute(undone.values(status=PlanStatus.EXECUTING, status_message="", finished_at_ms=None))
    if session.scalar(select(exists().where(ended, plans.c.execute_job_id == claim.job_id))):
        raise InvalidState("The plan of this job has expired: the registry may have changed too much. Make a new one.")


def _nothing(session: Session, ended: EndedAttempt) -> bool:
    return True


def _nothing_to_prepare(session: Session, claim: Claim) -> None:
    pass


# What such a job does, it writes itself while it runs.
_WITHOUT_EFFECTS = KindEffects(succeeded=_nothing, failed=_nothing, cancelled=_nothing, retried=_nothing_to_prepare)
_WITH_REPORT = KindEffects(succeeded=_reported, failed=_nothing, cancelled=_nothing, retried=_nothing_to_prepare)
_OF_PLAN = KindEffects(succeeded=_reported, failed=_plan_failed, cancelled=_plan_cancelled, retried=_plan_again)

EFFECTS: dict[JobKind, KindEffects] = {
    JobKind.REGISTER_VERSION: KindEffects(
        succeeded=_version_ready,
        failed=_version_failed,
        cancelled=_version_failed,
        retried=_version_pending_again,
    ),
    JobKind.ARCHIVE_VERSIONS: _WITHOUT_EFFECTS,
    JobKind.VERIFY_VERSION: _WITH_REPORT,
    JobKind.VERIFY_STORE: _WITH_REPORT,
    JobKind.REPAIR_VERSION: _WITH_REPORT,
    JobKind.MATERIALIZE: KindEffects(
        succeeded=_version_taken_over, failed=_nothing, cancelled=_nothing, retried=_still_only_remembered
    ),
    JobKind.PURGE_VERSION: _WITH_REPORT,
    JobKind.PURGE_MODEL: _WITH_REPORT,
    JobKind.COLLECT: _WITH_REPORT,
    JobKind.PRUNE_JOBS: _WITHOUT_EFFECTS,
    JobKind.PRUNE_AUDIT: _WITHOUT_EFFECTS,
    JobKind.NOTE_EXPIRING_TOKENS: _WITHOUT_EFFECTS,
    JobKind.MAKE_PLAN: _OF_PLAN,
    JobKind.EXECUTE_PLAN: _OF_PLAN,
    JobKind.RUN_POLICY: _OF_PLAN,
    JobKind.PROBE: _WITHOUT_EFFECTS,
}
