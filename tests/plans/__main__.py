"""`python -m tests.plans`: two beats and four workers on a policy that runs each ten seconds, for five minutes.

Exit status 1 unless each slot has exactly one run, each run one plan, and each version one activity.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from subprocess import Popen

import orjson
from sqlalchemy import Engine, func, select

from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import metadata
from modelyard.registry import policies
from modelyard.registry.policies import NewPolicy, PolicyChange
from modelyard.registry.schedules import ScheduleChange
from modelyard.rules.jobs import FINAL
from modelyard.rules.plans import PlanAction
from modelyard.rules.policies import Caps, Conditions, Mode
from modelyard.rules.schedules import Rule, RuleKind
from tests.plans.office import CONSOLE, Office
from tests.servers import PostgreSQL, Valkey, start_leashed
from tests.waiting import wait_until

PERIOD_S, BEATS, WORKERS = 10, 2, 4
ADDED_EACH_S = 3.0
jobs, plans, activities = (metadata.tables[name] for name in ("jobs", "plans", "activities"))
EACH_TEN_SECONDS = Rule(RuleKind.EVERY, str(PERIOD_S))


def main() -> int:
    """Run it on each database that was asked for, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.plans", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long (300)")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    asked = parser.parse_args()
    broker = Valkey()
    server = PostgreSQL() if asked.database == "postgresql" else None
    broker.start()
    if server is not None:
        server.start()
    try:
        with tempfile.TemporaryDirectory(prefix="modelyard-beats-") as name:
            url = server.url(server.create_database()) if server else f"sqlite:///{name}/modelyard.db"
            return run(Path(name), url, broker.url, asked.seconds)
    finally:
        broker.remove()
        if server is not None:
            server.remove()


def run(folder: Path, database_url: str, broker_url: str, seconds: float) -> int:
    """Let beats and workers run, add versions all the while, and count afterwards."""
    engine = create_engine(database_url)
    upgrade(engine)
    office = Office(engine)
    processes = {name: _start(folder, name, database_url, broker_url) for name in _names()}
    office.versions("model", 5)
    # Slots that come before anybody sweeps fold into one.
    wait_until(lambda: len(office.rows("workers", by="name")) == WORKERS, within_s=120, what=f"the workers ({folder})")
    with transaction(engine) as session:
        wish = NewPolicy(
            "tidy",
            PlanAction.ARCHIVE,
            Conditions(),
            EACH_TEN_SECONDS,
            Mode.APPLY,
            Caps(max_percent=100, max_versions=10**6),
            everything=True,
        )
        first_ms = policies.create_policy(session, CONSOLE, wish).schedule.next_at_ms
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(ADDED_EACH_S)
        office.versions("model", 2)
    with transaction(engine) as session:
        pause = PolicyChange(schedule=ScheduleChange(enabled=False))
        last_ms = policies.change_policy(session, CONSOLE, "tidy", pause).schedule.last_slot_ms or 0
    wait_until(lambda: _are_over(engine), within_s=120, what=f"the runs to end (logs: {folder})")
    for process in processes.values():
        process.terminate()
    for process in processes.values():
        process.wait(60)
    verdict = judge(engine, first_ms, last_ms)
    fired = {name: (folder / f"{name}.log").read_text().count('"a schedule was due"') for name in processes}
    print(f"Fired by: {', '.join(f'{name} {count}' for name, count in fired.items())}.")
    print("\n".join(_log(folder)[-6:]))
    engine.dispose()
    return verdict


def judge(engine: Engine, first_ms: int, last_ms: int) -> int:
    """Compare slots with runs, runs with plans, versions with activities; 1 when anything is not as it should be."""
    slots = list(range(first_ms, last_ms + 1, PERIOD_S * 1000))
    with autocommit(engine) as connection:
        runs = connection.execute(select(jobs).where(jobs.c.kind == "run_policy").order_by(jobs.c.id)).all()
        made = connection.execute(select(plans).order_by(plans.c.id)).all()
        told = connection.execute(
            select(activities.c.version_id, func.count())
            .where(activities.c.activity_type == "SYSTEM_TRANSITION")
            .group_by(activities.c.version_id)
        ).all()
    ran = [int(run.dedupe_key.rpartition(":")[2]) for run in runs]
    touched = sum(plan.done for plan in made)
    waits = sorted(run.started_at_ms - slot for run, slot in zip(runs, ran, strict=True))
    print(f"Slots {len(slots)}, runs {len(runs)} ({dict(Counter(run.status for run in runs))}), plans {len(made)}.")
    print(f"Archived {touched} versions, {len(told)} of them told of, each {max(count for _, count in told)} time.")
    print(f"From slot to start: p50 {waits[len(waits) // 2]} ms, at most {waits[-1]} ms.")
    right = (
        ran == slots
        and [plan.plan_job_id for plan in made] == [run.id for run in runs]
        and {run.status for run in runs} == {"SUCCEEDED"}
        and len(told) == touched
        and {count for _, count in told} == {1}
    )
    print("As it should be." if right else f"WRONG: slots {slots}, runs {ran}.")
    return int(not right)


def _names() -> list[str]:
    return [f"beat-{n}" for n in range(1, BEATS + 1)] + [f"worker-{n}" for n in range(1, WORKERS + 1)]


def _start(folder: Path, name: str, database_url: str, broker_url: str) -> "Popen[bytes]":
    settings = {"home": folder / "home", "database_url": database_url, "broker_url": broker_url, "log_format": "json"}
    settings |= {"sweep_s": 1, "auth": "none"}
    own = {f"MODELYARD_{key.upper()}": str(value) for key, value in settings.items()}
    kind = name.partition("-")[0]
    words = ["worker", "--concurrency", "1", "--queues", "fast"] if kind == "worker" else ["beat"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | own
    return start_leashed([sys.executable, "-m", "modelyard", *words], folder / f"{name}.log", environment=environment)


def _are_over(engine: Engine) -> bool:
    with autocommit(engine) as connection:
        return not connection.scalar(select(func.count()).select_from(jobs).where(jobs.c.status.not_in(FINAL)))


def _log(folder: Path) -> list[str]:
    """Return what all processes logged of slots and of ended jobs, in the order of time."""
    lines = []
    for path in folder.glob("*.log"):
        for line in path.read_text().splitlines():
            if '"a schedule was due"' in line or '"job ended"' in line:
                told = orjson.loads(line)
                lines.append(f"{told['timestamp']} {path.stem}: {told['event']}, job {told['job_id']}")
    return sorted(lines)


if __name__ == "__main__":
    sys.exit(main())
