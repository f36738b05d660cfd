"""The invariants of jobs.md asked of a calm database by SQL; each answer is a list of breaches in plain words.

What is true even while everything runs stands in registry/health_checks.py, for the doctor; it is asked here too.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Engine, func, select, text

from modelyard.database.session import autocommit
from modelyard.database.tables import metadata
from modelyard.jobs.guards import jobs, versions
from modelyard.registry.health_checks import find_wrong_rows
from modelyard.rules.jobs import JobKind

activities = metadata.tables["activities"]

# Each statement finds what must not be there once all is calm: nothing was pruned or purged, no clock fell back, and no
# job is from before the attempts had rows. The first word is the invariant's number in jobs.md.
_STATEMENTS: Final[dict[str, str]] = {
    "2: the attempts of a job are not 1, 2, ... up to its own": """
        SELECT j.id, j.attempt, count(a.attempt), max(a.attempt) FROM jobs j LEFT JOIN job_attempts a ON a.job_id = j.id
        GROUP BY j.id, j.attempt HAVING count(a.attempt) <> j.attempt OR coalesce(max(a.attempt), 0) <> j.attempt""",
    "3: two attempts of a job at once": """
        SELECT a.job_id, a.attempt, a.started_at_ms, a.ended_at_ms, b.attempt, b.started_at_ms
        FROM job_attempts a JOIN job_attempts b ON b.job_id = a.job_id AND b.attempt > a.attempt
        WHERE a.ended_at_ms IS NULL OR b.started_at_ms < a.ended_at_ms""",
    "5: a version whose status is not that of its one registration": """
        SELECT v.id, v.status, count(j.id), min(j.status) FROM model_versions v LEFT JOIN jobs j
        ON j.version_id = v.id AND j.kind = 'register_version' GROUP BY v.id, v.status
        HAVING count(j.id) <> 1 OR (v.status = 'READY') <> (min(j.status) = 'SUCCEEDED')
            OR (v.status = 'FAILED_REGISTRATION') <> (min(j.status) IN ('FAILED', 'CANCELLED'))""",
    "5: a version without exactly one CREATED_VERSION": """
        SELECT v.id, count(a.id) FROM model_versions v LEFT JOIN activities a
        ON a.version_id = v.id AND a.activity_type = 'CREATED_VERSION' GROUP BY v.id HAVING count(a.id) <> 1""",
    "5: two versions from one request": """
        SELECT description, count(*) FROM model_versions GROUP BY description HAVING count(*) > 1""",
    "5: the numbers of a model's versions are not 1, 2, ... without gaps": """
        SELECT m.name, m.next_version, count(v.id), max(v.version) FROM registered_models m
        LEFT JOIN model_versions v ON v.model_id = m.id GROUP BY m.id, m.name, m.next_version
        HAVING count(v.id) <> m.next_version - 1 OR coalesce(max(v.version), 0) <> m.next_version - 1""",
    "5: changes of a model that were counted twice, or not at all": """
        SELECT m.name, m.change_counter, count(v.id) FROM registered_models m
        LEFT JOIN model_versions v ON v.model_id = m.id WHERE m.name LIKE 'still-%'
        GROUP BY m.id, m.name, m.change_counter
        HAVING m.change_counter <> count(v.id) + sum(CASE WHEN v.status = 'PENDING_REGISTRATION' THEN 0 ELSE 1 END)""",
    "5: more than one version of a model in Production": """
        SELECT model_id, count(*) FROM model_versions WHERE stage = 'Production' GROUP BY model_id
        HAVING count(*) > 1""",
    "7: a job that is not over": "SELECT id, kind, status, attempt FROM jobs WHERE status IN ('QUEUED', 'RUNNING')",
    "8: a lease left behind": "SELECT job_id, attempt, count(*) FROM blob_leases GROUP BY job_id, attempt",
}
_SHOWN: Final = 5


def find_breaches(engine: Engine) -> list[str]:
    """Return what breaks an invariant, a line for each row (the first few of each kind)."""
    with autocommit(engine) as connection:
        found = [f"{finding.check}: {finding.found}" for finding in find_wrong_rows(connection)]
        for meaning, statement in _STATEMENTS.items():
            found += _lines(meaning, connection.execute(text(statement)).all())
    return found + _wrong_archivals(engine)


def _lines(meaning: str, rows: Iterable[object]) -> list[str]:
    listed = [str(row) for row in rows]
    more = [f"{meaning}: and {len(listed) - _SHOWN} more"] if len(listed) > _SHOWN else []
    return [f"{meaning}: {row}" for row in listed[:_SHOWN]] + more


def _wrong_archivals(engine: Engine) -> list[str]:
    """Return the archived versions whose SYSTEM_TRANSITION is not there exactly once."""
    with autocommit(engine) as connection:
        rows = connection.execute(select(jobs).where(jobs.c.kind == JobKind.ARCHIVE_VERSIONS)).all()
        written = connection.execute(
            select(activities.c.job_id, versions.c.version, func.count())
            .join(versions, versions.c.id == activities.c.version_id)
            .where(activities.c.job_id.is_not(None))
            .group_by(activities.c.job_id, versions.c.version)
        ).all()
    expected = {(row.id, number): 1 for row in rows for number in row.arguments["versions"]}
    found = {(job_id, number): count for job_id, number, count in written}
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    return _lines("5: a version's SYSTEM_TRANSITION not written exactly once, as (job, version)", wrong)
