"""The rooms below the console: a web process without a server, on SQLite and then on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from modelyard.runtime import Runtime
from modelyard.settings import Settings
from tests.console.patients import Patient
from tests.console.served import ServedYard
from tests.web.yards import Yard


@pytest.fixture
def yard(database_url: str, tmp_path: Path) -> Iterator[Yard]:
    """A yard with the settings of a laptop, but with creates that do not wait."""
    (tmp_path / "sources").mkdir()
    settings = Settings(
        home=tmp_path / "home",
        database_url=database_url,
        source_roots=str(tmp_path / "sources"),
        create_wait_s=0,
    )
    runtime = Runtime.open(settings)
    yield Yard(runtime, tmp_path)
    runtime.store.close()
    runtime.engine.dispose()


@pytest.fixture
def patient(yard: Yard) -> Patient:
    """A registry that is well, with nothing in it."""
    return Patient(yard)


@pytest.fixture
def served(yard: Yard) -> Iterator[ServedYard]:
    """A yard that answers over HTTP."""
    server = ServedYard(yard)
    # The server logs in this very process, to the stdout that a command under test is read from.
    with capture_logs():
        server.start()
        yield server
        server.stop()
