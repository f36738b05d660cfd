"""The embedded broker: fakeredis behind a listening socket that the supervisor holds.

A broker may be this humble because messages are only wake-ups (jobs.md). fakeredis needs two repairs to serve kombu;
both lean on its internals, so its minor version is pinned and a test sends 200 messages through.
"""

import signal
import socket
from types import FrameType
from typing import Any

from fakeredis._clients._tcp_server import TCPFakeRequestHandler, TcpFakeServer
from redis.exceptions import ResponseError


class _Handler(TCPFakeRequestHandler):
    # Without it Nagle's algorithm and delayed acknowledgements leave 11 tasks a second.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        read_response = self.current_client.read_response

        def read_response_or_error(*args: Any, **kwargs: Any) -> Any:
            # fakeredis hangs up after an error that is raised. kombu's EVALSHA is answered NOSCRIPT the first time,
            # so that each publish would connect anew.
            try:
                return read_response(*args, **kwargs)
            except ResponseError as error:
                return error

        self.current_client.read_response = read_response_or_error  # type: ignore[method-assign]


class EmbeddedBroker(TcpFakeServer):
    """A fakeredis server on `listener`, which is bound already and outlives this process."""

    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname(), bind_and_activate=False)
        self.daemon_threads = True
        self.socket.close()
        self.socket = listener
        self.RequestHandlerClass = _Handler


def bind_broker() -> socket.socket:
    """Return a listening socket on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    listener.set_inheritable(True)
    return listener


def broker_url(listener: socket.socket) -> str:
    """Return the URL at which clients reach the broker on `listener`."""
    host, port = listener.getsockname()[:2]
    return f"redis://{host}:{port}/0"


def serve_broker(listener: socket.socket) -> None:
    """Serve until TERM."""
    server = EmbeddedBroker(listener)

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    server.serve_forever()
