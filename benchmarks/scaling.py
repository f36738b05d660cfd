"""What more workers bring: the same registrations with one worker and with four, and one drained in the middle.

A PostgreSQL that waits for its disk, a Valkey, one web server, and workers of one child each. Every version waits
before the first worker comes, so that the figure is the workers' alone. More of them gain while cores are left.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
from sqlalchemy import Engine, func, select

from benchmarks.figures import print_rows
from benchmarks.registration import small_model
from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from modelyard.database.session import autocommit
from modelyard.database.tables import metadata
from modelyard.rules.jobs import AttemptOutcome
from tests.chaos.services import Service
from tests.servers import PostgreSQL, Valkey, free_port
from tests.waiting import wait_until

REGISTRATIONS = 200
WORKERS = (1, 2, 4)
versions, attempts = metadata.tables["model_versions"], metadata.tables["job_attempts"]


def main() -> None:
    """Register with each number of workers, then drain one of the most; print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--registrations", type=int, default=REGISTRATIONS, help=f"of a small model ({REGISTRATIONS})")
    count = parser.parse_args().registrations
    rows = [_measured(workers, count, drained=False) for workers in WORKERS]
    rows.append(_measured(WORKERS[-1], count, drained=True))
    header = ["workers", "registrations/s", "READY", "attempts", "attempts given back", "attempts that failed"]
    print_rows(f"{count} registrations on one PostgreSQL, {os.cpu_count()} cores for everything", header, rows)


@dataclass(frozen=True)
class Site:
    """A web server on a database of its own, and what its workers are started with."""

    folder: Path
    engine: Engine
    environment: dict[str, str]
    url: str

    def register(self, count: int) -> None:
        """Create `count` versions of one model; nobody works on them yet."""
        source = small_model(self.folder / "sources")
        http = urllib3.PoolManager(retries=False, timeout=30)
        calls = [("registered-models/create", {"name": "m"})]
        calls += [("model-versions/create", {"name": "m", "source": str(source)})] * count
        for route, body in calls:
            answer = http.request("POST", f"{self.url}/api/2.0/mlflow/{route}", json=body)
            assert answer.status == 200, answer.data.decode()
        http.clear()

    def start_workers(self, count: int) -> list[Service]:
        """Start workers of one child each."""
        started = []
        for number in range(1, count + 1):
            command = [sys.executable, "-m", "modelyard", "worker", "--concurrency", "1"]
            worker = Service(f"worker-{number}", command, self.environment, self.folder / f"worker-{number}.log")
            worker.revive()
            started.append(worker)
        return started

    def ready(self) -> int:
        """Return how many versions are READY."""
        with autocommit(self.engine) as connection:
            asked = select(func.count()).where(versions.c.status == "READY")
            return int(connection.scalar(asked) or 0)

    def outcomes(self) -> Counter[str]:
        """Return how many attempts ended in which way."""
        with autocommit(self.engine) as connection:
            rows = connection.execute(select(attempts.c.outcome, func.count()).group_by(attempts.c.outcome)).all()
        return Counter({str(outcome): count for outcome, count in rows})

    def taken_s(self) -> float:
        """Return the time between the first claim and the last end."""
        with autocommit(self.engine) as connection:
            first, last = connection.execute(
                select(func.min(attempts.c.started_at_ms), func.max(attempts.c.ended_at_ms))
            ).one()
        return float(last - first) / 1000


def _measured(workers: int, count: int, *, drained: bool) -> list[str]:
    with _site() as site:
        site.register(count)
        started = site.start_workers(workers)
        if drained:
            wait_until(lambda: site.ready() > count // 4, within_s=120, what="a quarter READY")
            started[0].stop()
        wait_until(lambda: site.ready() == count, within_s=300, what=f"{count} READY (logs: {site.folder})")
        for worker in started:
            worker.stop()
        outcomes = site.outcomes()
        succeeded, released = outcomes[AttemptOutcome.SUCCEEDED], outcomes[AttemptOutcome.RELEASED]
        return [
            f"{workers}, one drained" if drained else str(workers),
            f"{count / site.taken_s():.0f}",
            str(site.ready()),
            str(outcomes.total()),
            str(released),
            str(outcomes.total() - succeeded - released),
        ]


@contextmanager
def _site() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="modelyard-bench-"))
    broker, server, port = Valkey(), PostgreSQL(durable=True), free_port()
    broker.start()
    server.start()
    address = server.url(server.create_database())
    engine = create_engine(address)
    upgrade(engine)
    settings = {
        "home": folder / "home",
        "port": port,
        "database_url": address,
        "broker_url": broker.url,
        "source_roots": folder / "sources",
        "create_wait_s": 0,
        "web_processes": 1,
        "log_level": "warning",
    }
    own = {f"MODELYARD_{name.upper()}": str(value) for name, value in settings.items()}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | own
    web = Service("web", [sys.executable, "-m", "modelyard", "web"], environment, folder / "web.log")
    site = Site(folder, engine, environment, f"http://127.0.0.1:{port}")
    try:
        web.revive()
        wait_until(lambda: _answers(site.url), within_s=30, what=f"the web server (log: {web.log})")
        yield site
    finally:
        web.stop()
        engine.dispose()
        broker.remove()
        server.remove()
    # Kept when something went wrong: the logs tell what.
    shutil.rmtree(folder)


def _answers(url: str) -> bool:
    try:
        return urllib3.PoolManager(retries=False, timeout=2).request("GET", f"{url}/health").status == 200
    except urllib3.exceptions.HTTPError:
        return False


if __name__ == "__main__":
    main()
