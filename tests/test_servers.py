"""The servers that tests start: what a crash keeps, and that a killed test run leaves nothing behind."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tests.servers import PostgreSQL, Valkey
from tests.waiting import wait_until

START_BOTH = """
from tests.servers import PostgreSQL, Valkey
servers = [PostgreSQL(), Valkey()]
for server in servers:
    server.start()
print(*(server.pid for server in servers), *(server.folder for server in servers), flush=True)
input()
"""


@pytest.fixture
def own_postgresql() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    server.start()
    yield server
    server.remove()


def is_running(pid: int) -> bool:
    # A process whose parent is gone may stay in the table where there is no init; it is dead all the same.
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_killed_test_run_leaves_no_server_behind() -> None:
    checkout = Path(__file__).parents[1]
    run = subprocess.Popen(
        [sys.executable, "-c", START_BOTH], cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with run:
        assert run.stdout is not None
        postgresql, valkey, *folders = run.stdout.readline().split()
        run.kill()

    wait_until(lambda: not is_running(int(postgresql)), what="PostgreSQL's end")
    wait_until(lambda: not is_running(int(valkey)), what="Valkey's end")
    for folder in folders:
        shutil.rmtree(folder)


def test_a_postgresql_that_crashed_keeps_what_was_committed(own_postgresql: PostgreSQL) -> None:
    with psycopg.connect(own_postgresql.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")

    own_postgresql.kill()
    own_postgresql.start()

    with psycopg.connect(own_postgresql.url()) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_valkey_that_crashed_comes_back_empty_at_the_same_address(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.set("key", "value")

        valkey.kill()
        valkey.start()

        assert client.dbsize() == 0


def test_a_frozen_valkey_answers_nothing_until_it_is_thawed(valkey: Valkey) -> None:
    valkey.freeze()

    with redis.Redis.from_url(valkey.url, socket_timeout=0.1, retry=None) as client:
        with pytest.raises(redis.TimeoutError):
            client.ping()
        valkey.thaw()

    with redis.Redis.from_url(valkey.url) as client:
        assert client.ping()
