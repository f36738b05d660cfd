"""Whether this process can serve: the database and its schema; and, for people, who is there to do the work."""

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from modelyard.database.schema import HEAD
from modelyard.database.session import autocommit
from modelyard.jobs.broker import Bell
from modelyard.registry.workforce import alive_workers
from modelyard.rules.jobs import QUEUES
from modelyard.web.site import Site

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready` depends on the database alone: without a broker or workers, requests are accepted and wait."""

    ready: bool
    body: dict[str, Any]


def readiness(site: Site) -> Readiness:
    """Look at the database, then at the broker. Never raises."""
    try:
        with autocommit(site.engine) as connection:
            revision = str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")
            workers = alive_workers(connection, site.sweep_ms)
    except SQLAlchemyError as error:
        log.warning("not ready: the database does not answer", reason=str(error).splitlines()[0])
        return Readiness(False, {"status": "not ready", "database": "does not answer"})
    if revision < HEAD:
        return Readiness(False, {"status": "not ready", "database": f"schema {revision}, needs {HEAD}: run migrate"})
    body = {"status": "ready", "database": "ok", "broker": _broker(site.bell), "workers": workers}
    return Readiness(True, body)


def _broker(bell: Bell | None) -> str:
    if bell is None:
        return "none"
    return "ok" if bell.depth(QUEUES[0]) is not None else "does not answer"
