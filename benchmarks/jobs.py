"""What the job engine costs: submit, wake-up, throughput, recovery and a broker that hangs.

Beside each figure stands raw Celery's on the same broker in the same run, and the budget of design/jobs.md.
SQLite and a PostgreSQL that waits for its disk, each with the embedded broker and with a real Valkey.
"""

import argparse
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, func, select
from sqlmodel import Session

from benchmarks.figures import percentile as p
from benchmarks.figures import print_rows
from benchmarks.raw_celery import RawCelery
from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import ModelVersion, RegisteredModel, metadata
from modelyard.jobs.broker import Bell, create_broker
from modelyard.jobs.guards import jobs
from modelyard.jobs.queue import JobQueue
from modelyard.processes.embedded_broker import bind_broker, broker_url, serve_broker
from modelyard.rules.jobs import FINAL, JobKind, JobStatus
from tests.servers import PostgreSQL, Valkey, start_leashed
from tests.systems import System
from tests.waiting import wait_until

attempts = metadata.tables["job_attempts"]

SUBMITS = 500
IDLE_PAUSE_S = 0.03
IDLE_JOBS = 200
NOOPS = 2000
LEASE_S, SWEEP_S = 6.0, 1.0
# Half a minute's work, and room for it must be free.
SPARSE_BYTES = 24 << 30
BUDGETS = {
    "sqlite": {"submit": 1.0, "claimed": (5, 15), "jobs/s": 450, "recovery": LEASE_S * 4 / 3 + SWEEP_S + 1},
    "postgresql": {"submit": 2.0, "claimed": (7, 20), "jobs/s": 350, "recovery": LEASE_S + SWEEP_S + 1},
}


def main() -> None:
    """Measure every combination that was asked for and print a table of all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobs", description=__doc__)
    parser.add_argument("--database", choices=list(BUDGETS), action="append", help="only these (both)")
    parser.add_argument("--broker", choices=["embedded", "valkey"], action="append", help="only these (both)")
    parser.add_argument("--noops", type=int, default=NOOPS, help=f"no-op jobs for the throughput ({NOOPS})")
    asked = parser.parse_args()
    for broker in asked.broker or ["embedded", "valkey"]:
        for database in asked.database or list(BUDGETS):
            with _bench(database, broker) as bench:
                rows = bench.rows(asked.noops)
            print_rows(f"{database}, {broker} broker", ["measure", "here", "raw Celery", "budget"], rows)
    _print_hang()


@dataclass
class Bench:
    """A database, a broker, and a worker of two children when it is started."""

    database: str
    engine: Engine
    url: str
    broker_url: str
    folder: Path
    raw: RawCelery
    queue: JobQueue = field(init=False)
    _worker: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.queue = JobQueue(ring=Bell(create_broker(self.broker_url), quiet_s=1).ring, grace_ms=5000)

    def rows(self, noops: int) -> list[list[str]]:
        """Measure everything; a row for each figure."""
        budget: Any = BUDGETS[self.database]
        submit, raw_submit = self._submit_ms(), [1000 * taken_s for taken_s in self.raw.send(SUBMITS)]
        self.raw.start()
        self.raw.lines(SUBMITS)
        claimed, raw_claimed = self._claimed_ms(), self._raw_claimed_ms()
        p50, p99 = budget["claimed"]
        return [
            _row("submit over the version's insert, p50 ms", p(submit, 0.5), p(raw_submit, 0.5), budget["submit"]),
            _row("submit over the version's insert, p99 ms", p(submit, 0.99), p(raw_submit, 0.99), None),
            _row("created to claimed, idle, p50 ms", p(claimed, 0.5), p(raw_claimed, 0.5), p50),
            _row("created to claimed, idle, p99 ms", p(claimed, 0.99), p(raw_claimed, 0.99), p99),
            _row(
                "no-op jobs/s, a worker of two", self._throughput(noops), self._raw_throughput(noops), budget["jobs/s"]
            ),
            _row(f"kill -9 to claimed again, s (lease {LEASE_S:.0f})", self._recovery_s(), None, budget["recovery"]),
        ]

    def start_worker(self) -> None:
        """Start `modelyard worker`."""
        settings = {
            "HOME": self.folder / "home",
            "DATABASE_URL": self.url,
            "BROKER_URL": self.broker_url,
            "LEASE_S": LEASE_S,
            "SWEEP_S": SWEEP_S,
            "LOG_LEVEL": "warning",
            "SOURCE_ROOTS": self.folder / "sources",
        }
        own = {f"MODELYARD_{name}": str(value) for name, value in settings.items()}
        environment = {"PATH": os.environ["PATH"]} | own
        command = [sys.executable, "-m", "modelyard", "worker", "--concurrency", "2"]
        self._worker = start_leashed(command, self.folder / "worker.log", environment=environment)

    def stop_worker(self) -> None:
        """Stop it as an operator would."""
        if self._worker is not None:
            self._worker.terminate()
            self._worker.wait()

    def _submit_ms(self) -> list[float]:
        """Return what the job's row and its ring add to a transaction that inserts a version, pair by pair."""
        with transaction(self.engine) as session:
            model = RegisteredModel(name="bench", created_by="bench")
            session.add(model)
            session.flush()
        pairs = range(1, 2 * SUBMITS, 2)
        added_s = [
            -self._insert(model.id, number, with_job=False) + self._insert(model.id, number + 1, with_job=True)
            for number in pairs
        ]
        return [1000 * taken_s for taken_s in added_s]

    def _insert(self, model_id: int, number: int, *, with_job: bool) -> float:
        began_s = time.perf_counter()
        with transaction(self.engine) as session:
            session.add(ModelVersion(model_id=model_id, version=number, source="", status="READY", created_by="bench"))
            session.flush()
            if with_job:
                self._enqueue(session)
        return time.perf_counter() - began_s

    def _enqueue(self, session: Session, kind: JobKind = JobKind.PROBE, **arguments: object) -> int:
        return self.queue.enqueue(session, kind, requested_by="bench", arguments=arguments).id

    def _claimed_ms(self) -> list[float]:
        self._forget()
        self.start_worker()
        self._one()
        for _ in range(IDLE_JOBS):
            self._one(waiting=False)
            time.sleep(IDLE_PAUSE_S)
        self._drained()
        self.stop_worker()
        with autocommit(self.engine) as connection:
            rows = connection.execute(select(jobs.c.started_at_ms - jobs.c.created_at_ms).order_by(jobs.c.id)).all()
        return [float(row[0]) for row in rows[1:]]

    def _raw_claimed_ms(self) -> list[float]:
        self.raw.send(IDLE_JOBS, pause_s=IDLE_PAUSE_S)
        lines = self.raw.lines(IDLE_JOBS)
        self.raw.stop()
        return [1000 * (began_s - sent_s) for sent_s, began_s in lines]

    def _one(self, *, waiting: bool = True) -> None:
        with transaction(self.engine) as session:
            self._enqueue(session)
        if waiting:
            self._drained()

    def _throughput(self, count: int) -> float:
        """Return jobs a second between the first claim and the last end; all were queued before the worker came."""
        self._forget()
        with transaction(self.engine) as session:
            for _ in range(count):
                self._enqueue(session)
        self.start_worker()
        self._drained()
        self.stop_worker()
        with autocommit(self.engine) as connection:
            first, last = connection.execute(
                select(func.min(attempts.c.started_at_ms), func.max(attempts.c.ended_at_ms))
            ).one()
        return count / (last - first) * 1000

    def _raw_throughput(self, count: int) -> float:
        self.raw.send(count)
        self.raw.start()
        began = sorted(began_s for _, began_s in self.raw.lines(count))
        self.raw.stop()
        return (count - 1) / (began[-1] - began[0])

    def _recovery_s(self) -> float:
        """Kill the child that copies, and wait until another attempt of its job begins."""
        self._forget()
        source = self.folder / "sources" / "big"
        source.mkdir(parents=True, exist_ok=True)
        (source / "MLmodel").write_text("flavors: {}\n")
        # Sparse: nothing is read from a disk, and hashing it takes longer than any recovery.
        with (source / "weights.bin").open("wb") as weights:
            weights.truncate(SPARSE_BYTES)
        self.start_worker()
        self._one()
        self._forget()
        with transaction(self.engine) as session:
            self._enqueue(session, JobKind.REGISTER_VERSION, source=str(source))
        owner = wait_until(lambda: self._owner(attempt=1), within_s=30, what="a copy under way")
        os.kill(int(owner.split(":")[1]), signal.SIGKILL)
        began_s = time.perf_counter()
        wait_until(lambda: self._owner(attempt=2), within_s=60, what="the second attempt")
        taken_s = time.perf_counter() - began_s
        self._worker.kill() if self._worker else None
        return taken_s

    def _owner(self, *, attempt: int) -> str:
        with autocommit(self.engine) as connection:
            # One that was put off, as for want of room on the disk, is nobody's.
            running = select(jobs.c.worker).where(jobs.c.attempt == attempt, jobs.c.status == JobStatus.RUNNING)
            found = connection.scalar(running)
        return str(found or "")

    def _drained(self) -> None:
        def is_over() -> bool:
            with autocommit(self.engine) as connection:
                return not connection.scalar(select(func.count()).where(jobs.c.status.not_in(FINAL)))

        wait_until(is_over, within_s=180, what="every job over")

    def _forget(self) -> None:
        with transaction(self.engine) as session:
            for table in (metadata.tables["job_log"], attempts, jobs):
                session.execute(delete(table))


def _row(name: str, here: float, raw: float | None, budget: float | None) -> list[str]:
    digits = 0 if here > 100 else 2
    shown = [f"{here:.{digits}f}", "" if raw is None else f"{raw:.{digits}f}", "" if budget is None else f"{budget:g}"]
    return [name, *shown]


def _print_hang() -> None:
    """Register over HTTP while the broker hangs (SIGSTOP): the first request pays one short try, the others nothing."""
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as name:
        folder = Path(name)
        (folder / "sources" / "m").mkdir(parents=True)
        (folder / "sources" / "m" / "MLmodel").write_text("flavors: {}\n")
        valkey = Valkey()
        valkey.start()
        system = System(
            folder, source_roots=folder / "sources", broker_url=valkey.url, create_wait_s=0, web_processes=1
        )
        system.start()
        system.call("POST", "registered-models/create", {"name": "m"})
        valkey.freeze()
        taken = []
        for _ in range(20):
            began_s = time.perf_counter()
            system.call("POST", "model-versions/create", {"name": "m", "source": str(folder / "sources" / "m")})
            taken.append(time.perf_counter() - began_s)
        valkey.thaw()
        system.stop()
        valkey.remove()
    rows = [["first", f"{taken[0]:.3f}", "1.1"], ["slowest of the next 19", f"{max(taken[1:]):.3f}", ""]]
    print_rows("model-versions/create while the broker hangs, s", ["request", "here", "budget"], rows)


@contextmanager
def _bench(database: str, broker: str) -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="modelyard-bench-"))
    (folder / "home").mkdir()
    with _database(database, folder) as url, _broker(broker) as address:
        engine = create_engine(url)
        upgrade(engine)
        bench = Bench(database, engine, url, address, folder, RawCelery(address, folder))
        try:
            yield bench
        finally:
            bench.raw.stop()
            if bench._worker is not None:
                bench._worker.kill()
                bench._worker.wait()
            engine.dispose()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _database(database: str, folder: Path) -> Iterator[str]:
    if database == "sqlite":
        yield f"sqlite:///{folder / 'home' / 'modelyard.db'}"
        return
    server = PostgreSQL(durable=True)
    server.start()
    try:
        yield server.url(server.create_database())
    finally:
        server.remove()


@contextmanager
def _broker(broker: str) -> Iterator[str]:
    if broker == "valkey":
        server = Valkey()
        server.start()
        try:
            yield server.url
        finally:
            server.remove()
        return
    listener = bind_broker()
    process = multiprocessing.get_context("fork").Process(target=serve_broker, args=[listener], daemon=True)
    process.start()
    try:
        yield broker_url(listener)
    finally:
        process.terminate()
        process.join()
        listener.close()


if __name__ == "__main__":
    main()
