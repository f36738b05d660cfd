"""Thousands of hostile requests to a running `modelyard up`: no 5xx, no hang, no growth.

The figures that nothing is asserted of, above all the time of the slowest refusal, are printed.
"""

import contextlib
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse

import psutil
import pytest
from hypothesis import HealthCheck, given, settings

from tests.systems import System
from tests.waiting import wait_until
from tests.web.fuzz.hostile import VERSION_ID, Hostile, hostile_requests
from tests.web.fuzz.verdicts import Answer, complaint

REQUESTS = 5000
RENEWED_EVERY = 25
# What no answer may take longer than; measured ones are printed.
HANG_S = 20
# An allocator keeps what a body of 15 MiB took, in every thread, until it is needed again. So memory goes up and down
# by 150 MiB; what a leak would raise is the least that the processes ever hold.
LOOKED_AT_EVERY = 100
MOST_GROWTH_MIB = 64
# By which the server itself, below the application, refuses what is no HTTP or too long; it has no words for it.
REFUSED_BY_SERVER = frozenset({400, 405, 411, 413, 414, 417, 431, 501, 505})


@dataclass
class Tally:
    """What was answered, and how fast, over one run."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    memory_mib: list[float] = field(default_factory=list)

    @property
    def growth_mib(self) -> float:
        """How much more the processes held at the least in the last third of the run than in the first."""
        third = len(self.memory_mib) // 3
        return min(self.memory_mib[-third:]) - min(self.memory_mib[:third])

    def count(self, asked: Hostile, answer: Answer) -> None:
        self.statuses[answer.status] += 1
        self.seconds.append(answer.seconds)
        self.slowest = max(self.slowest, (answer.seconds, repr(asked)[:200]))

    def __str__(self) -> str:
        ordered = sorted(self.seconds)
        times = ", ".join(f"p{share} {1000 * ordered[len(ordered) * share // 100]:.1f} ms" for share in (50, 99))
        memory = f"{min(self.memory_mib):.0f} to {max(self.memory_mib):.0f} MiB, grown by {self.growth_mib:.0f}"
        statuses = dict(sorted(self.statuses.items()))
        return f"{len(ordered)} requests: {statuses}; {times}; memory {memory}; the slowest {self.slowest}"


class Wire:
    """A keep-alive connection that sends what no library would, and opens itself again when it was closed."""

    def __init__(self, system: System) -> None:
        self.port = system.port
        self.connection: socket.socket | None = None

    def send(self, asked: Hostile, version_id: str) -> Answer:
        """Return the whole answer. Raises TimeoutError when none came in time."""
        began_s = time.perf_counter()
        try:
            answer = self._exchange(asked, version_id)
        except (ConnectionError, HTTPException):
            # A connection may be closed between two requests, as by any server; not twice in a row.
            self.close()
            answer = self._exchange(asked, version_id)
        with answer:
            body = answer.read()
            if answer.will_close:
                self.close()
            kind = answer.getheader("Content-Type") or ""
            return Answer(answer.status, kind, body, time.perf_counter() - began_s)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self.connection:
            self.connection.close()
            self.connection = None

    def _exchange(self, asked: Hostile, version_id: str) -> HTTPResponse:
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=HANG_S)
        # A server may refuse by the head alone, and close while the body is still on its way.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.sendall(wire_format(asked, self.port, version_id))
        answer = HTTPResponse(self.connection, method=asked.method)
        answer.begin()
        return answer


def wire_format(asked: Hostile, port: int, version_id: str) -> bytes:
    """Write a request down."""
    path = asked.path.replace(VERSION_ID, version_id)
    head = f"{asked.method} {path}{'?' * bool(asked.query)}{asked.query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in asked.headers)
    if asked.framing == "chunked":
        half = len(asked.body) // 2
        chunks = [chunk for chunk in (asked.body[:half], asked.body[half:]) if chunk]
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode("latin-1") + body
    length = f"Content-Length: {len(asked.body)}\r\n" if asked.body else ""
    return f"{head}{length}\r\n".encode("latin-1") + asked.body


@pytest.mark.more
def test_no_request_is_a_server_error_a_hang_or_a_leak(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    wire, tally = Wire(system), Tally()
    version_id = ""

    @settings(max_examples=REQUESTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(hostile_requests())
    def refuse(asked: Hostile) -> None:
        nonlocal version_id
        sent = len(tally.seconds)
        if sent % RENEWED_EVERY == 0:
            version_id = renew(system)
        if sent % LOOKED_AT_EVERY == 0:
            tally.memory_mib.append(memory_mib(system))
        answer = wire.send(asked, version_id)
        tally.count(asked, answer)

        assert refused_by_server(answer) or complaint(asked, answer) == ""

    refuse()
    wire.close()

    with capsys.disabled():
        print(f"\n{tally}")
    assert "a request failed by a bug" not in system.log_text()
    assert tally.growth_mib < MOST_GROWTH_MIB


def refused_by_server(answer: Answer) -> bool:
    return answer.status in REFUSED_BY_SERVER and not answer.content_type.startswith("application/json")


def renew(system: System) -> str:
    """Register a version of the model `m`, which hostile requests may have deleted; return its public id."""
    source = system.folder / "sources" / "m"
    source.mkdir(exist_ok=True)
    (source / "MLmodel").write_text("flavors: {}\n")
    system.request("POST", "/api/2.0/mlflow/registered-models/create", {"name": "m"})
    made = system.call("POST", "model-versions/create", {"name": "m", "source": str(source)})["model_version"]

    def is_ready() -> bool:
        found = system.call("GET", "model-versions/get", name="m", version=made["version"])
        return bool(found["model_version"]["status"] == "READY")

    wait_until(is_ready, what="READY")
    uri = system.call("GET", "model-versions/get-download-uri", name="m", version=made["version"])["artifact_uri"]
    return str(uri).rpartition("/")[2]


def memory_mib(system: System) -> float:
    """Return what all processes of the system hold together."""
    assert system.process is not None
    tree = [psutil.Process(system.process.pid)]
    tree += tree[0].children(recursive=True)
    return sum(process.memory_full_info().pss for process in tree) / (1 << 20)


# Each ends its connection, so that nothing is left to wait for.
NO_HTTP = {
    "nothing": b"",
    "a greeting": b"HELO there\r\n\r\n",
    "a TLS hello": bytes.fromhex("16030100c8010000c40303") + b"\0" * 200,
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "HTTP/9.9": b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "no Host": b"GET /health HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "half a head": b"GET /health HTTP/1.1\r\nHost: local",
    "a blank in the path": b"GET /hea lth HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "raw UTF-8 in the path": "GET /héalth HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    "a raw NUL": b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a header without a colon": b"GET /health HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n",
    "a thousand headers": b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    "a megabyte of path": b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a negative length": b"POST /dbfs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    "a length in words": b"POST /dbfs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: five\r\n\r\n",
    "a length of 23 digits": b"POST /dbfs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 23 + b"\r\n\r\n",
    "two lengths": b"POST /dbfs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"POST /dbfs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": b"POST /dbfs/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
    "a chunk cut off": b"POST /dbfs/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab",
    "a body cut off": b"POST /dbfs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nab",
    "an unknown encoding": b"POST /dbfs/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\nab",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP.keys())
def test_what_is_no_http_is_refused_or_hung_up_on(system: System, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", system.port), timeout=HANG_S) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        answer = read_to_the_end(connection)

    # `/health` may answer what is merely unusual.
    assert not answer or answer.split()[1][:1] in (b"2", b"4"), answer
    assert system.request("GET", "/health").status == 200


def read_to_the_end(connection: socket.socket) -> bytes:
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            pieces.append(piece)
    return b"".join(pieces)
