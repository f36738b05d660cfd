"""A load generator that takes little from the two cores it shares: raw sockets kept alive, one epoll loop a process.

`run_load` starts it as a program of its own (`python -m benchmarks.load`): a job in JSON comes in on standard input,
"ready" goes out when its connections stand, and after "go" it sends until its time is over, then writes the result.
A connection sends its next request when the answer before is whole, so what is measured is a closed loop.
"""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.workloads import WORKLOADS, Asking

ANSWER_S = 60
WARM_SHARE = 0.1


@dataclass
class Load:
    """What a load measured: seconds of every answer, wall-clock seconds in all, and answers that were not 200."""

    latencies_s: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0
    errors: int = 0
    first_error: str = ""

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.latencies_s) / self.elapsed_s

    def add(self, other: "Load", *, at_the_same_time: bool) -> None:
        """Count another load in, which ran beside this one or after it."""
        self.latencies_s += other.latencies_s
        self.elapsed_s = max(self.elapsed_s, other.elapsed_s) if at_the_same_time else self.elapsed_s + other.elapsed_s
        self.errors += other.errors
        self.first_error = self.first_error or other.first_error


def run_load(port: int, workload: str, options: dict[str, Any], *, connections: int, seconds: float, seed: int) -> Load:
    """Let one process for each four connections send `workload` to 127.0.0.1:`port` and return what they measured."""
    shares = [min(4, connections - taken) for taken in range(0, connections, 4)]
    children = []
    for number, share in enumerate(shares):
        job = {"port": port, "workload": workload, "options": options, "connections": share, "seconds": seconds}
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        _tell(child, json.dumps(job | {"seed": f"{seed}-{number}"}))
        children.append(child)
    for child in children:
        _hear(child)
    for child in children:
        _tell(child, "go")
    total = Load()
    for child in children:
        total.add(Load(**json.loads(_hear(child))), at_the_same_time=True)
        child.communicate()
    return total


def _tell(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(line + "\n")
    child.stdin.flush()


def _hear(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, f"The load generator ended with {child.wait()}."
    return line


class Connection:
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = self._connect()
        self.request = b""
        self.sent_s = 0.0
        self._answer = bytearray()
        self._whole_bytes = 0

    def send(self, request: bytes) -> None:
        """Send the next request."""
        self.request, self._whole_bytes = request, 0
        self._answer.clear()
        self.sent_s = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """Read what has come; return the whole answer when that was its last piece."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError(f"The server closed the connection in answering {self.request[:200]!r}.")
        self._answer += piece
        if not self._whole_bytes:
            end = self._answer.find(b"\r\n\r\n")
            if end < 0:
                return None
            head = bytes(self._answer[:end]).lower()
            place = head.find(b"\r\ncontent-length:")
            assert place > 0, f"An answer without Content-Length: {head!r}"
            self._whole_bytes = end + 4 + int(head[place + 17 :].split(b"\r\n", 1)[0])
        return bytes(self._answer) if len(self._answer) >= self._whole_bytes else None

    def _connect(self) -> socket.socket:
        connected = socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected


def drive(connections: list[Connection], requests: Iterator[bytes], seconds: float) -> Load:
    """Keep every connection busy for so many seconds; the first tenth of the time is not counted."""
    by_number = {connection.socket.fileno(): connection for connection in connections}
    waiting = select.epoll()
    for number, connection in by_number.items():
        waiting.register(number, select.EPOLLIN)
        connection.send(next(requests))
    load = Load()
    counted_from_s = time.perf_counter() + seconds * WARM_SHARE
    ends_s = counted_from_s + seconds
    now_s = 0.0
    while now_s < ends_s:
        ready = waiting.poll(ANSWER_S)
        assert ready, f"No answer within {ANSWER_S} s."
        for number, _ in ready:
            connection = by_number[number]
            answer = connection.receive()
            if answer is None:
                continue
            now_s = time.perf_counter()
            if now_s > counted_from_s:
                load.latencies_s.append(now_s - connection.sent_s)
                if not answer.startswith(b"HTTP/1.1 200"):
                    load.errors += 1
                    load.first_error = load.first_error or answer[:600].decode(errors="replace")
            connection.send(next(requests))
    load.elapsed_s = now_s - counted_from_s
    return load


def main() -> None:
    """Do one job, as the module's docstring says."""
    job = json.loads(sys.stdin.readline())
    requests = WORKLOADS[job["workload"]](Asking(job["port"], job["seed"], **job["options"]))
    connections = [Connection(job["port"]) for _ in range(job["connections"])]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(drive(connections, requests, job["seconds"]).__dict__), flush=True)


if __name__ == "__main__":
    main()
