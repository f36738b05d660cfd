"""How long a registration takes: one call of `create` until READY, and one `get`, on both databases."""

import tempfile
import time
from pathlib import Path

from benchmarks.figures import print_timings
from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from tests.servers import PostgreSQL
from tests.systems import System
from tests.waiting import wait_until

CALLS = 1000


def main() -> None:
    """Measure on SQLite with the embedded broker, then on a PostgreSQL that waits for its disk."""
    measure("SQLite, embedded broker")
    server = PostgreSQL(durable=True)
    server.start()
    try:
        name = server.create_database()
        engine = create_engine(server.url(name))
        upgrade(engine)
        engine.dispose()
        measure("PostgreSQL 18 (durable commits), embedded broker", database_url=server.url(name))
    finally:
        server.remove()


def measure(title: str, **settings: object) -> None:
    """Start a system, register and read `CALLS` times, print the figures."""
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
        source = small_model(Path(folder) / "sources")
        system = System(Path(folder), source_roots=source.parent, log_level="warning", **settings)
        system.start()
        try:
            system.call("POST", "registered-models/create", {"name": "bench"})
            _create(system, source)  # The first one loads what the worker needs.
            created = [_create(system, source) for _ in range(CALLS)]
            read = [_get(system, number % CALLS + 1) for number in range(CALLS)]
        finally:
            system.stop()
    answered_ready = sum(in_one_call for _, in_one_call in created)
    print_timings(
        f"{title}: {answered_ready} of {CALLS} creates answered READY in one call",
        {"create to READY": [seconds for seconds, _ in created], "model-versions/get": read},
    )


def small_model(sources: Path) -> Path:
    """Write a model of three small files and return its folder."""
    folder = sources / "model"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "conda.yaml").write_text("dependencies: []\n")
    (folder / "model.pkl").write_bytes(bytes(range(256)) * 80)
    return folder


def _create(system: System, source: Path) -> tuple[float, bool]:
    """Register once; return the seconds until READY and whether the first answer said so."""
    began_s = time.perf_counter()
    answer = system.call("POST", "model-versions/create", {"name": "bench", "source": str(source)})["model_version"]
    if answer["status"] == "READY":
        return time.perf_counter() - began_s, True

    def is_ready() -> bool:
        found = system.call("GET", "model-versions/get", name="bench", version=answer["version"])
        return bool(found["model_version"]["status"] == "READY")

    wait_until(is_ready, what="READY")
    return time.perf_counter() - began_s, False


def _get(system: System, version: int) -> float:
    began_s = time.perf_counter()
    system.call("GET", "model-versions/get", name="bench", version=str(version))
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main()
