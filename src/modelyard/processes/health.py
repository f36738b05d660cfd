"""The health of the process that shares this container, asked by `modelyard health` every few seconds.

A worker listens on no port; but its sweep reports it to the `workers` table, which it can only do while it reaches
the database. The orchestrator restarts what stays unhealthy, so nothing here depends on a broker: restarting helps
nobody against a broker that is away.
"""

import socket
from http import HTTPStatus

import urllib3
from sqlmodel import col, select

from modelyard.database.clock import now_ms
from modelyard.database.engine import create_engine
from modelyard.database.session import autocommit
from modelyard.database.tables import Worker
from modelyard.settings import Settings

ANSWER_S = 5
# Reports come with each sweep; this many may be lost to a slow database before a worker counts as dead.
MISSED_SWEEPS = 6


def web_answers(settings: Settings) -> bool:
    """Whether the web server of these settings answers on this machine."""
    try:
        answer = urllib3.request("GET", f"{settings.address}/health", retries=False, timeout=ANSWER_S)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == HTTPStatus.OK


def worker_reports(settings: Settings) -> bool:
    """Whether a worker of this host has reported itself within the last sweeps. Raises what the database raises."""
    patience_ms = int(MISSED_SWEEPS * max(settings.sweep_s, 1) * 1000)
    reported = select(Worker.name).where(
        col(Worker.host) == socket.gethostname(), col(Worker.seen_at_ms) > now_ms() - patience_ms
    )
    engine = create_engine(settings.database)
    try:
        with autocommit(engine) as connection:
            return connection.execute(reported).first() is not None
    finally:
        engine.dispose()
