"""Who sees and changes which jobs."""

import pytest

from modelyard.database.session import reading, transaction
from modelyard.errors import PermissionDenied
from modelyard.registry.access import Actor
from modelyard.registry.job_changes import cancel_job, failed_jobs, retry_job
from modelyard.registry.jobs import JobFilter, list_jobs, read_job
from modelyard.rules.jobs import JobKind
from modelyard.rules.permissions import Level
from tests.registry.desks import ANN, STRANGER, Desk

READER = "reader"


@pytest.fixture
def job_ids(desk: Desk) -> tuple[int, int]:
    """A job of the model `m`, which the reader may read, and one without a model."""
    desk.model("m")
    desk.pending("m")
    desk.grant(READER, Level.CAN_READ)
    with transaction(desk.engine) as session:
        lone = desk.queue.enqueue(session, JobKind.PROBE, requested_by="ann")
    return desk.jobs()[0].id, lone.id


def actor_of(desk: Desk, who: Actor | str) -> Actor:
    return desk.actor(who) if isinstance(who, str) else who


@pytest.mark.parametrize(("actor", "seen"), [(ANN, [1, 0]), (READER, [0]), (STRANGER, [])])
def test_a_list_shows_the_jobs_of_models_that_one_may_read(
    desk: Desk, job_ids: tuple[int, int], actor: Actor | str, seen: list[int]
) -> None:
    with reading(desk.engine) as session:
        page = list_jobs(session, actor_of(desk, actor), JobFilter(), limit=10)

    assert [shown.job.id for shown in page.rows] == [job_ids[index] for index in seen]


@pytest.mark.parametrize(("actor", "which"), [(READER, 1), (STRANGER, 0), (STRANGER, 1)])
def test_a_job_that_one_may_not_see_is_not_shown(
    desk: Desk, job_ids: tuple[int, int], actor: Actor | str, which: int
) -> None:
    with pytest.raises(PermissionDenied), reading(desk.engine) as session:
        read_job(session, actor_of(desk, actor), job_ids[which])


@pytest.mark.parametrize("change", [cancel_job, retry_job])
def test_who_may_only_read_a_model_changes_none_of_its_jobs(desk: Desk, job_ids: tuple[int, int], change) -> None:
    with pytest.raises(PermissionDenied, match="CAN_EDIT"), transaction(desk.engine) as session:
        change(session, desk.actor(READER), job_ids[0], lifecycle=desk.lifecycle)

    assert desk.jobs()[0].status == "QUEUED"


def test_a_retry_of_all_is_one_of_those_that_are_seen(desk: Desk, job_ids: tuple[int, int]) -> None:
    for job_id in job_ids:
        claim = desk.lifecycle.claim(job_id, "w")
        assert claim is not None
        desk.lifecycle.fail(claim, "X", "no")

    with reading(desk.engine) as session:
        actors = [ANN, desk.actor(READER), STRANGER]
        seen = {actor.name: failed_jobs(session, actor, JobFilter()) for actor in actors}

    assert seen == {"ann": list(job_ids), "reader": [job_ids[0]], "stranger": []}
