"""`python -m tests.store_chaos`: races and kills over a store, on both databases; status 1 when anything is wrong."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from rich.console import Console

from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from tests.servers import PostgreSQL
from tests.store_chaos.storm import Outcome, crashes, race

DATABASES = ("sqlite", "postgresql")
SHOWN = 10


def main() -> int:
    """Run what was asked for; the control is right when it finds something wrong."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    asked = _arguments()
    failed = 0
    for database in [asked.database] if asked.database else DATABASES:
        with _database(database) as (url, folder):
            outcome = race(url, folder, seconds=asked.seconds, seed=asked.seed)
            failed += _tell(f"{database}: race of 5 processes for {asked.seconds:.0f} s", outcome)
        with _database(database) as (url, folder):
            outcome = crashes(url, folder, kills=asked.kills, seed=asked.seed)
            failed += _tell(f"{database}: {asked.kills} processes killed", outcome)
        with _database(database) as (url, folder):
            outcome = race(url, folder, seconds=asked.seconds, how="without-leases", seed=asked.seed)
            failed += not _tell(f"{database}: the control without leases, which must fail", outcome)
    return int(failed > 0)


def _tell(title: str, outcome: Outcome) -> bool:
    """Print an outcome; whether something is wrong with it."""
    out, verdict = Console(highlight=False, markup=False), outcome.verdict
    out.print(f"{title}: {len(verdict.violations)} violations; {verdict.versions} READY, {verdict.blobs} blobs")
    out.print("  jobs: " + ", ".join(f"{name} {count}" for name, count in sorted(verdict.jobs.items())), soft_wrap=True)
    for violation in verdict.violations[:SHOWN]:
        out.print(f"  ! {violation}")
    return bool(verdict.violations)


@contextmanager
def _database(kind: str) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="modelyard-store-chaos-") as folder:
        if kind == "sqlite":
            yield _migrated(f"sqlite:///{folder}/modelyard.db"), Path(folder)
            return
        server = PostgreSQL()
        server.start()
        try:
            yield _migrated(server.url(server.create_database())), Path(folder)
        finally:
            server.remove()


def _migrated(url: str) -> str:
    engine = create_engine(url)
    upgrade(engine)
    engine.dispose()
    return url


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.store_chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long processes race (30)")
    parser.add_argument("--kills", type=int, default=100, help="how many processes are killed (100)")
    parser.add_argument("--seed", type=int, default=1, help="which storm (1)")
    parser.add_argument("--database", choices=DATABASES, help="only this one (both)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
