"""How `up` begins: what may refuse it comes first, and most of the code is loaded while the database is migrated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

# The migrations need them, and so does everything else: the child that migrates finds them loaded.
import modelyard.database.tables  # noqa: F401
from modelyard.processes.forked import Forked
from modelyard.processes.home import own_home
from modelyard.processes.listening import Listeners, bind_web
from modelyard.processes.upgrading import bring_up_to_date
from modelyard.settings import Settings


@dataclass(frozen=True, slots=True)
class Beginning:
    """The sockets for the web processes, and what waits until the database below the home may be used.

    `wait_for_schema` raises ConfigurationError when it cannot be.
    """

    web: Listeners
    wait_for_schema: Callable[[], None]


@contextmanager
def begin(settings: Settings, upgrade: Callable[[Engine], object]) -> Iterator[Beginning]:
    """Own the home for the length of the block, listen, and begin to bring a database below the home up to date.

    `upgrade` is called, in a child, when that is behind. Raises ConfigurationError when the home or the port is taken
    or cannot be used; nothing has been changed then.
    """
    with (
        own_home(settings.home),
        bind_web(settings.host, settings.port, processes=settings.web_processes) as web,
    ):
        if settings.database_url is not None:
            yield Beginning(web, lambda: None)
            return
        upgrading = Forked(lambda: bring_up_to_date(settings, upgrade))
        try:
            yield Beginning(web, upgrading.wait)
        finally:
            upgrading.abandon()
