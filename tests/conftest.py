"""What tests are given: databases and brokers of their own, and a whole system.

Servers are started when the first test asks for them, once for each process of pytest. A test gets a database
of its own by copying a file, or by emptying a database, that was migrated once, which takes milliseconds.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from sqlalchemy import Engine

from modelyard.database.clock import shift_clock
from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from tests.databases import BOTH_DATABASES, DatabasePool
from tests.servers import PostgreSQL, SeaweedFS, Valkey
from tests.systems import System


def pytest_configure() -> None:
    """Let what tests start hear Ctrl-C, which a shell that runs the suite in the background has it ignore."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


# Each change is held against the same few histories; `make prove` draws many new ones (`--hypothesis-profile=prove`).
_SLOW = settings(deadline=None, stateful_step_count=40, suppress_health_check=list(HealthCheck), print_blob=True)
settings.register_profile("change", _SLOW, max_examples=12, derandomize=True)
settings.register_profile("prove", _SLOW, max_examples=2000, derandomize=False)
# A planted fault need not be told in the fewest steps.
settings.register_profile("mutants", _SLOW, max_examples=100, derandomize=True, phases=[Phase.generate])
settings.load_profile("change")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A running PostgreSQL server, shared by the tests of this process: stop or freeze one of your own."""
    server = PostgreSQL()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A running and empty Valkey server of the test's own."""
    server = Valkey()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFS]:
    """A running S3 server with the buckets `store` and `models`, shared by the tests of this process."""
    server = SeaweedFS()
    server.start(buckets=("store", "models"))
    yield server
    server.remove()


@pytest.fixture
def s3(seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> SeaweedFS:
    """The shared S3 server, its credentials in the environment, where every AWS tool looks for them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in seaweedfs.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return seaweedfs


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema and no rows, to be copied."""
    path = tmp_path_factory.mktemp("template") / "modelyard.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_database(postgresql: PostgreSQL) -> str:
    """The name of a PostgreSQL database with the newest schema and no rows, to be copied."""
    name = postgresql.create_database()
    _migrate(postgresql.url(name))
    return name


@pytest.fixture(scope="session")
def database_pool(postgresql: PostgreSQL, migrated_database: str) -> Iterator[DatabasePool]:
    """The migrated databases of the shared PostgreSQL server."""
    pool = DatabasePool(postgresql, migrated_database)
    yield pool
    pool.close()


@pytest.fixture(params=BOTH_DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database without rows, on SQLite and then on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "modelyard.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    pool: DatabasePool = request.getfixturevalue("database_pool")
    name = pool.take()
    yield server.url(name)
    pool.give_back(name)


@pytest.fixture(params=BOTH_DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any schema, on SQLite and then on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.create_database()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a migrated database without rows, on SQLite and then on PostgreSQL."""
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def set_clock(engine: Engine) -> Iterator[Callable[[int], None]]:
    """A function that lets the database's clock run so many milliseconds ahead, until the test ends."""
    yield lambda offset_ms: shift_clock(engine, offset_ms)
    shift_clock(engine, 0)


@pytest.fixture
def start_system(tmp_path: Path) -> Iterator[Callable[..., System]]:
    """A function that starts `modelyard up` with the settings given; everything is stopped when the test ends."""
    started: list[System] = []

    def start(**settings: object) -> System:
        system = System(tmp_path / f"system-{len(started)}", **settings)
        started.append(system)
        system.start()
        return system

    yield start
    _stop_all(started)


@pytest.fixture(scope="module")
def system_settings() -> dict[str, object]:
    """Further settings of `system`; a module that wants some has a fixture of this name."""
    return {}


@pytest.fixture(scope="module", params=BOTH_DATABASES)
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, system_settings: dict[str, object]
) -> Iterator[System]:
    """A running `modelyard up` shared by a module, on SQLite with the embedded broker, then on PostgreSQL and Valkey.

    Files below its `folder / "sources"` may be registered by path.
    """
    folder = tmp_path_factory.mktemp("system")
    settings: dict[str, object] = {"source_roots": folder / "sources", **system_settings}
    (folder / "sources").mkdir()
    if request.param == "sqlite":
        yield from _running(System(folder, **settings))
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    database = server.create_database(template=request.getfixturevalue("migrated_database"))
    # Not the shared one: tests of brokers flush that.
    broker = Valkey()
    broker.start()
    yield from _running(System(folder, **settings, database_url=server.url(database), broker_url=broker.url))
    server.drop_database(database)
    broker.remove()


def _running(system: System) -> Iterator[System]:
    system.start()
    yield system
    system.stop()


def _migrate(url: str) -> None:
    engine = create_engine(url)
    upgrade(engine)
    engine.dispose()


def _stop_all(systems: list[System]) -> None:
    failures = []
    for system in systems:
        try:
            system.stop()
        except AssertionError as error:
            failures.append(error)
    if failures:
        raise failures[0]
