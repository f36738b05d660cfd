"""What every page of a model version shows around its contents: what it is, and where its registration stands."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from modelyard.database.session import reading
from modelyard.database.tables import RegisteredModel
from modelyard.errors import PermissionDenied
from modelyard.registry import access, jobs, queries
from modelyard.registry.followers import follows
from modelyard.registry.integrity import Integrity, integrity_of
from modelyard.registry.jobs import JobFilter, ShownJob
from modelyard.registry.overview import VersionFacts, version_facts
from modelyard.registry.registered_models import read_registered_model
from modelyard.registry.shown import ShownVersion
from modelyard.registry.workforce import alive_workers
from modelyard.rules.jobs import RULES, JobKind
from modelyard.rules.stages import Stage
from modelyard.rules.versions import RegistrationMode, VersionStatus
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui import activity, job_words
from modelyard.web.ui.asked import seq_of
from modelyard.web.ui.rights import rights_on
from modelyard.web.ui.words import address

_BUSY_S, _QUIET_S = 1, 5
_SHOWN_JOBS = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """A stage that a version can be moved to; `permitted` says whether directly or by a request."""

    stage: Stage
    permitted: bool


def find(name: str, number: int) -> dict[str, Any]:
    """Return what the frame of a version's pages shows. Raises NotFound, PermissionDenied."""
    with reading(site().engine) as session:
        connection = session.connection()
        # Before all else: what changes while the rest is read makes the counter shown an old one, and the page asks.
        model_row = read_registered_model(session, current_actor(), name)
        version = queries.model_version(connection, current_actor(), name, number)
        facts = version_facts(connection, [version.id])[version.id]
        found_jobs = jobs.list_jobs(
            session, current_actor(), JobFilter(model=name, version=number), limit=_SHOWN_JOBS
        ).rows
        workers = alive_workers(session, site().sweep_ms)
        integrity = integrity_of(session, facts.manifest_digest) if facts.manifest_digest else None
        choices = _choices(session, model_row, Stage(version.stage)) if version.status == VersionStatus.READY else []
        rights = rights_on(session, model_row)
        history = activity.of_version(session, model_row, version)
        following = follows(session, current_actor(), version.id)
    registration = next((job for job in found_jobs if job.job.kind == JobKind.REGISTER_VERSION), None)
    here = address("models", name, "versions", number)
    busy = version.status == VersionStatus.PENDING
    return {
        "name": name,
        "rights": rights,
        "number": number,
        "base": here,
        "version": version,
        "facts": facts,
        "jobs": [job_words.view(job) for job in found_jobs],
        "registration": job_words.view(registration) if registration else None,
        "idle_queue": busy and not workers[RULES[JobKind.REGISTER_VERSION].queue],
        "integrity": integrity,
        "choices": choices,
        "by_reference": facts.registration_mode == RegistrationMode.REFERENCE,
        "follows": following,
        "here": address(
            "ui",
            "models",
            name,
            "versions",
            number,
            status=version.status,
            activity=history["activity_kind"],
            before=history["before_id"],
        ),
        "seq": seq_of(_seq(version, facts, integrity, model_row.change_counter, found_jobs, workers), following),
        "seconds": _BUSY_S if busy else _QUIET_S,
        "say": _said(version),
        **history,
    }


def _choices(session: Session, model: RegisteredModel, current: Stage) -> list[Choice]:
    def permitted(to: Stage) -> bool:
        try:
            access.require_transition(session, current_actor(), model, from_stage=current, to_stage=to)
        except PermissionDenied:
            return False
        return True

    return [Choice(stage, permitted(stage)) for stage in Stage if stage is not current]


def _said(version: ShownVersion) -> str:
    words = {VersionStatus.READY: "is ready", VersionStatus.PENDING: "is being registered"}
    return f"Version {version.version} {words.get(VersionStatus(version.status), 'could not be registered')}"


def _seq(
    version: ShownVersion,
    facts: VersionFacts,
    integrity: Integrity | None,
    counter: int,
    found_jobs: list[ShownJob],
    workers: dict[str, int],
) -> str:
    moving = [job_words.seq_of_job(job.job) for job in found_jobs[:5]]
    listening = {queue: bool(count) for queue, count in workers.items()}
    return seq_of(counter, version.status, version.stage, facts, integrity, moving, listening)
