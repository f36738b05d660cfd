"""Migrations and the check of the schema, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from modelyard.database import migrations
from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from modelyard.database.schema import HEAD, current_revision, require_schema
from modelyard.database.tables import metadata
from modelyard.errors import ConfigurationError


@pytest.fixture
def empty(empty_database_url):
    engine = create_engine(empty_database_url)
    yield engine
    engine.dispose()


# On SQLite, indexes of expressions cannot be compared; tests/registry/test_plans.py sees that they are used.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_migrations_make_the_tables_that_the_code_knows(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": metadata, "compare_type": True})
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_the_head_that_processes_ask_for_is_the_newest_migration():
    scripts = ScriptDirectory(migrations.__path__[0])

    assert scripts.get_heads() == [HEAD]


def test_an_empty_database_is_refused_with_the_command_that_mends_it(empty):
    with pytest.raises(ConfigurationError, match="modelyard migrate"):
        require_schema(empty)


def test_migrating_twice_changes_nothing(empty):
    assert upgrade(empty) is True
    assert upgrade(empty) is False
    require_schema(empty)


def test_two_migrations_at_once_both_end_well(empty):
    with ThreadPoolExecutor(2) as pool:
        applied = list(pool.map(upgrade, [empty, empty]))

    assert True in applied
    assert current_revision(empty) == HEAD


def test_a_newer_schema_is_accepted(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    require_schema(engine)
