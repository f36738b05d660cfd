"""A web process without a server, on SQLite and then on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard.runtime import Runtime
from modelyard.settings import Settings
from tests.web.yards import Yard

HERE = Path(__file__).parent
# What these are about is decided before any database is asked: headers, bodies, arguments, bytes of files.
BEFORE_ANY_DATABASE = {
    "api/test_any_request.py",
    "api/test_arguments.py",
    "api/test_bad_input.py",
    "api/test_bucket_downloads.py",
    "api/test_dbfs.py",
    "api/test_downloads.py",
    "test_errors.py",
    "test_guard.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave PostgreSQL to `make test-more` where the database has no part in what is tested."""
    for item in items:
        path = str(item.path.relative_to(HERE)) if item.path.is_relative_to(HERE) else ""
        if "[postgresql" in item.name and path in BEFORE_ANY_DATABASE:
            item.add_marker("more")


@pytest.fixture
def open_yard(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Yard]]:
    """A function that opens a yard with the settings given, on SQLite and then on PostgreSQL."""
    opened: list[Runtime] = []

    def open_one(**settings: Any) -> Yard:
        (tmp_path / "sources").mkdir(exist_ok=True)
        defaults = {
            "home": tmp_path / "home",
            "database_url": database_url,
            "source_roots": str(tmp_path / "sources"),
            "create_wait_s": 0,
        }
        runtime = Runtime.open(Settings(**{**defaults, **settings}))
        opened.append(runtime)
        return Yard(runtime, tmp_path)

    yield open_one
    for runtime in opened:
        runtime.store.close()
        runtime.engine.dispose()


@pytest.fixture
def yard(open_yard: Callable[..., Yard]) -> Yard:
    """A yard with the settings of a laptop, but with creates that do not wait."""
    return open_yard()
