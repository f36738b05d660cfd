"""What a job must be given, and how long it waits after a failure."""

import pytest

from modelyard.errors import InvalidValue
from modelyard.rules.jobs import JobKind, backoff_s, check_arguments

ARCHIVAL = {"versions": [1, 2], "from_stage": "Staging", "promoted": 3}


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


@pytest.mark.parametrize(("attempt", "chance", "seconds"), [(1, 0.0, 15), (1, 1.0, 30), (3, 0.5, 90), (9, 1.0, 300)])
def test_a_delay_doubles_up_to_five_minutes(attempt: int, chance: float, seconds: float) -> None:
    assert backoff_s(attempt, chance) == seconds
