"""What became of everything that was acknowledged: the checks after a storm, and how they add up."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from modelyard.database.session import autocommit
from modelyard.database.tables import metadata
from modelyard.jobs.guards import jobs, models, versions
from modelyard.rules.jobs import AttemptOutcome
from tests.chaos.clients import Registration
from tests.chaos.files import broken_manifests, wrong_downloads
from tests.chaos.house import House
from tests.chaos.invariants import find_breaches

attempts = metadata.tables["job_attempts"]

# What may stand in no log, whatever fails around a process.
_DEFECTS: Final = re.compile(
    r"a defect of Modelyard|failed by a bug|Exception in thread|cannot start"
    r"|a step of the sweep failed|the sweep has ended"
)


@dataclass
class Verdict:
    """Each list holds one line for each thing that is wrong; `reasons` counts why versions FAILED, rightly."""

    acknowledged: int = 0
    ready: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    misjudged: list[str] = field(default_factory=list)
    wrong_bytes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """Everything that is wrong."""
        return self.lost + self.doubled + self.stuck + self.misjudged + self.wrong_bytes + self.broken + self.defects


def judge(house: House, wishes: list[Registration]) -> Verdict:
    """Look at every wish of the clients, at the database and at the store, when all is calm."""
    verdict = Verdict()
    rows = _versions_by_token(house)
    ready = []
    for wish in wishes:
        found = rows.get(wish.token, [])
        if len(found) > 1:
            verdict.doubled.append(f"{wish.token} has {len(found)} versions")
        if wish.version is None:
            # Nobody promised anything; it may be there or not, once.
            continue
        verdict.acknowledged += 1
        if not found or str(found[0].version) != wish.version or found[0].name != wish.model:
            verdict.lost.append(f"{wish.token}, acknowledged as {wish.model} version {wish.version}, is not there")
        elif found[0].status == "READY":
            ready.append(wish)
        _judge_status(house, wish, found, verdict)
    verdict.ready = len(ready)
    verdict.wrong_bytes = wrong_downloads(house, [wish for wish in ready if wish.source.doom is None])
    verdict.broken = find_breaches(house.engine) + broken_manifests(house) + _left_in_staging(house)
    verdict.defects = find_defects(house.logs())
    return verdict


def _judge_status(house: House, wish: Registration, found: list[Any], verdict: Verdict) -> None:
    for row in found[:1]:
        doom, message = wish.source.doom, row.status_message
        if row.status == "PENDING_REGISTRATION":
            verdict.stuck.append(f"{wish.token} ({row.name} version {row.version}) is still {row.status}")
        elif row.status == "READY" and doom is not None:
            verdict.misjudged.append(f"{wish.token} is READY, but its source {doom}")
        elif row.status == "FAILED_REGISTRATION" and doom is not None and doom in message:
            verdict.reasons[doom] += 1
        elif row.status == "FAILED_REGISTRATION" and _lost_all_its_workers(house, row.id):
            verdict.reasons["worker lost in every attempt"] += 1
        elif row.status == "FAILED_REGISTRATION":
            verdict.misjudged.append(f"{wish.token} FAILED with {message!r}; its source: {doom or 'a sound model'}")


def _lost_all_its_workers(house: House, version_id: int) -> bool:
    """Whether a job used up every attempt it had, each by losing its worker: a reason that a storm may give."""
    with autocommit(house.engine) as connection:
        job = connection.execute(select(jobs).where(jobs.c.version_id == version_id)).one()
        outcomes = connection.scalars(select(attempts.c.outcome).where(attempts.c.job_id == job.id)).all()
    lost = outcomes.count(AttemptOutcome.LOST)
    return bool(job.error_code == "worker_lost" and lost + job.releases >= job.max_attempts == len(outcomes))


def _versions_by_token(house: House) -> dict[str, list[Any]]:
    statement = select(versions, models.c.name).join(models, models.c.id == versions.c.model_id)
    found: dict[str, list[Any]] = {}
    with autocommit(house.engine) as connection:
        for row in connection.execute(statement):
            found.setdefault(row.description, []).append(row)
    return found


def _left_in_staging(house: House) -> list[str]:
    return [f"8: {path.name} was left in the staging area" for path in (house.store / "ingest").iterdir()]


def find_defects(logs: list[Path]) -> list[str]:
    """Return the lines of logs that tell of a bug, shortened, each once with its count."""
    found: Counter[str] = Counter()
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if _DEFECTS.search(line):
                found[_told(line)] += 1
    return [f"logged {count} times: {line}" for line, count in found.most_common()]


def _told(line: str) -> str:
    try:
        event = json.loads(line)
    except ValueError:
        return line[:300]
    last = str(event.get("exception", "")).strip().rpartition("\n")[2]
    return f"{event.get('event')} {last}"[:300]
