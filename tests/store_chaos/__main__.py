"""`python -m tests.store_chaos`: races and kills over a store, on both databases; status 1 when anything is wrong.

Over a folder and then over a bucket of a real S3 server, where less is done in the same time.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import structlog
from rich.console import Console

from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from tests.servers import PostgreSQL, SeaweedFS
from tests.store_chaos.storm import Outcome, crashes, race

DATABASES = ("sqlite", "postgresql")
STORES = ("folder", "bucket")
SHOWN = 10


def main() -> int:
    """Run what was asked for; the control is right when it finds something wrong."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    asked = _arguments()
    failed = 0
    for kind in [asked.store] if asked.store else STORES:
        with _bucket() if kind == "bucket" else nullcontext("") as bucket:
            for database in [asked.database] if asked.database else DATABASES:
                failed += _storms(asked, database, bucket and f"{bucket}/{database}")
    return int(failed > 0)


def _storms(asked: argparse.Namespace, database: str, bucket: str) -> int:
    """Blow each kind of storm once; return how many ended as they must not. `bucket` is "" for a store in a folder."""
    where = f"{database}, {'bucket' if bucket else 'folder'}"
    kills = asked.kills // 4 if bucket else asked.kills
    with _database(database) as (url, folder):
        outcome = race(url, folder, seconds=asked.seconds, seed=asked.seed, store_url=bucket and f"{bucket}/race")
        failed = _tell(f"{where}: race of 5 processes for {asked.seconds:.0f} s", outcome)
    with _database(database) as (url, folder):
        outcome = crashes(url, folder, kills=kills, seed=asked.seed, store_url=bucket and f"{bucket}/kills")
        failed += _tell(f"{where}: {kills} processes killed", outcome)
    with _database(database) as (url, folder):
        control = bucket and f"{bucket}/control"
        how = "without-leases"
        outcome = race(url, folder, seconds=asked.seconds, how=how, seed=asked.seed, store_url=control)
        failed += not _tell(f"{where}: the control without leases, which must fail", outcome)
    return failed


@contextmanager
def _bucket() -> Iterator[str]:
    """Run an S3 server; yield the address of a folder in its bucket, for which the environment holds credentials."""
    server = SeaweedFS()
    server.start()
    os.environ.update(server.environment, AWS_EC2_METADATA_DISABLED="true")
    try:
        yield f"s3://store/{server.port}"
    finally:
        server.remove()


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
    parser.add_argument("--store", choices=STORES, help="only this one (both); over a bucket a quarter is killed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
