"""Model versions as use-cases."""

from pathlib import PurePosixPath

import pytest

from modelyard.database.session import reading, transaction
from modelyard.errors import InvalidState, InvalidValue, LimitReached, NotFound, PermissionDenied, SourceRefused
from modelyard.registry.model_versions import (
    create_model_version,
    delete_model_version,
    read_model_version,
    update_model_version,
)
from modelyard.registry.registered_models import read_registered_model
from modelyard.registry.registration import NewVersion, Remembered, origin_of
from modelyard.rules.sources import LocalPath, RegisteredVersion, Source
from modelyard.rules.stages import Stage
from modelyard.rules.versions import RegistrationMode
from tests.registry.desks import ANN, MANIFEST, STRANGER, Desk


def test_a_new_version_is_pending_and_has_one_job_of_its_own(desk: Desk) -> None:
    desk.model()

    version = desk.pending(run_id="r", tags={"k": "v"})

    (job,) = desk.jobs()
    assert (version.version, version.status, version.stage) == (1, "PENDING_REGISTRATION", "None")
    assert version.created_at_ms == version.updated_at_ms == version.stage_changed_at_ms
    assert (job.kind, job.queue, job.requested_by) == ("register_version", "copy", "ann")
    assert (job.subject, job.dedupe_key) == (
        f"model_version:{version.public_id}",
        f"register:{version.public_id}",
    )
    assert (job.model_id, job.version_id, job.arguments) == (version.model_id, version.id, {"source": "/data/model"})
    assert desk.rings == [job.id]


def test_a_deleted_versions_number_is_never_given_out_again(desk: Desk) -> None:
    desk.model()
    desk.ready()
    desk.ready()

    with transaction(desk.engine) as session:
        delete_model_version(session, ANN, "m", 2, lifecycle=desk.lifecycle)

    assert desk.pending().version == 3


def test_a_deleted_version_is_not_found_and_cannot_be_deleted_again(desk: Desk) -> None:
    desk.model()
    desk.ready()
    with transaction(desk.engine) as session:
        delete_model_version(session, ANN, "m", 1, lifecycle=desk.lifecycle)

    with transaction(desk.engine) as session:
        with pytest.raises(NotFound):
            read_model_version(session, ANN, "m", 1)
        with pytest.raises(NotFound):
            delete_model_version(session, ANN, "m", 1, lifecycle=desk.lifecycle)


@pytest.mark.parametrize("number", [0, 2, 2**31, 10**18 - 1])
def test_a_number_that_no_version_bears_is_not_found(desk: Desk, number: int) -> None:
    desk.model()
    desk.ready()

    with reading(desk.engine) as session, pytest.raises(NotFound, match="not found"):
        read_model_version(session, ANN, "m", number)


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_a_version_in_use_is_not_deleted(desk: Desk, stage: Stage) -> None:
    desk.model()
    desk.ready(stage=stage)

    with transaction(desk.engine) as session, pytest.raises(InvalidState, match="Move it"):
        delete_model_version(session, ANN, "m", 1, lifecycle=desk.lifecycle)


def test_a_version_is_not_deleted_while_it_is_registered(desk: Desk) -> None:
    desk.model()
    desk.pending()

    with transaction(desk.engine) as session, pytest.raises(InvalidState, match="is being registered"):
        delete_model_version(session, ANN, "m", 1, lifecycle=desk.lifecycle)


def test_a_description_may_change_while_the_version_is_registered(desk: Desk) -> None:
    desk.model()
    desk.pending(description="old")

    with transaction(desk.engine) as session:
        version = update_model_version(session, ANN, "m", 1, description="new")
        model = read_registered_model(session, ANN, "m")

    assert version.description == "new"
    assert version.updated_at_ms == model.updated_at_ms


def test_a_version_of_another_model_is_ready_at_once_with_the_same_manifest(desk: Desk) -> None:
    desk.model("a")
    desk.model("b")
    desk.ready("a", run_id="r", logged_model_id="m-1")

    copy = desk.pending("b", source="models:/a/1")

    assert (copy.status, copy.manifest_digest, copy.file_count, copy.size_bytes) == ("READY", MANIFEST, 2, 30)
    assert (copy.run_id, copy.logged_model_id, copy.source) == ("r", "m-1", "models:/a/1")
    assert len(desk.jobs()) == 1


@pytest.mark.parametrize(
    ("source", "taken"),
    [
        ("models:/a/production", "models:/a/2"),
        ("models:/a/None", "models:/a/3"),
        ("models:/a/latest", "models:/a/3"),
        ("models:/a/1", "models:/a/1"),
    ],
)
def test_a_stage_as_source_is_written_down_as_the_version_it_means(desk: Desk, source: str, taken: str) -> None:
    desk.model("a")
    desk.ready("a", stage=Stage.PRODUCTION)
    desk.ready("a", stage=Stage.PRODUCTION)
    desk.ready("a")
    desk.pending("a")

    assert desk.pending("a", source=source).source == taken


def test_an_alias_as_source_is_written_down_as_the_version_it_points_to(desk: Desk) -> None:
    desk.model("a")
    desk.ready("a")
    desk.ready("a")
    desk.alias("a", "champion", 1)

    copies = [desk.pending("a", source=source) for source in ("models:/a@champion", "models:/a@Latest")]

    assert [(copy.status, copy.source) for copy in copies] == [("READY", "models:/a/1"), ("READY", "models:/a/3")]


@pytest.mark.parametrize("source", ["models:/p/1", "models:/p/latest"])
def test_a_prompt_is_no_source(desk: Desk, source: str) -> None:
    desk.model("p")
    desk.pending("p", source="dummy-source")
    desk.model()

    with pytest.raises(SourceRefused, match="'p' is a prompt"):
        desk.pending(source=source)


@pytest.mark.parametrize(
    "source", ["models:/a/2", "models:/none/1", "models:/a/Staging", "models:/a@champion", f"models:/a/{2**40}"]
)
def test_a_version_that_does_not_exist_is_no_source(desk: Desk, source: str) -> None:
    desk.model("a")
    desk.ready("a")

    with pytest.raises(SourceRefused):
        desk.pending("a", source=source)


def test_a_version_that_is_not_ready_is_no_source(desk: Desk) -> None:
    desk.model()
    desk.pending()

    with pytest.raises(InvalidState, match="only a READY version can be registered again"):
        desk.pending(source="models:/m/1")


def test_what_is_registered_by_reference_is_ready_and_hands_its_source_on(desk: Desk) -> None:
    desk.model()
    wish = NewVersion(name="m", source="s3://bucket/model")
    with transaction(desk.engine) as session:
        first = desk.create(session, wish, Remembered())

    second = desk.pending(source="models:/m/1")

    assert (first.status, first.registration_mode) == ("READY", "reference")
    assert (second.status, second.registration_mode, second.source) == ("READY", "reference", "s3://bucket/model")
    assert desk.jobs() == []


def refuse(source: Source) -> None:
    raise SourceRefused("vetted")


@pytest.mark.parametrize(
    ("source", "tags", "mode", "origin"),
    [
        ("/data/model", {}, RegistrationMode.COPY, None),
        ("dummy-source", {}, RegistrationMode.COPY, Remembered()),
        ("any text", {"mlflow.prompt.is_prompt": "true"}, RegistrationMode.COPY, Remembered()),
        ("s3://bucket/model", {}, RegistrationMode.REFERENCE, Remembered()),
        ("models:/m/1", {}, RegistrationMode.REFERENCE, RegisteredVersion("m", version=1)),
    ],
)
def test_only_what_will_be_read_is_vetted(
    source: str, tags: dict[str, str], mode: RegistrationMode, origin: object
) -> None:
    wish = NewVersion(name="m", source=source, tags=tags)

    if origin is None:
        with pytest.raises(SourceRefused, match="vetted"):
            origin_of(wish, mode=mode, vet=refuse)
        return
    assert origin_of(wish, mode=mode, vet=refuse) == origin


@pytest.mark.parametrize("mode", list(RegistrationMode))
def test_no_tag_and_no_mode_let_a_source_climb(mode: RegistrationMode) -> None:
    wish = NewVersion(name="m", source="/data/../etc", tags={"mlflow.prompt.is_prompt": "true"})

    with pytest.raises(SourceRefused):
        origin_of(wish, mode=mode, vet=lambda source: None)


@pytest.mark.parametrize(
    "wrong",
    [{"run_id": "r" * 257}, {"run_link": "l" * 2049}, {"description": "d" * 65_536}, {"tags": {"a=b": ""}}],
)
def test_a_wish_that_breaks_a_rule_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        NewVersion(**{"name": "m", "source": "/data", **wrong})  # type: ignore[arg-type]


def test_beyond_the_limit_of_pending_versions_nothing_is_registered(desk: Desk) -> None:
    desk.model()
    desk.pending()
    desk.ready()
    wish, origin = NewVersion(name="m", source="/data"), LocalPath(PurePosixPath("/data"))

    with transaction(desk.engine) as session, pytest.raises(LimitReached, match="1 versions are being registered"):
        desk.create(session, wish, origin, max_pending=1)

    assert len(desk.jobs()) == 2


def test_a_refused_version_takes_no_number(desk: Desk) -> None:
    desk.model()

    with pytest.raises(SourceRefused):
        desk.pending(source="models:/none/1")

    assert desk.pending().version == 1


def test_whoever_has_no_permission_adds_and_sees_no_version(desk: Desk) -> None:
    desk.model()
    desk.ready()
    wish = NewVersion(name="m", source="dummy-source")

    with transaction(desk.engine) as session:
        with pytest.raises(PermissionDenied, match="CAN_EDIT"):
            create_model_version(session, STRANGER, wish, Remembered(), lifecycle=desk.lifecycle)
        with pytest.raises(PermissionDenied, match="CAN_READ"):
            read_model_version(session, STRANGER, "m", 1)
