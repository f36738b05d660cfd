"""Archiving much: a promotion with 1,000 versions in Production, and policies over 100 models of 100 versions.

A whole system for each database, PostgreSQL as one that waits for its disk. The rows are written straight into the
database; what is measured goes over HTTP and through the workers.
"""

import argparse
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, func, insert, select, update

from benchmarks.figures import percentile, print_rows
from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import metadata
from modelyard.rules.jobs import FINAL
from modelyard.rules.plans import DAY_MS
from tests.servers import PostgreSQL
from tests.systems import System
from tests.waiting import wait_until

DATABASES = ("sqlite", "postgresql")
CROWD, ROUNDS = 1000, 20
MODELS, VERSIONS, KEPT = 100, 100, 5
BLOB_BYTES = 1_000_000
# How many versions somebody edits in each way between plan and execution.
EDITED = 10

models, versions = metadata.tables["registered_models"], metadata.tables["model_versions"]
activities, jobs = metadata.tables["activities"], metadata.tables["jobs"]
blobs, manifests, manifest_blobs = (metadata.tables[name] for name in ("blobs", "manifests", "manifest_blobs"))


def main() -> None:
    """Measure what was asked for, and print a table for each part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archival", description=__doc__)
    parser.add_argument("--database", choices=DATABASES, action="append", help="only these (both)")
    parser.add_argument("--part", choices=["promote", "policy"], action="append", help="only these (both)")
    asked = parser.parse_args()
    parts = {"promote": promote, "policy": policies}
    for name in asked.part or parts:
        rows: list[list[str]] = []
        for database in asked.database or DATABASES:
            with house(database, lease_s=6, sweep_s=1) as (system, engine):
                rows += [[database, *row] for row in parts[name](system, engine)]
        print_rows(name, ["database", "what", "figure"], rows)


@contextmanager
def house(
    database: str, fill: Callable[[Engine], object] = upgrade, **settings: object
) -> Iterator[tuple[System, Engine]]:
    """Start a system on a database of its own, which `fill` has made its tables in."""
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as name:
        server = PostgreSQL(durable=True) if database == "postgresql" else None
        if server is not None:
            server.start()
        folder = Path(name)
        url = server.url(server.create_database()) if server else f"sqlite:///{folder}/bench.db"
        engine = create_engine(url)
        fill(engine)
        system = System(folder, database_url=url, log_level="warning", **settings)
        system.start()
        try:
            yield system, engine
        finally:
            engine.dispose()
            system.stop()
            if server is not None:
                server.remove()


def promote(system: System, engine: Engine) -> Iterator[list[str]]:
    """Yield the figures of a promotion that moves 1,000 versions aside, one of its jobs killed half-way."""
    model_id = write_model(engine, "big", CROWD + 1, stage="Production")
    _all_in_production(engine, model_id)
    alone = [_promotion_ms(system, engine, model_id) for _ in range(ROUNDS)]
    with Reader(engine, system, model_id) as reader:
        spans = [_promotion_ms(system, engine, model_id) for _ in range(ROUNDS)]
        killed_s = _killed_s(system, engine, model_id)
    yield ["transition-stage, fastest / p50 / p95", _spread(alone)]
    yield ["the same beside the reader", _spread(spans)]
    yield ["a reader's looks; Production sets it saw", f"{reader.looks}; {dict(reader.sets)}"]
    yield ["answers of get-latest-versions; versions in them", f"{sum(reader.latest.values())}; {dict(reader.latest)}"]
    yield ["job after a kill -9 of its worker's child, from kill to end", f"{killed_s:.1f} s"]
    yield ["activities of each version, all rounds", _told(engine, model_id)]


def _spread(spans_ms: list[float]) -> str:
    figures = (min(spans_ms), percentile(spans_ms, 0.5), percentile(spans_ms, 0.95))
    return " / ".join(f"{figure:.1f}" for figure in figures) + " ms"


def _promotion_ms(system: System, engine: Engine, model_id: int) -> float:
    _all_in_production(engine, model_id)
    body = {"name": "big", "version": str(CROWD + 1), "stage": "Production", "archive_existing_versions": True}
    began = time.perf_counter()
    system.call("POST", "model-versions/transition-stage", body)
    span_ms = (time.perf_counter() - began) * 1000
    _wait_for_jobs(engine)
    return span_ms


def _killed_s(system: System, engine: Engine, model_id: int) -> float:
    """Promote once more, kill the child that works on the job half-way, and return how long the rest took."""
    _all_in_production(engine, model_id)
    before = _count(engine, activities)
    body = {"name": "big", "version": str(CROWD + 1), "stage": "Production", "archive_existing_versions": True}
    system.call("POST", "model-versions/transition-stage", body)
    while True:
        with autocommit(engine) as connection:
            row = connection.execute(select(jobs).order_by(jobs.c.id.desc()).limit(1)).one()
        if row.status in FINAL:
            raise SystemExit("The job was over before anybody could kill its worker; run it again.")
        if row.worker and _count(engine, activities) > before + 1:
            break
    began = time.perf_counter()
    os.kill(int(row.worker.split(":")[1]), signal.SIGKILL)
    _wait_for_jobs(engine)
    return time.perf_counter() - began


def _told(engine: Engine, model_id: int) -> str:
    """Return how many SYSTEM_TRANSITIONs the versions have: each has one of each of the promotions."""
    told = (
        select(activities.c.version_id, func.count().label("times"))
        .where(activities.c.model_id == model_id, activities.c.activity_type == "SYSTEM_TRANSITION")
        .group_by(activities.c.version_id)
        .subquery()
    )
    with autocommit(engine) as connection:
        rows = connection.execute(select(told.c.times, func.count()).group_by(told.c.times)).all()
    return ", ".join(f"{count} versions: {times} of {2 * ROUNDS + 1}" for times, count in rows)


class Reader:
    """Somebody who looks at the model all the while: in the database, and as a client."""

    def __init__(self, engine: Engine, system: System, model_id: int) -> None:
        self.engine, self.system, self.model_id = engine, system, model_id
        self.looks = 0
        self.sets: Counter[int] = Counter()
        self.latest: Counter[int] = Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._look), threading.Thread(target=self._ask)]

    def __enter__(self) -> "Reader":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        count = select(func.count()).where(versions.c.model_id == self.model_id, versions.c.stage == "Production")
        while not self._stop.wait(0.001):
            with autocommit(self.engine) as connection:
                self.sets[connection.scalar(count) or 0] += 1
            self.looks += 1

    def _ask(self) -> None:
        while not self._stop.wait(0.005):
            body = {"name": "big", "stages": ["Production"]}
            found = self.system.call("POST", "registered-models/get-latest-versions", body)
            self.latest[len(found.get("model_versions", []))] += 1


def policies(system: System, engine: Engine) -> Iterator[list[str]]:
    """Yield the figures of a policy that archives, edited between plan and execution, and of one that deletes."""
    for number in range(MODELS):
        write_model(engine, f"model-{number:03}", VERSIONS, days=200, stored=True)
    total = MODELS * VERSIONS
    native(
        system, "POST", "/policies", name="tidy", action="archive", registered_days=90, keep_newest=KEPT, every_s=86400
    )
    yield ["versions", f"{total} in {MODELS} models"]
    made_s, plan = _planned(system, engine, "tidy")
    yield ["plan: archive, keep the newest 5", f"{made_s:.2f} s: {plan['versions']} listed, {plan['kept']} kept"]
    began = time.perf_counter()
    listed = native(system, "GET", f"/plans/{plan['id']}/versions?max_results=1000")
    yield ["a page of 1,000 of its lines", f"{(time.perf_counter() - began) * 1000:.0f} ms"]
    edit(system, engine, [(line["name"], line["version"]) for line in listed["versions"]])
    yield from _execution(system, engine, plan)
    native(system, "POST", "/policies", name="purge", action="delete", all=True, every_s=86400)
    made_s, plan = _planned(system, engine, "purge")
    freed = f"{plan['freed_bytes'] / 1e9:.2f} of {plan['size_bytes'] / 1e9:.2f} GB"
    yield ["plan: delete what is archived", f"{made_s:.2f} s: {plan['versions']} listed, would free {freed}"]
    # Deleted one by one: a tenth tells as much.
    tenth = native(system, "POST", "/bulk/delete", filter="name LIKE 'model-00%' AND stage = 'Archived'")["plan"]
    _wait_for_jobs(engine)
    plan = native(system, "GET", f"/plans/{tenth['id']}")["plan"]
    yield ["the same of ten models, as a bulk operation", f"{plan['versions']} listed"]
    yield from _execution(system, engine, plan)


def _planned(system: System, engine: Engine, policy: str) -> tuple[float, Any]:
    """Have a policy make its plan; return how long the job worked, and the plan."""
    job = native(system, "POST", f"/policies/{policy}/plan")["job"]
    _wait_for_jobs(engine)
    return _worked_s(engine, job["id"]), native(system, "GET", f"/policies/{policy}")["policy"]["last_plan"]


def _execution(system: System, engine: Engine, plan: Any) -> Iterator[list[str]]:
    asked = native(system, "POST", f"/plans/{plan['id']}/execute", digest=plan["digest"])["plan"]
    _wait_for_jobs(engine)
    done = native(system, "GET", f"/plans/{plan['id']}")["plan"]
    worked_s = _worked_s(engine, asked["execute_job_id"])
    yield [
        "its execution",
        f"{worked_s:.2f} s: {done['done']} done, {done['skipped']} skipped, {done['failed']} failed",
    ]
    skipped = native(system, "GET", f"/plans/{plan['id']}/versions?max_results=1000&outcome=skipped")["versions"]
    if skipped:
        reasons = Counter(line["outcome_reason"] for line in skipped)
        yield ["skipped, and why", ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))]


def edit(system: System, engine: Engine, listed: list[tuple[str, int]]) -> None:
    """Do what people do meanwhile to some of the listed versions."""
    some = iter(listed)
    for _ in range(EDITED):
        name, number = next(some)
        where = {"name": name, "version": str(number)}
        system.call("POST", "model-versions/set-tag", where | {"key": "modelyard.keep", "value": "true"})
        name, number = next(some)
        system.call("POST", "registered-models/alias", {"name": name, "version": str(number), "alias": f"a{number}"})
        name, number = next(some)
        system.call("POST", "transition-requests/create", {"name": name, "version": str(number), "stage": "Staging"})
        name, number = next(some)
        body = {"name": name, "version": str(number), "stage": "Production"}
        system.call("POST", "model-versions/transition-stage", body | {"archive_existing_versions": False})
        name, number = next(some)
        system.call("DELETE", "model-versions/delete", {"name": name, "version": str(number)})


def write_model(
    engine: Engine, name: str, count: int, *, stage: str = "None", days: int = 0, stored: bool = False
) -> int:
    """Write a model with so many READY versions; with `stored`, each holds a megabyte of its own and shares another."""
    now = int(time.time() * 1000) - days * DAY_MS
    with transaction(engine) as session:
        model = {"name": name, "public_id": os.urandom(16).hex(), "description": "", "created_by": "ann"}
        counters = {"next_version": count + 1, "change_counter": 0, "created_at_ms": now, "updated_at_ms": now}
        model_id: int = session.execute(insert(models).values(model | counters).returning(models.c.id)).scalar_one()
        digests = [os.urandom(32).hex() for _ in range(count)] if stored else []
        if stored:
            shared = os.urandom(32).hex()
            pairs = [(manifest, os.urandom(32).hex()) for manifest in digests]
            held = [{"digest": shared, "size_bytes": BLOB_BYTES}]
            held += [{"digest": blob, "size_bytes": BLOB_BYTES} for _, blob in pairs]
            held += [{"digest": manifest, "size_bytes": 200} for manifest in digests]
            session.execute(insert(blobs), [row | {"gen": 0, "state": "live"} for row in held])
            each = [{"digest": manifest, "file_count": 2, "size_bytes": 2 * BLOB_BYTES} for manifest in digests]
            session.execute(insert(manifests), each)
            links = [*pairs, *((manifest, shared) for manifest in digests), *zip(digests, digests, strict=True)]
            rows = [{"manifest_digest": manifest, "digest": blob, "state": "live"} for manifest, blob in links]
            session.execute(insert(manifest_blobs), rows)
        base = {
            "model_id": model_id,
            "stage": stage,
            "status": "READY",
            "status_message": "",
            "description": "",
            "source": "/data",
            "run_id": "",
            "run_link": "",
            "logged_model_id": "",
            "registration_mode": "copy" if stored else "reference",
            "size_bytes": 2 * BLOB_BYTES,
            "created_by": "ann",
            "created_at_ms": now,
            "updated_at_ms": now,
            "stage_changed_at_ms": now,
        }
        numbered = [
            base | {"version": number, "public_id": os.urandom(16).hex(), "manifest_digest": digest}
            for number, digest in enumerate(digests or [None] * count, start=1)
        ]
        session.execute(insert(versions), numbered)
    return model_id


def native(system: System, method: str, path: str, **body: object) -> Any:
    """Call the native API and return its JSON."""
    answer = system.request(method, f"/api/v1{path}", body if method == "POST" else None)
    assert answer.status == 200, answer.data.decode(errors="replace")
    return orjson.loads(answer.data)


def _all_in_production(engine: Engine, model_id: int) -> None:
    """Put all versions but the last one into Production, by one statement."""
    with transaction(engine) as session:
        last = versions.c.version == CROWD + 1
        session.execute(update(versions).where(versions.c.model_id == model_id, ~last).values(stage="Production"))
        session.execute(update(versions).where(versions.c.model_id == model_id, last).values(stage="None"))


def _wait_for_jobs(engine: Engine) -> None:
    def are_over() -> bool:
        with autocommit(engine) as connection:
            return not connection.scalar(select(func.count()).select_from(jobs).where(jobs.c.status.not_in(FINAL)))

    wait_until(are_over, within_s=300, what="the jobs to end")


def _worked_s(engine: Engine, job_id: int) -> float:
    with autocommit(engine) as connection:
        row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
    assert row.status == "SUCCEEDED", row.status_message
    return float(row.finished_at_ms - row.started_at_ms) / 1000


def _count(engine: Engine, table: Any) -> int:
    with autocommit(engine) as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


if __name__ == "__main__":
    main()
