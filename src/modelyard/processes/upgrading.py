"""The database brought up to date before anything else opens it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from modelyard.database.engine import create_engine
from modelyard.database.schema import HEAD, current_revision
from modelyard.errors import ConfigurationError
from modelyard.settings import Settings


def bring_up_to_date(settings: Settings, upgrade: Callable[[Engine], object]) -> None:
    """Call `upgrade` when the database's schema is behind. Raises ConfigurationError when there is no database."""
    engine = create_engine(settings.database)
    with database_errors_explained(settings):
        try:
            if current_revision(engine) != HEAD:
                upgrade(engine)
        finally:
            engine.dispose()


@contextmanager
def database_errors_explained(settings: Settings) -> Iterator[None]:
    """Turn what the driver says within the block into one line that names the database and what to do."""
    try:
        yield
    except DBAPIError as error:
        shown = make_url(settings.database).render_as_string(hide_password=True)
        reason = " ".join(str(error.orig).split())
        raise ConfigurationError(
            f"Cannot use the database {shown}: {reason}. Start it, or correct MODELYARD_DATABASE_URL."
        ) from error
