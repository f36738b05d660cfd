"""The sockets on which the web processes of a machine answer, held by their supervisor.

On Linux each process has one of its own, and the kernel spreads connections among them. On a socket that all share,
whoever wakes first takes them all: eight connections at once went to one of two processes in half of the trials.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from modelyard.errors import ConfigurationError
from modelyard.settings import reachable

BACKLOG: Final = 1024
_SOCKETS: Final = Path("/proc/net/tcp")


@dataclass(frozen=True, slots=True)
class Listeners:
    """Listening sockets of one address: one that all processes share, or one for each."""

    sockets: tuple[socket.socket, ...]

    @property
    def port(self) -> int:
        """The port of all of them."""
        port: int = self.sockets[0].getsockname()[1]
        return port

    def of(self, place: int) -> socket.socket:
        """Return the socket of the process at `place`, counted from 0."""
        return self.sockets[place % len(self.sockets)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for each in self.sockets:
            each.close()


def bind_web(host: str, port: int, *, processes: int = 1) -> Listeners:
    """Return listening sockets for so many web processes; port 0 takes a free one.

    Raises ConfigurationError when the address is taken, forbidden or not ours.
    """
    try:
        return Listeners(tuple(_bind(host, port, processes if _can_spread() else 1)))
    except OSError as error:
        raise ConfigurationError(_why_not_bound(error, host, port)) from error


def web_url(listeners: Listeners, host: str) -> str:
    """Return the address that a person opens for `listeners`, which were bound for `host`."""
    return f"http://{reachable(host)}:{listeners.port}"


def _can_spread() -> bool:
    """Whether the kernel spreads connections among sockets, and tells who else has one on their address."""
    return sys.platform == "linux" and _SOCKETS.exists()


def _bind(host: str, port: int, count: int) -> Iterator[socket.socket]:
    """Bind so many sockets to one address, which nobody else has. All are closed when one cannot be bound."""
    if count == 1:
        yield _listen(host, port)
        return
    if port:
        # A port that is to be shared is refused to nobody who wants to share it, so it is first asked for alone.
        _listen(host, port).close()
    with ExitStack() as failing:
        bound: list[socket.socket] = []
        for _ in range(count):
            bound.append(failing.enter_context(_listen(host, port, reuse_port=True)))
            port = bound[0].getsockname()[1]
        if _somebody_shares(bound):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        failing.pop_all()
    yield from bound


def _listen(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    listener = socket.create_server(
        (host.strip("[]"), port),
        family=socket.AF_INET6 if ":" in host else socket.AF_INET,
        backlog=BACKLOG,
        reuse_port=reuse_port,
    )
    # Accepted connections inherit it; without it small answers wait for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.set_inheritable(True)
    return listener


def _somebody_shares(bound: list[socket.socket]) -> bool:
    """Whether somebody who began in the same moment listens on the same address too.

    Source of the columns: proc(5), /proc/net/tcp; the second is the address, the tenth the socket's inode.
    """
    table = _SOCKETS.with_name("tcp6") if bound[0].family == socket.AF_INET6 else _SOCKETS
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    own = {str(os.fstat(each.fileno()).st_ino) for each in bound}
    listening = {row[9]: row[1] for row in rows if row[3] == "0A"}
    ours = {address for inode, address in listening.items() if inode in own}
    return any(address in ours for inode, address in listening.items() if inode not in own)


def _why_not_bound(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use by another program. "
            "Stop that one, or choose another port with MODELYARD_PORT (0 takes a free one)."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} may not be opened by this user. Choose one above 1023 with MODELYARD_PORT."
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"Cannot listen on {host}:{port}: {reason}. Correct MODELYARD_HOST or MODELYARD_PORT."
