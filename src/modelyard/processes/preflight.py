"""What a process must find before it starts: a database on our schema, a store, settings that fit together."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from modelyard.database.engine import create_engine
from modelyard.database.schema import HEAD, current_revision
from modelyard.errors import ConfigurationError
from modelyard.runtime import Runtime
from modelyard.settings import Settings


def check_start(settings: Settings) -> None:
    """Open everything once and close it again, so that a mistake is one line here and not a child that keeps dying.

    Nothing is connected any more when it returns: forks may follow. Raises ConfigurationError.
    """
    with _database_errors_explained(settings):
        runtime = Runtime.open(settings)
        runtime.engine.dispose()
    if not runtime.store.survives_fork:
        in_a_fork(lambda: runtime.store.create_or_check(runtime.owner))


def in_a_fork(check: Callable[[], object]) -> None:
    """Run a check in a child that ends with it, so that this process stays fit to fork. Raises ConfigurationError.

    To be called while there is one thread only. Where processes are spawned instead, nothing has to be kept.
    """
    if sys.platform != "linux":
        check()
        return
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            check()
            status = 0
        except ConfigurationError as error:
            os.write(writing, error.message.encode())
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            # Never unwind into the parent's frames.
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        message = pipe.read()
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise ConfigurationError(message or "The store cannot be used; the lines above say why.")


def bring_up_to_date(settings: Settings, upgrade: Callable[[Engine], object]) -> None:
    """Call `upgrade` when the database's schema is behind. Raises ConfigurationError when there is no database."""
    engine = create_engine(settings.database)
    with _database_errors_explained(settings):
        try:
            if current_revision(engine) != HEAD:
                upgrade(engine)
        finally:
            engine.dispose()


@contextmanager
def _database_errors_explained(settings: Settings) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        shown = make_url(settings.database).render_as_string(hide_password=True)
        reason = " ".join(str(error.orig).split())
        raise ConfigurationError(
            f"Cannot use the database {shown}: {reason}. Start it, or correct MODELYARD_DATABASE_URL."
        ) from error
