"""Bringing a database up to the newest revision. The only module that loads Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from modelyard.database.schema import HEAD, SCHEMA_LOCK, current_revision


def upgrade(engine: Engine) -> bool:
    """Apply what is missing; return whether anything was. Two at once wait for each other."""
    if current_revision(engine) == HEAD:
        return False
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True
