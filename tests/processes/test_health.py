"""What `modelyard health` tells an orchestrator."""

import socket
from threading import Thread
from wsgiref.simple_server import make_server

import pytest
from sqlalchemy import Engine

from modelyard.database.session import current_ms, transaction
from modelyard.database.tables import Worker
from modelyard.processes.health import web_answers, worker_reports
from modelyard.settings import Settings
from tests.servers import free_port


def report(engine: Engine, *, host: str, ago_ms: int) -> None:
    with transaction(engine) as session:
        seen_at_ms = current_ms(session) - ago_ms
        session.add(
            Worker(
                name="w",
                host=host,
                pid=1,
                queues="copy",
                concurrency=1,
                software_version="0",
                started_at_ms=seen_at_ms,
                seen_at_ms=seen_at_ms,
            )
        )


@pytest.mark.parametrize(
    ("host", "ago_ms", "well"),
    [(socket.gethostname(), 1_000, True), (socket.gethostname(), 60_000, False), ("another-host", 1_000, False)],
)
def test_a_worker_is_well_while_it_reports_itself(
    engine: Engine, database_url: str, host: str, ago_ms: int, well: bool
) -> None:
    report(engine, host=host, ago_ms=ago_ms)

    assert worker_reports(Settings(database_url=database_url, sweep_s=5)) is well


def test_a_web_server_is_well_when_it_answers_200() -> None:
    statuses = ["200 OK", "503 Service Unavailable"]
    with make_server("127.0.0.1", 0, lambda _, start: [start(statuses.pop(0), []) and b""]) as server:
        settings = Settings(host="127.0.0.1", port=server.server_port)
        thread = Thread(target=lambda: [server.handle_request() for _ in range(2)])
        thread.start()

        answers = [web_answers(settings), web_answers(settings)]

        thread.join()
    assert answers == [True, False]


def test_a_web_server_that_is_not_there_is_not_well() -> None:
    assert not web_answers(Settings(host="127.0.0.1", port=free_port()))
