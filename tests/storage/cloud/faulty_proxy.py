"""A bad line to a good S3 server: a proxy that passes requests on, and spoils those that it is told to."""

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Exchange:
    """One request and its answer, as they pass; a fault changes them."""

    method: str
    path: str
    body: bytes
    status: int = 0
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    # What is done with the request, and how much of the answer is sent on.
    ask: bool = True
    sent_bytes: int | None = None


# Before the server is asked, and once it has answered.
Fault = Callable[[Exchange], None]


@dataclass
class _Order:
    before: Fault | None
    after: Fault | None
    concerns: Callable[[Exchange], bool]
    times: int


class FaultyProxy:
    """Passes requests on to the server at `url`; faults are ordered with `spoil`."""

    def __init__(self, url: str) -> None:
        self.exchanges: list[Exchange] = []
        self._server = urlsplit(url)
        self._orders: list[_Order] = []
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def spoil(
        self,
        method: str,
        part_of_path: str = "",
        *,
        times: int = 1_000_000,
        before: Fault | None = None,
        after: Fault | None = None,
    ) -> None:
        """Spoil the next `times` exchanges of a method whose path holds `part_of_path`."""
        self._orders.append(_Order(before, after, lambda one: one.method == method and part_of_path in one.path, times))

    def count(self, method: str, part_of_path: str = "") -> int:
        """Return how many such requests came."""
        return sum(one.method == method and part_of_path in one.path for one in self.exchanges)

    def _take_order(self, exchange: Exchange) -> _Order | None:
        with self._lock:
            self.exchanges.append(exchange)
            for order in self._orders:
                if order.times > 0 and order.concerns(exchange):
                    order.times -= 1
                    return order
        return None

    def _pass_on(self, exchange: Exchange, headers: dict[str, str]) -> None:
        connection = http.client.HTTPConnection(self._server.hostname or "", self._server.port, timeout=30)
        # With the Host that the client has signed, which is ours.
        connection.putrequest(exchange.method, exchange.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(exchange.body)
        answer = connection.getresponse()
        exchange.status, exchange.content = answer.status, answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
        length = answer.getheader("Content-Length") or str(len(exchange.content))
        exchange.headers = kept | {"Content-Length": length}
        connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                exchange = Exchange(self.command, self.path, body)
                order = proxy._take_order(exchange)
                if order and order.before:
                    order.before(exchange)
                if exchange.ask:
                    proxy._pass_on(exchange, dict(self.headers.items()))
                if order and order.after:
                    order.after(exchange)
                self._answer(exchange)

            def _answer(self, exchange: Exchange) -> None:
                if exchange.status:
                    self.send_response_only(exchange.status)
                    for name, value in exchange.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    if exchange.method != "HEAD":
                        self.wfile.write(exchange.content[: exchange.sent_bytes])
                if not exchange.status or exchange.sent_bytes is not None:
                    self.close_connection = True

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})


def unavailable(exchange: Exchange) -> None:
    """Answer 503 without asking the server."""
    exchange.ask = False
    exchange.status = 503
    exchange.content = b"<Error><Code>SlowDown</Code></Error>"
    exchange.headers = {"Content-Length": str(len(exchange.content))}


def drop(exchange: Exchange) -> None:
    """Close the connection without an answer."""
    exchange.ask = False
    exchange.status = 0


def lose_answer(exchange: Exchange) -> None:
    """Let the server do it, and close the connection without saying so."""
    exchange.status = 0


def truncate(exchange: Exchange) -> None:
    """Send half of the body under the length of the whole."""
    exchange.sent_bytes = len(exchange.content) // 2


def damage_request(exchange: Exchange) -> None:
    """Turn one bit of what is sent."""
    if exchange.body:
        exchange.body = bytes([exchange.body[0] ^ 1]) + exchange.body[1:]


def damage_answer(exchange: Exchange) -> None:
    """Turn one bit of what comes back."""
    if exchange.content:
        exchange.content = bytes([exchange.content[0] ^ 1]) + exchange.content[1:]
