"""What the navigation counts for every kind of person: what their lists show, and nothing else."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from modelyard.database.session import autocommit, reading, transaction
from modelyard.database.tables import Job, metadata
from modelyard.registry.access import Actor
from modelyard.registry.jobs import JobFilter, list_jobs
from modelyard.registry.overview import NavigationCounts, navigation_counts
from modelyard.registry.permissions import WantedLevel, update_permissions
from modelyard.registry.request_inbox import list_requests
from modelyard.registry.transition_requests import create_transition_request
from modelyard.rules.jobs import JobStatus
from modelyard.rules.permissions import Level
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import TokenLimits
from tests.registry.desks import ANN, CONSOLE, STRANGER, Desk

_jobs = metadata.tables["jobs"]
RUNNING = {"status": JobStatus.RUNNING, "worker": "here:1:1", "attempt": 1, "lease_until_ms": 1, "started_at_ms": 1}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """Two models: each has an open request to Production and one to Staging, and a running job; one runs for none."""
    for name in ("m", "n"):
        desk.model(name)
        desk.ready(name)
        for to in (Stage.PRODUCTION, Stage.STAGING):
            with transaction(desk.engine) as session:
                create_transition_request(session, ANN, name, 1, to=to, comment="")
        desk.pending(name)
    with transaction(desk.engine) as session:
        session.add(Job(kind="collect", queue="copy", requested_by="system", arguments={}, max_attempts=1))
        session.flush()
        session.execute(update(_jobs).where(_jobs.c.status == JobStatus.QUEUED).values(**RUNNING))
    return desk


def counted(desk: Desk, actor: Actor) -> NavigationCounts:
    with autocommit(desk.engine) as connection:
        return navigation_counts(connection, actor)


def listed(desk: Desk, actor: Actor) -> NavigationCounts:
    with reading(desk.engine) as session:
        running = list_jobs(session, actor, JobFilter(statuses=(JobStatus.RUNNING,)), limit=50).rows
        return NavigationCounts(len(running), len(list_requests(session, actor, own=False, limit=50)))


def everybody(desk: Desk) -> dict[str, tuple[Actor, NavigationCounts]]:
    """Who -> the person, and what the navigation counts for them."""
    stager = desk.grant("stager", Level.CAN_MANAGE_STAGING_VERSIONS, on="m")
    owner = desk.grant("owner", Level.CAN_MANAGE, on="n")
    desk.user("rooted")
    with transaction(desk.engine) as session:
        wanted = WantedLevel(PrincipalKind.USER, "rooted", Level.CAN_MANAGE_PRODUCTION_VERSIONS)
        update_permissions(session, CONSOLE, "root", [wanted])
    only_m = TokenLimits(models=frozenset({"m"}))
    return {
        "an administrator": (ANN, NavigationCounts(3, 4)),
        "an administrator's token for m": (replace(ANN, limits=only_m), NavigationCounts(1, 2)),
        "somebody who manages everything": (desk.actor("rooted"), NavigationCounts(2, 4)),
        "their token for m": (replace(desk.actor("rooted"), limits=only_m), NavigationCounts(1, 2)),
        "who moves m to Staging": (stager, NavigationCounts(1, 1)),
        "who owns n": (owner, NavigationCounts(1, 2)),
        "the owner's token for m": (replace(owner, limits=only_m), NavigationCounts(0, 0)),
        "somebody with many models": (replace(owner, holds_much=True), NavigationCounts(1, 2)),
        "a stranger": (STRANGER, NavigationCounts(0, 0)),
    }


def test_the_navigation_counts_what_the_lists_show(desk: Desk) -> None:
    people = everybody(desk)

    assert {who: counted(desk, actor) for who, (actor, _) in people.items()} == {
        who: expected for who, (_, expected) in people.items()
    }
    assert {who: listed(desk, actor) for who, (actor, _) in people.items()} == {
        who: expected for who, (_, expected) in people.items()
    }
