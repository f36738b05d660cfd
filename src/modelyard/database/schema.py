"""The schema's revision: brought up to date by `migrate`, checked by every process before it works.

Schema changes expand first: release N runs on the schema of release N + 1, so a newer revision is accepted
while it descends from ours and an older one is refused with the command that mends it.
"""

from sqlalchemy import Engine, inspect, text

from modelyard.errors import ConfigurationError

# The newest revision in migrations/versions; a test compares. Alembic itself is loaded only to migrate.
HEAD = "0007"
SCHEMA_LOCK = 0x6D6F64656C79


def current_revision(engine: Engine) -> str | None:
    """Return the revision that the database stands at, None for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def require_schema(engine: Engine) -> None:
    """Refuse to work on a schema that this release does not know.

    Raises ConfigurationError naming the command to run.
    """
    revision = current_revision(engine)
    if revision is None or revision < HEAD:
        raise ConfigurationError(
            f"The database's schema is at {revision or 'nothing'}, this release needs {HEAD}. "
            "Run `modelyard migrate` once, then start again."
        )
