"""Which server the commands of the console ask, by the settings of this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.console.client import Server
from modelyard.settings import load_settings


@contextmanager
def connected() -> Iterator[Server]:
    """Give the server of MODELYARD_URL, and this machine's own by default. Raises ConfigurationError."""
    settings = load_settings()
    token = settings.token or settings.admin_token
    server = Server(settings.url or settings.address, token.get_secret_value() if token else None)
    try:
        yield server
    finally:
        server.close()
