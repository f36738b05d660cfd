"""granian's WSGI worker, run without granian's main process, on a socket bound before."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import urllib3

from modelyard.errors import ConfigurationError
from modelyard.processes import listening
from modelyard.processes.listening import bind_web, web_url
from tests.servers import start_leashed
from tests.waiting import wait_until

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere the processes share one socket.")
PROGRAM = """
import os, socket, sys, threading
from modelyard.processes.web_child import serve

def app(environ, start_response):
    body = environ["wsgi.input"].read(1 << 20)
    if environ["PATH_INFO"] == "/pieces":
        start_response("200 OK", [("Content-Length", str(3 << 18))])
        return (bytes(1 << 18) for _ in range(3))
    text = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {len(body)} {threading.active_count()}".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]

serve(socket.socket(fileno=int(sys.argv[1])), lambda: app, threads=2)
os._exit(0)
"""


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    """The address of one web process."""
    listeners = bind_web("127.0.0.1", 0)
    descriptor = listeners.of(0).fileno()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(descriptor)], pass_fds=[descriptor], stdout=log, stderr=log
        )
    yield web_url(listeners, "127.0.0.1")
    process.terminate()
    assert process.wait(10) == 0
    listeners.of(0).close()


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", b"x" * 70_000), ("DELETE", b"{}")])
def test_requests_reach_the_application_with_their_bodies(server, method, body):
    answer = urllib3.request(method, f"{server}//a//b", body=body)

    assert answer.status == 200
    assert answer.data.decode().startswith(f"{method} //a//b {len(body or b'')} ")


def test_an_answer_in_pieces_arrives_whole(server):
    assert len(urllib3.request("GET", f"{server}/pieces").data) == 3 << 18


def test_a_stop_is_heard_whenever_it_comes(tmp_path):
    # Around the moment when the main thread goes to sleep, which the first answers of a new process are.
    for _ in range(10):
        with bind_web("127.0.0.1", 0) as listeners:
            descriptor = listeners.of(0).fileno()
            process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(descriptor)], pass_fds=[descriptor])
            urllib3.request("GET", web_url(listeners, "127.0.0.1"))

            process.terminate()

            assert process.wait(10) == 0


@pytest.mark.parametrize("processes", [1, 2])
def test_sockets_send_small_answers_at_once(processes):
    with bind_web("127.0.0.1", 0, processes=processes) as listeners:
        assert all(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in listeners.sockets)


@ON_LINUX
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_are_spread_among_the_processes(host):
    with bind_web(host, 0, processes=2) as listeners, ExitStack() as connections:
        for _ in range(64):
            connections.enter_context(socket.create_connection((host, listeners.port)))
        taken = [_accept_all(each) for each in listeners.sockets]

    # The kernel draws lots: with 64 of them fewer than 8 for one is a chance of one in ten thousand million.
    assert sum(taken) == 64
    assert min(taken) >= 8


def _accept_all(listener):
    listener.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def test_where_nobody_tells_who_shares_a_port_the_processes_share_one_socket(monkeypatch, tmp_path):
    monkeypatch.setattr(listening, "_SOCKETS", tmp_path / "tcp")

    with bind_web("127.0.0.1", 0, processes=2) as listeners:
        assert listeners.of(0) is listeners.of(1)


@ON_LINUX
def test_whoever_shares_the_port_in_the_same_moment_is_met(monkeypatch):
    alone = listening._listen

    def listen(host, port, *, reuse_port=False):
        # Between the question whether the port is free and its binding.
        if reuse_port and not others:
            others.append(alone(host, port, reuse_port=True))
        return alone(host, port, reuse_port=reuse_port)

    others = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(listening, "_listen", listen)

    with pytest.raises(ConfigurationError, match=rf"Port {port} on 127.0.0.1 is in use"):
        bind_web("127.0.0.1", port, processes=2)

    others[0].close()
    monkeypatch.undo()
    with bind_web("127.0.0.1", port, processes=2) as listeners:
        assert listeners.port == port


@pytest.mark.parametrize(("own", "others"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_second_server_on_the_same_port_is_refused_with_the_remedy(own, others):
    with bind_web("127.0.0.1", 0, processes=own) as listeners:
        port = listeners.port

        with pytest.raises(ConfigurationError, match=rf"Port {port} on 127.0.0.1 is in use.*MODELYARD_PORT"):
            bind_web("127.0.0.1", port, processes=others)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ConfigurationError, match=r"Cannot listen on 192\.0\.2\.1:0: .*MODELYARD_HOST"):
        bind_web("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")],  # noqa: S104 - closed at once
)
def test_the_address_shown_is_one_that_can_be_opened(host, shown):
    with bind_web(host, 0) as listeners:
        assert web_url(listeners, host) == f"http://{shown}:{listeners.port}"


def test_a_listener_of_another_program_is_met_too(tmp_path):
    program = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); "
    process = start_leashed([sys.executable, "-c", program + "time.sleep(60)"], tmp_path / "log")
    port = int(wait_until((tmp_path / "log").read_text))

    with pytest.raises(ConfigurationError):
        bind_web("127.0.0.1", port)

    process.kill()
    process.wait()
