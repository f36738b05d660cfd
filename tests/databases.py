"""Which databases tests run on; PostgreSQL's are taken and given back, since a new one costs twenty times as much."""

import psycopg
import pytest
from psycopg import sql

from tests.servers import PostgreSQL

BOTH_DATABASES = ("sqlite", "postgresql")
# For tests that take long and have little to do with the dialect: one database on each change, both in test-more.
MOSTLY_SQLITE = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.more)], indirect=True
)
SYSTEM_MOSTLY_ON_POSTGRESQL = pytest.mark.parametrize(
    "system", [pytest.param("sqlite", marks=pytest.mark.more), "postgresql"], indirect=True, scope="module"
)

# Kept beside the tables, in each copy: the rows and numbers of a new database, and whether somebody changed the schema.
_REMEMBER = """
CREATE SCHEMA pristine;
CREATE TABLE pristine.changes (command text);
CREATE TABLE pristine.sequences AS
    SELECT format('%I.%I', schemaname, sequencename)::regclass AS name, coalesce(last_value, start_value) AS value,
           last_value IS NOT NULL AS called
    FROM pg_sequences WHERE schemaname = 'public';
DO $$
DECLARE name text; filled boolean;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO filled;
        IF filled THEN EXECUTE format('CREATE TABLE pristine.%I AS TABLE public.%I', 'rows_' || name, name); END IF;
    END LOOP;
END $$;
CREATE FUNCTION pristine.note_change() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO pristine.changes VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER note_change ON ddl_command_end EXECUTE FUNCTION pristine.note_change();
"""

_LEFT_ALONE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

_CHANGES = "SELECT command FROM pristine.changes"

# As a replica: no foreign key and no trigger stands in the way of what is written here. Truncating is slow, but
# dead rows beyond a megabyte, more than a test usually leaves, would slow the next tests down.
_EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE tables regclass[]; name regclass; origin text;
BEGIN
    tables := array(SELECT format('public.%I', tablename)::regclass FROM pg_tables WHERE schemaname = 'public');
    IF (SELECT sum(pg_relation_size(each)) FROM unnest(tables) AS each) > 1000000 THEN
        EXECUTE format('TRUNCATE %s', array_to_string(tables, ', '));
    ELSE
        FOREACH name IN ARRAY tables LOOP EXECUTE format('DELETE FROM %s', name); END LOOP;
    END IF;
    FOR origin IN SELECT tablename FROM pg_tables WHERE schemaname = 'pristine' AND tablename LIKE 'rows\\_%' LOOP
        EXECUTE format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE TABLE pristine.%I', substr(origin, 6), origin);
    END LOOP;
    PERFORM setval(sequences.name, sequences.value, sequences.called) FROM pristine.sequences;
END $$;
"""


class DatabasePool:
    """Databases with the newest schema and the rows of a new installation, one for each test at a time."""

    def __init__(self, server: PostgreSQL, migrated: str) -> None:
        """`migrated` names the database that new ones are copied from; nobody may be connected to it."""
        self._server = server
        self._template = server.create_database(template=migrated)
        self._free: list[str] = []
        # Each stays connected to its database: what PostgreSQL has learnt about the tables makes emptying cheap.
        self._connections: dict[str, psycopg.Connection] = {}
        with psycopg.connect(server.url(self._template), autocommit=True) as connection:
            connection.execute(sql.SQL(_REMEMBER))

    def take(self) -> str:
        """Return the name of a database as `modelyard migrate` leaves it."""
        return self._free.pop() if self._free else self._server.create_database(template=self._template)

    def give_back(self, name: str) -> None:
        """Empty a database for the next test, whoever is connected to it; one with another schema is dropped."""
        if name not in self._connections:
            self._connections[name] = psycopg.connect(self._server.url(name), autocommit=True)
        connection = self._connections[name]
        connection.execute(sql.SQL(_LEFT_ALONE))
        if connection.execute(_CHANGES).fetchall():
            self._connections.pop(name).close()
            self._server.drop_database(name)
        else:
            connection.execute(sql.SQL(_EMPTY))
            self._free.append(name)

    def close(self) -> None:
        """Disconnect from all; the databases go with their server."""
        for connection in self._connections.values():
            connection.close()
