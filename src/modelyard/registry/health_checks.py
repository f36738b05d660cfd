"""What can never be true of a registry's rows, asked while everything runs; each answer with what repairs it.

Every statement sees one snapshot, and whatever it finds no transaction of ours ever leaves behind: a job ends together
with its effect, its attempt and its leases. So a finding is a corruption, never a moment. What holds only when nothing
moves stands in tests/chaos/invariants.py. Source: design/jobs.md, "Invariants"; the numbers below are theirs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from modelyard.rules.jobs import FINAL, AttemptOutcome


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. `found` names it by ids and names, `why` says what follows, `repair` what to do."""

    check: str
    found: str
    why: str
    repair: str


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A statement whose every row is a corruption; `found` and `repair` tell of one such row."""

    name: str
    statement: str
    found: Callable[[Any], str]
    why: str
    repair: Callable[[Any], str]

    def ask(self, connection: Connection) -> Iterator[Finding]:
        """Yield a finding for each row."""
        for row in connection.execute(text(self.statement)):
            yield Finding(self.name, self.found(row), self.why, self.repair(row))


def find_wrong_rows(connection: Connection) -> Iterator[Finding]:
    """Yield everything that the row checks find, in their order."""
    for check in ROW_CHECKS:
        yield from check.ask(connection)


def _pending_repair(row: Any) -> str:
    if row.open_jobs > 1:
        return f"Cancel each of them with `modelyard job cancel`, then `modelyard job retry {row.job_id}`."
    failed = (
        "UPDATE model_versions SET status = 'FAILED_REGISTRATION', status_message = 'Its job was lost.' "
        f"WHERE id = {row.id} AND status = 'PENDING_REGISTRATION';"
    )
    again = f"`modelyard job retry {row.job_id}`" if row.job_id else "delete the version and register it again"
    return f"{failed} then {again}."


def _outcome_of(row: Any) -> str:
    """Return how an attempt must have ended: the last one of a job as the job did, any other by being lost."""
    return row.status if row.attempt == row.last and row.status in FINAL else AttemptOutcome.LOST


_PENDING_WITHOUT_JOB = RowCheck(  # 1
    "pending_version_without_job",
    """
    SELECT v.id, m.name, v.version, count(CASE WHEN j.status IN ('QUEUED', 'RUNNING') THEN 1 END) AS open_jobs,
           max(j.id) AS job_id
    FROM model_versions v JOIN registered_models m ON m.id = v.model_id
         LEFT JOIN jobs j ON j.version_id = v.id AND j.kind = 'register_version'
    WHERE v.status = 'PENDING_REGISTRATION'
    GROUP BY v.id, m.name, v.version
    HAVING count(CASE WHEN j.status IN ('QUEUED', 'RUNNING') THEN 1 END) <> 1
    ORDER BY v.id""",
    lambda row: (
        f"Version {row.version} of {row.name!r} is PENDING_REGISTRATION with {row.open_jobs} open registration jobs; "
        "there must be one."
    ),
    "Nobody brings such a version to READY or FAILED_REGISTRATION, so its clients wait for ever.",
    _pending_repair,
)

_OPEN_WITHOUT_PENDING = RowCheck(  # 1
    "registration_without_pending_version",
    """
    SELECT j.id, j.status, v.status AS version_status FROM jobs j LEFT JOIN model_versions v ON v.id = j.version_id
    WHERE j.kind = 'register_version' AND j.status IN ('QUEUED', 'RUNNING')
          AND (v.id IS NULL OR v.status <> 'PENDING_REGISTRATION')
    ORDER BY j.id""",
    lambda row: f"Job {row.id} registers a version that is {row.version_status or 'not there'}, and is {row.status}.",
    "It copies what nobody waits for, and ends without effect.",
    lambda row: f"`modelyard job cancel {row.id}`",
)

_ATTEMPT_FELL = RowCheck(  # 2
    "attempt_fell",
    """
    SELECT j.id, j.attempt, max(a.attempt) AS highest FROM jobs j JOIN job_attempts a ON a.job_id = j.id
    GROUP BY j.id, j.attempt HAVING max(a.attempt) > j.attempt ORDER BY j.id""",
    lambda row: f"Job {row.id} stands at attempt {row.attempt}, but had attempt {row.highest}.",
    "The attempt keeps lost workers from writing; the next claim takes a number that is taken, and fails.",
    lambda row: f"UPDATE jobs SET attempt = {row.highest} WHERE id = {row.id} AND status <> 'RUNNING';",
)

_TWO_RUNNING = RowCheck(  # 3
    "two_running_jobs_of_one_subject",
    """
    SELECT subject, count(*) AS running, max(id) AS job_id FROM jobs
    WHERE status = 'RUNNING' AND subject IS NOT NULL GROUP BY subject HAVING count(*) > 1 ORDER BY subject""",
    lambda row: f"{row.running} jobs of {row.subject!r} are RUNNING at once.",
    "They work on the same version; and the index one_running_per_subject, which forbids it, must be missing.",
    lambda row: (
        f"`modelyard job cancel {row.job_id}`, and when it has ended: "
        "CREATE UNIQUE INDEX one_running_per_subject ON jobs (subject) WHERE status = 'RUNNING';"
    ),
)

_ENDED_BY_ANOTHER = RowCheck(  # 4
    "job_ended_by_another_worker",
    """
    SELECT j.id, j.worker, a.worker AS owner FROM jobs j
    JOIN job_attempts a ON a.job_id = j.id AND a.attempt = j.attempt
    WHERE j.status = 'SUCCEEDED' AND (j.worker IS NULL OR j.worker <> a.worker) ORDER BY j.id""",
    lambda row: f"Job {row.id} was ended by {row.worker!r}, its last attempt belonged to {row.owner!r}.",
    "A worker that had lost its claim may have written the outcome.",
    lambda row: "`modelyard doctor --deep`; register the version again when its bytes are wrong.",
)

_OUTCOMES_DIFFER = RowCheck(  # 5
    "job_differs_from_its_attempts",
    """
    SELECT j.id, j.status, a.attempt, coalesce(a.outcome, 'open') AS outcome FROM jobs j
    JOIN job_attempts a ON a.job_id = j.id
    WHERE (a.outcome = 'SUCCEEDED' AND (j.status <> 'SUCCEEDED' OR a.attempt <> j.attempt))
       OR (j.status = 'SUCCEEDED' AND a.attempt = j.attempt AND coalesce(a.outcome, 'open') <> 'SUCCEEDED')
    ORDER BY j.id, a.attempt""",
    lambda row: f"Job {row.id} is {row.status}, its attempt {row.attempt} is {row.outcome}.",
    "A job ends once, together with its last attempt; one of the two was changed by hand.",
    lambda row: "`modelyard doctor --deep`; register the version again when its bytes are wrong.",
)

_VERSION_DIFFERS = RowCheck(  # 5
    "version_differs_from_its_job",
    """
    SELECT v.status, m.name, v.version, j.id AS job_id, j.status AS job_status FROM model_versions v
    JOIN registered_models m ON m.id = v.model_id
    JOIN jobs j ON j.version_id = v.id AND j.kind = 'register_version'
    WHERE (v.status = 'READY' AND j.status IN ('FAILED', 'CANCELLED'))
       OR (v.status = 'FAILED_REGISTRATION' AND j.status = 'SUCCEEDED')
    ORDER BY v.id, j.id""",
    lambda row: f"Version {row.version} of {row.name!r} is {row.status}, but its job {row.job_id} is {row.job_status}.",
    "Status and job are written together; READY may promise bytes that nobody stored.",
    lambda row: "Delete the version, and register its source again.",
)

_READY_WITHOUT_MANIFEST = RowCheck(  # 6
    "ready_version_without_manifest",
    """
    SELECT v.id, m.name, v.version FROM model_versions v JOIN registered_models m ON m.id = v.model_id
    WHERE v.status = 'READY' AND v.registration_mode = 'copy' AND v.manifest_digest IS NULL ORDER BY v.id""",
    lambda row: f"Version {row.version} of {row.name!r} is READY, but has no manifest.",
    "Its files cannot be found, so nobody can load it.",
    lambda row: "Delete the version, and register its source again.",
)

_MANIFEST_UNHELD = RowCheck(  # 6
    "manifest_without_reference",
    """
    SELECT n.digest FROM manifests n WHERE NOT EXISTS (
        SELECT 1 FROM manifest_blobs r WHERE r.manifest_digest = n.digest AND r.digest = n.digest)
    ORDER BY n.digest""",
    lambda row: f"The manifest {row.digest} does not hold its own blob.",
    "The collector removes what nobody refers to, and with it the list of a version's files.",
    lambda row: (
        f"INSERT INTO manifest_blobs (manifest_digest, digest, state) VALUES ('{row.digest}', '{row.digest}', 'live');"
    ),
)

_NEXT_VERSION_BEHIND = RowCheck(
    "next_version_is_taken",
    """
    SELECT m.id, m.name, m.next_version, max(v.version) AS highest FROM registered_models m
    JOIN model_versions v ON v.model_id = m.id
    GROUP BY m.id, m.name, m.next_version HAVING max(v.version) >= m.next_version ORDER BY m.id""",
    lambda row: f"The next version of {row.name!r} would be {row.next_version}, but {row.highest} is there.",
    "Every registration of this model fails.",
    lambda row: f"UPDATE registered_models SET next_version = {row.highest + 1} WHERE id = {row.id};",
)

_LEASE_LEFT = RowCheck(  # 8
    "blob_lease_left_behind",
    """
    SELECT l.job_id, l.attempt, count(*) AS blobs, min(j.status) AS status FROM blob_leases l
    LEFT JOIN jobs j ON j.id = l.job_id
    WHERE NOT coalesce((l.attempt = 0 AND j.status IN ('QUEUED', 'RUNNING'))
                       OR (l.attempt = j.attempt AND j.status = 'RUNNING'), FALSE)
    GROUP BY l.job_id, l.attempt ORDER BY l.job_id, l.attempt""",
    lambda row: (
        f"Attempt {row.attempt} of job {row.job_id} ({row.status or 'not there'}) holds {row.blobs} blobs, "
        "though it is over."
    ),
    "Blobs that are held are never collected.",
    lambda row: f"DELETE FROM blob_leases WHERE job_id = {row.job_id} AND attempt = {row.attempt};",
)

_ATTEMPT_LEFT_OPEN = RowCheck(  # 8
    "attempt_left_open",
    """
    SELECT a.job_id, a.attempt, j.status, j.attempt AS last FROM job_attempts a JOIN jobs j ON j.id = a.job_id
    WHERE a.ended_at_ms IS NULL AND NOT (j.status = 'RUNNING' AND j.attempt = a.attempt)
    ORDER BY a.job_id, a.attempt""",
    lambda row: f"Attempt {row.attempt} of job {row.job_id} ({row.status}) never ended.",
    "The history shows work that nobody does.",
    lambda row: (
        f"UPDATE job_attempts SET outcome = '{_outcome_of(row)}', ended_at_ms = started_at_ms "
        f"WHERE job_id = {row.job_id} AND attempt = {row.attempt} AND ended_at_ms IS NULL;"
    ),
)

ROW_CHECKS = (
    _PENDING_WITHOUT_JOB,
    _OPEN_WITHOUT_PENDING,
    _ATTEMPT_FELL,
    _TWO_RUNNING,
    _ENDED_BY_ANOTHER,
    _OUTCOMES_DIFFER,
    _VERSION_DIFFERS,
    _READY_WITHOUT_MANIFEST,
    _MANIFEST_UNHELD,
    _NEXT_VERSION_BEHIND,
    _LEASE_LEFT,
    _ATTEMPT_LEFT_OPEN,
)
