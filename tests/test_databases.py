"""What a test finds in a database that another test has given back."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from modelyard.database.engine import create_engine
from tests.databases import DatabasePool
from tests.registry.crowds import fill
from tests.servers import PostgreSQL

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"
ENTRY = "INSERT INTO audit_log (at_ms, actor, address, request_id, action) VALUES (1, 'ada', '', '', 'CREATE')"


@pytest.fixture
def pool(postgresql: PostgreSQL, migrated_database: str) -> Iterator[DatabasePool]:
    pool = DatabasePool(postgresql, migrated_database)
    yield pool
    pool.close()


def contents(connection: psycopg.Connection) -> dict[str, list[object]]:
    """Every row of every table, and where the sequences stand."""
    tables = [table for (table,) in connection.execute(TABLES)]
    rows = {table: connection.execute(sql.SQL("TABLE {}").format(sql.Identifier(table))).fetchall() for table in tables}
    return {"sequences": list(connection.execute(SEQUENCES)), **{table: list(rows[table]) for table in tables}}


# Few rows are deleted, many truncated.
@pytest.mark.parametrize("versions", [1010, 5000])
def test_what_was_given_back_is_as_new(pool, postgresql, versions):
    name = pool.take()
    with psycopg.connect(postgresql.url(name)) as connection:
        fresh = contents(connection)
    engine = create_engine(postgresql.url(name))
    fill(engine, versions)
    engine.dispose()
    with psycopg.connect(postgresql.url(name)) as connection:
        connection.execute("DELETE FROM grants")
        connection.execute("UPDATE principals SET name = 'other' WHERE id = 1")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute(ENTRY)
        used = contents(connection)

    pool.give_back(name)

    assert pool.take() == name
    with psycopg.connect(postgresql.url(name)) as connection:
        again = contents(connection)
    assert again == fresh
    assert {"sequences", "model_versions", "grants", "alembic_version", "audit_log"} <= {
        table for table in fresh if fresh[table] != used[table]
    }


def test_who_is_still_connected_is_put_out(pool, postgresql):
    name = pool.take()
    left = psycopg.connect(postgresql.url(name), autocommit=True)
    left.execute(ENTRY)

    pool.give_back(name)

    with pytest.raises(psycopg.OperationalError, match="terminating connection"):
        left.execute("SELECT 1")
    left.close()


@pytest.mark.parametrize("change", ["DROP INDEX ix_audit_log_at", "CREATE SCHEMA stopped", "DROP TABLE grants"])
def test_a_database_with_another_schema_is_dropped(pool, postgresql, change):
    name = pool.take()
    with psycopg.connect(postgresql.url(name), autocommit=True) as connection:
        connection.execute(change)

    pool.give_back(name)

    assert pool.take() != name
    with psycopg.connect(postgresql.url()) as connection:
        assert connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchall() == []
