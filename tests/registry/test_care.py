"""Asking for verifications, repairs and collections; and what a damaged version may not do."""

import pytest
from sqlalchemy import insert, update

from modelyard.database.session import reading, transaction
from modelyard.database.tables import ModelVersion
from modelyard.errors import Damaged, InvalidState, NotFound, PermissionDenied
from modelyard.registry import care, queries
from modelyard.registry.blobs import blobs, manifest_blobs
from modelyard.registry.registration import NewVersion, origin_of
from modelyard.rules.jobs import JobKind
from modelyard.rules.stages import Stage
from modelyard.rules.versions import RegistrationMode
from tests.registry.desks import ANN, MANIFEST, STRANGER

DIGEST = "d" * 64


@pytest.fixture
def damaged(desk):
    """A desk with a model `m` whose version 1 refers to a damaged blob."""
    desk.model()
    desk.ready()
    with transaction(desk.engine) as session:
        session.execute(insert(blobs).values(digest=DIGEST, size_bytes=1, touched_at_ms=1, broken_at_ms=7))
        session.execute(insert(manifest_blobs).values(manifest_digest=MANIFEST, digest=DIGEST))
    return desk


def ask(desk, question, *arguments, actor=ANN, **options):
    with transaction(desk.engine) as session:
        return question(session, actor, *arguments, queue=desk.queue, **options)


def test_a_version_is_verified_under_the_lock_of_its_other_jobs_and_once(desk):
    desk.model()
    version = desk.ready()

    job = ask(desk, care.verify_version, "m", 1)

    assert (job.kind, job.subject) == (JobKind.VERIFY_VERSION, f"model_version:{version.public_id}")
    assert (job.model_id, job.version_id, job.requested_by) == (version.model_id, version.id, "ann")
    assert ask(desk, care.verify_version, "m", 1).id == job.id


def test_a_model_is_verified_by_one_job(desk):
    model = desk.model()
    desk.ready()
    desk.ready()

    job = ask(desk, care.verify_model, "m")

    assert (job.kind, job.model_id, job.version_id) == (JobKind.VERIFY_STORE, model.id, None)
    assert ask(desk, care.verify_model, "m").id == job.id
    assert ask(desk, care.verify_store).id != job.id


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        (care.verify_version, ("m", 1)),
        (care.verify_model, ("m",)),
        (care.verify_store, ()),
        (care.repair_version, ("m", 1, "/x")),
    ],
)
def test_strangers_may_ask_for_none_of_it(damaged, question, arguments):
    with pytest.raises(PermissionDenied):
        ask(damaged, question, *arguments, actor=STRANGER)
    with pytest.raises(PermissionDenied):
        ask(damaged, care.collect, actor=STRANGER, dry_run=True)


def test_what_is_not_stored_cannot_be_verified(desk):
    desk.model()
    desk.pending()
    with pytest.raises(InvalidState, match="PENDING"):
        ask(desk, care.verify_version, "m", 1)
    with transaction(desk.engine) as session:
        session.execute(update(ModelVersion).values(status="READY", registration_mode="reference"))
    with pytest.raises(InvalidState, match="by reference"):
        ask(desk, care.verify_version, "m", 1)
    with pytest.raises(NotFound):
        ask(desk, care.verify_version, "m", 2)


def test_only_what_is_damaged_is_repaired(desk, damaged):
    job = ask(damaged, care.repair_version, "m", 1, "/data/model")
    assert (job.kind, job.arguments) == (JobKind.REPAIR_VERSION, {"source": "/data/model"})

    with transaction(desk.engine) as session:
        session.execute(update(blobs).values(broken_at_ms=None))
    with pytest.raises(InvalidState, match=r"Nothing .* is known to be damaged"):
        ask(desk, care.repair_version, "m", 1, "/data/model")


def test_collections_wait_for_each_other_and_dry_runs_for_nobody(desk):
    first = ask(desk, care.collect, dry_run=False)

    assert ask(desk, care.collect, dry_run=False).id == first.id
    dry = ask(desk, care.collect, dry_run=True)
    assert (dry.subject, dry.arguments) == (None, {"dry_run": True})


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_a_damaged_version_is_not_promoted(damaged, stage):
    with pytest.raises(Damaged, match=r"Version 1 of 'm' cannot be moved to .*Damaged: 1 stored file"):
        damaged.move("m", 1, stage)

    damaged.move("m", 1, Stage.ARCHIVED)


def test_a_damaged_version_is_not_registered_under_another_name(damaged):
    damaged.model("n")
    wish = NewVersion(name="n", source="models:/m/1")
    origin = origin_of(wish, mode=RegistrationMode.COPY, vet=lambda source: None)

    with transaction(damaged.engine) as session, pytest.raises(Damaged, match="cannot be registered again"):
        damaged.create(session, wish, origin)


def test_a_damaged_version_says_so_to_every_client(damaged):
    damaged.ready()  # Of the same files.
    damaged.pending()

    with reading(damaged.engine) as session:
        shown = [queries.model_version(session.connection(), ANN, "m", number) for number in (1, 2, 3)]

    assert [version.status_message[:8] for version in shown] == ["Damaged:", "Damaged:", "Waiting "]
