"""Kinds of jobs, their limits and their delays."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.jobs import (
    FINAL,
    MESSAGE_CHARACTERS,
    OPEN,
    QUEUES,
    RULES,
    JobKind,
    JobStatus,
    backoff_s,
    check_arguments,
    clip_message,
    task_name,
)

ARCHIVAL = {"versions": [1, 2], "from_stage": "Staging", "promoted": 3}


@pytest.mark.parametrize(
    ("attempt", "shortest_s", "longest_s"),
    [(1, 15, 30), (2, 30, 60), (3, 60, 120), (4, 120, 240), (5, 150, 300), (6, 150, 300), (5000, 150, 300)],
)
def test_the_delay_doubles_up_to_five_minutes_and_half_of_it_is_chance(attempt, shortest_s, longest_s):
    assert (backoff_s(attempt, 0.0), backoff_s(attempt, 1.0)) == (shortest_s, longest_s)


def test_a_status_is_open_or_final():
    assert set(JobStatus) == OPEN | FINAL
    assert not OPEN & FINAL


@pytest.mark.parametrize("kind", JobKind)
def test_the_name_of_a_task_is_written_out(kind):
    assert task_name(kind) == f"modelyard.{kind.value}"


@pytest.mark.parametrize("kind", JobKind)
def test_every_kind_has_rules_that_can_be_kept(kind):
    assert RULES[kind].queue in QUEUES
    assert RULES[kind].time_limit_s > 0


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (JobKind.REGISTER_VERSION, {"source": "/data/model"}),
        (JobKind.REGISTER_VERSION, {"source": "dbfs:/x", "upload_folder": "x", "of_a_later_release": [1]}),
        (JobKind.ARCHIVE_VERSIONS, ARCHIVAL),
        (JobKind.ARCHIVE_VERSIONS, ARCHIVAL | {"versions": []}),
        (JobKind.PROBE, {}),
    ],
)
def test_a_job_runs_with_the_arguments_of_its_kind(kind: JobKind, arguments: object) -> None:
    check_arguments(kind, arguments)


@pytest.mark.parametrize(
    ("kind", "arguments", "named"),
    [
        (JobKind.REGISTER_VERSION, {}, "'source' as a text, but has None"),
        (JobKind.REGISTER_VERSION, {"source": None}, "'source' as a text, but has None"),
        (JobKind.REGISTER_VERSION, {"source": ["/x"]}, "'source' as a text, but has ['/x']"),
        (JobKind.REGISTER_VERSION, {"source": "/x", "upload_folder": 3}, "'upload_folder' as a text, but has 3"),
        (JobKind.ARCHIVE_VERSIONS, ARCHIVAL | {"versions": ["1"]}, "'versions' as a list of whole numbers"),
        (JobKind.ARCHIVE_VERSIONS, ARCHIVAL | {"versions": [True]}, "'versions' as a list of whole numbers"),
        (JobKind.ARCHIVE_VERSIONS, ARCHIVAL | {"versions": 1}, "'versions' as a list of whole numbers"),
        (JobKind.ARCHIVE_VERSIONS, ARCHIVAL | {"promoted": 1.0}, "'promoted' as a whole number, but has 1.0"),
        (JobKind.PROBE, [], "arguments of this job are []"),
        (JobKind.PROBE, None, "arguments of this job are None"),
        (JobKind.PROBE, "x" * 5000, "…"),
    ],
)
def test_a_job_with_other_arguments_is_refused_with_what_was_found(
    kind: JobKind, arguments: object, named: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        check_arguments(kind, arguments)

    assert named in refused.value.message
    assert "ask again" in refused.value.message
    assert len(refused.value.message) < 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("No MLmodel.", "No MLmodel."),
        ("two\n lines\t here ", "two lines here"),
        ("", ""),
        ("x" * MESSAGE_CHARACTERS, "x" * MESSAGE_CHARACTERS),
        ("x" * (MESSAGE_CHARACTERS + 1), "x" * (MESSAGE_CHARACTERS - 1) + "…"),
    ],
)
def test_a_message_is_one_line_of_bounded_length(text, message):
    assert clip_message(text) == message
