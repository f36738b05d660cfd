"""The socket on which the web processes of a machine answer, held by their supervisor."""

import errno
import os
import socket
from typing import Final

from modelyard.errors import ConfigurationError
from modelyard.settings import reachable

BACKLOG: Final = 1024


def bind_web(host: str, port: int) -> socket.socket:
    """Return a listening socket for the web processes; port 0 takes a free one.

    Raises ConfigurationError when the address is taken, forbidden or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(_why_not_bound(error, host, port)) from error
    # Accepted connections inherit it; without it small answers wait for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.set_inheritable(True)
    return listener


def web_url(listener: socket.socket, host: str) -> str:
    """Return the address that a person opens for `listener`, which was bound for `host`."""
    return f"http://{reachable(host)}:{listener.getsockname()[1]}"


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
