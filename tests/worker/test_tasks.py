"""The kinds of jobs: three tables that must tell of the same ones, and messages that name a kind."""

import pytest

from modelyard.jobs.broker import create_broker
from modelyard.registry.job_effects import EFFECTS
from modelyard.rules.jobs import QUEUES, RULES, JobKind, JobStatus, task_name
from modelyard.worker.beliefs import Beliefs
from modelyard.worker.tasks import WORK, register_tasks


@pytest.fixture
def tasks(house):
    app = create_broker("redis://127.0.0.1:1/0")
    register_tasks(app, lambda: house.context, Beliefs(1), lambda: house.rings.append(0))
    return app.tasks


def test_every_kind_stands_in_each_of_the_three_tables():
    assert set(RULES) == set(EFFECTS) == set(WORK) == set(JobKind)


def test_every_kind_has_a_queue_that_workers_listen_to():
    assert {rules.queue for rules in RULES.values()} <= set(QUEUES)


def test_every_kind_has_a_task_that_ends_later_than_its_limit(tasks):
    limits = {kind: tasks[task_name(kind)].time_limit for kind in JobKind}

    assert all(limits[kind] > RULES[kind].time_limit_s for kind in JobKind)


def test_a_task_passes_on_the_number_of_its_job(house, tasks):
    job = house.register(house.model_folder())

    tasks[task_name(JobKind.REGISTER_VERSION)](job.id)

    assert house.job(job).status == JobStatus.SUCCEEDED
    assert house.rings[-1] == 0  # What a child does after each job, it has done.


def test_the_row_says_what_is_done_whatever_kind_a_late_message_names(house, tasks):
    job = house.register(house.model_folder())

    # From before a backup was restored: the number was given out again since.
    tasks[task_name(JobKind.ARCHIVE_VERSIONS)](job.id)

    assert (house.job(job).status, house.version().status) == (JobStatus.SUCCEEDED, "READY")
