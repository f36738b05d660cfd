"""The doctor names what was hurt, and what it says repairs it. On both databases."""

import pytest
from pydantic import SecretStr

from modelyard.database.session import transaction
from modelyard.registry.installation import open_registry
from modelyard.rules.jobs import JobStatus
from modelyard.storage.store import blob_name
from tests.console.patients import Patient
from tests.servers import free_port

LATE_MS = 3_600_000
DIGEST = "ab" * 32

# What the hand does -> what the doctor calls it. Each leaves one READY version of `m` hurt, by SQL alone.
CORRUPTIONS = {
    "UPDATE model_versions SET status = 'FAILED_REGISTRATION'": "version_differs_from_its_job",
    "UPDATE model_versions SET status = 'PENDING_REGISTRATION'": "pending_version_without_job",
    "UPDATE model_versions SET manifest_digest = NULL": "ready_version_without_manifest",
    "UPDATE jobs SET attempt = 0": "attempt_fell",
    "UPDATE jobs SET worker = 'another'": "job_ended_by_another_worker",
    "UPDATE job_attempts SET outcome = 'FAILED'": "job_differs_from_its_attempts",
    "UPDATE job_attempts SET outcome = NULL, ended_at_ms = NULL": "attempt_left_open",
    "UPDATE registered_models SET next_version = 1": "next_version_is_taken",
    "DELETE FROM manifest_blobs WHERE digest = manifest_digest": "manifest_without_reference",
    "DELETE FROM manifest_blobs WHERE digest <> manifest_digest": "manifest_differs",
    "INSERT INTO blob_leases SELECT id, attempt, (SELECT max(digest) FROM blobs), 'live' FROM jobs": (
        "blob_lease_left_behind"
    ),
}
# Those of them that the named statement makes good by itself.
REPAIRED_BY_SQL = {
    "attempt_fell",
    "attempt_left_open",
    "next_version_is_taken",
    "manifest_without_reference",
    "manifest_differs",
    "blob_lease_left_behind",
}


@pytest.fixture
def ready(patient: Patient) -> Patient:
    """A registry that is well, with one READY version of the model `m`: an MLmodel and the file `weights`."""
    patient.yard.ready("m", source=patient.yard.model_folder(weights=b"heavy weights"))
    return patient


def test_a_registry_that_is_well_has_no_findings(ready):
    assert ready.findings(deep=True) == []

    assert [section.name for section in ready.sections if section.skipped] == ["broker"]
    assert ready.read_bytes > len(b"heavy weights")


@pytest.mark.parametrize(("statement", "check"), CORRUPTIONS.items())
def test_a_row_changed_by_hand_is_named(ready, statement, check):
    ready.sql(statement)

    assert check in ready.names()


@pytest.mark.parametrize(
    ("statement", "check"), [(statement, check) for statement, check in CORRUPTIONS.items() if check in REPAIRED_BY_SQL]
)
def test_the_named_statement_repairs_a_row(ready, statement, check):
    ready.sql(statement)
    for finding in ready.findings():
        if finding.check == check:
            ready.follow(finding)

    assert ready.findings(deep=True) == []


def test_a_pending_version_whose_job_is_gone_is_named_and_can_be_tried_again(patient):
    patient.yard.register("m")
    patient.sql("UPDATE jobs SET status = 'CANCELLED', finished_at_ms = 1")

    (finding,) = patient.findings()
    assert finding.found.startswith("Version 1 of 'm' is PENDING_REGISTRATION with 0 open registration jobs")
    patient.follow(finding)
    (job,) = patient.yard.jobs()
    assert f"modelyard job retry {job.id}" in finding.repair
    with transaction(patient.yard.engine) as session:
        patient.yard.runtime.lifecycle.retry(session, job.id)
    patient.yard.work()

    assert patient.yard.version()["status"] == "READY"
    assert patient.findings() == []


def test_a_registration_of_a_version_that_does_not_wait_is_named_and_can_be_cancelled(patient):
    patient.yard.register("m")
    patient.sql("UPDATE model_versions SET status = 'FAILED_REGISTRATION'")

    (finding,) = patient.findings()
    assert finding.check == "registration_without_pending_version"
    (job,) = patient.yard.jobs()
    assert finding.repair == f"`modelyard job cancel {job.id}`"
    with transaction(patient.yard.engine) as session:
        assert patient.yard.runtime.lifecycle.cancel(session, job.id, by="ann") is JobStatus.CANCELLED

    assert patient.findings() == []


def test_two_running_jobs_of_one_version_are_named_where_the_index_is_missing(patient):
    patient.yard.register("m")
    patient.yard.register("m")
    patient.sql("DROP INDEX one_running_per_subject")
    patient.sql("UPDATE jobs SET subject = 'same', status = 'RUNNING', worker = 'w', lease_until_ms = 99999999999999")

    assert "two_running_jobs_of_one_subject" in patient.names()


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "is missing"), (b"short", "is 5 bytes long"), (b"HEAVY weights", "full of other bytes")],
)
def test_a_file_of_the_store_that_was_hurt_is_named_with_who_needs_it(ready, content, told):
    ready.overwrite(ready.blobs()["heavy weights"], content)

    (finding,) = ready.findings(deep=True)

    assert finding.check == "broken_blob"
    assert told in finding.found
    assert "needed by version 1 of 'm'" in finding.found


@pytest.mark.parametrize("content", [None, b"short", b"HEAVY weights"])
def test_registering_the_same_files_again_makes_a_hurt_file_good(ready, content):
    ready.overwrite(ready.blobs()["heavy weights"], content)
    (finding,) = ready.findings(deep=True)
    if "UPDATE" in finding.repair:
        ready.follow(finding)

    ready.yard.ready("m", source=ready.yard.model_folder(weights=b"heavy weights"))

    assert ready.findings(deep=True) == []


def test_only_a_deep_look_reads_every_file(ready):
    ready.overwrite(ready.blobs()["heavy weights"], b"HEAVY weights")

    assert ready.findings(deep=False) == []


def test_a_manifest_that_was_hurt_is_named_even_without_a_deep_look(ready):
    content, name = next((text, name) for text, name in ready.blobs().items() if text.startswith("{"))
    ready.overwrite(name, content.replace("weights", "WEIGHTS").encode())

    assert ready.names() == {"unreadable_manifest"}


def test_a_file_that_no_row_knows_is_named_and_can_be_entered(ready):
    (ready.yard.runtime.store.root / blob_name(DIGEST, 0)).parent.mkdir(exist_ok=True)
    (ready.yard.runtime.store.root / blob_name(DIGEST, 0)).write_bytes(b"?")

    (finding,) = ready.findings()
    assert finding.check == "file_without_row"
    assert blob_name(DIGEST, 0) in finding.found
    ready.follow(finding)

    assert ready.findings() == []


def test_staging_that_nobody_owns_is_named_when_no_sweep_cleared_it_away(ready):
    (job,) = ready.yard.jobs()
    folder = ready.yard.runtime.store.root / "ingest" / f"{job.id}-1-0a0b0c0d"
    folder.mkdir()
    assert ready.findings() == []

    ready.sql("UPDATE job_attempts SET ended_at_ms = ended_at_ms - :late", late=LATE_MS)

    (finding,) = ready.findings()
    assert finding.check == "staging_without_owner"
    assert folder.name in finding.repair


def test_staging_of_a_running_copy_is_left_alone(patient):
    patient.yard.register("m")
    (job,) = patient.yard.jobs()
    patient.yard.runtime.lifecycle.claim(job.id, "w")
    (patient.yard.runtime.store.root / "ingest" / f"{job.id}-1-0a0b0c0d").mkdir()

    assert patient.findings() == []


def test_a_store_of_another_registry_is_named_and_its_files_are_not_judged(ready):
    ready.sql("UPDATE registry SET registry_id = :other", other="f" * 32)

    assert ready.names() == {"store_of_another_registry"}
    assert [section.name for section in ready.sections if section.skipped] == ["broker", "files"]


def test_a_store_that_is_not_there_is_named_and_not_made(ready, tmp_path):
    nowhere = tmp_path / "unmounted"

    assert ready.names(store_url=str(nowhere)) == {"no_store"}
    assert not nowhere.exists()


def test_a_schema_that_is_behind_is_named_with_its_command(patient):
    patient.sql("UPDATE alembic_version SET version_num = '0001'")

    (finding,) = patient.findings()

    assert (finding.check, finding.repair) == ("old_schema", "`modelyard migrate`")


def test_another_secret_key_is_named(patient, tmp_path):
    open_registry(patient.yard.engine, ["k" * 32, *patient.yard.runtime.secret_keys])

    assert patient.names() == {"other_secret_key"}
    assert patient.names(home=tmp_path / "elsewhere", store_url=str(patient.yard.runtime.store.root)) == {
        "other_secret_key"
    }
    assert not (tmp_path / "elsewhere").exists()


def test_a_clock_apart_from_the_databases_is_named(patient, set_clock):
    set_clock(60_000)
    patient.sql("UPDATE workers SET seen_at_ms = seen_at_ms + 60000")

    (finding,) = patient.findings()

    assert finding.check == "clock_skew"
    assert "s ahead of this machine's" in finding.found


def test_a_broker_that_does_not_answer_is_named(patient):
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"

    (finding,) = patient.findings(broker_url=SecretStr(url))

    assert finding.check == "no_broker"
    assert "hunter2" not in finding.found


def test_a_database_that_does_not_answer_is_the_finding(patient):
    url = f"postgresql://me:hunter2@127.0.0.1:{free_port()}/none"

    (finding,) = patient.findings(database_url=SecretStr(url))

    assert finding.check == "no_database"
    assert "hunter2" not in finding.found


def test_a_database_file_that_is_not_there_is_not_made(patient, tmp_path):
    url = SecretStr(f"sqlite:///{tmp_path / 'none.db'}")

    assert patient.names(database_url=url) == {"no_database"}
    assert not (tmp_path / "none.db").exists()


def test_jobs_that_no_worker_listens_for_are_named_with_the_command_that_does(patient):
    patient.yard.register("m")
    patient.sql("UPDATE workers SET queues = 'fast'")
    assert patient.findings() == []

    patient.sql("UPDATE jobs SET run_after_ms = run_after_ms - :late", late=LATE_MS)

    (finding,) = patient.findings()
    assert finding.check == "jobs_without_worker"
    assert finding.repair == "`modelyard worker --queues copy`"


@pytest.mark.parametrize("statement", ["DELETE FROM workers", "UPDATE workers SET seen_at_ms = seen_at_ms - 3600000"])
def test_a_registry_without_workers_is_named(patient, statement):
    patient.sql(statement)

    assert patient.names() == {"no_worker"}


def test_a_schedule_that_nobody_fires_is_named(patient):
    patient.sql("UPDATE schedules SET next_at_ms = created_at_ms - :late", late=LATE_MS)

    assert patient.names() == {"late_schedule"}


def test_a_lost_worker_is_named_only_after_several_sweeps(patient):
    patient.yard.register("m")
    (job,) = patient.yard.jobs()
    patient.yard.runtime.lifecycle.claim(job.id, "w")
    patient.sql("UPDATE jobs SET lease_until_ms = lease_until_ms - 35000")
    assert patient.findings() == []

    patient.sql("UPDATE jobs SET lease_until_ms = lease_until_ms - :late", late=LATE_MS)

    (finding,) = patient.findings()
    assert finding.check == "overdue_lease"
    assert f"Job {job.id} (register_version) is RUNNING on w" in finding.found


def test_a_schedule_that_cannot_be_read_is_named_with_the_command_that_sets_it(patient):
    patient.sql("UPDATE schedules SET expression = 'nightly'")

    (finding,) = patient.findings()

    assert finding.check == "unreadable_schedule"
    assert "modelyard schedule set prune_jobs --cron '30 2 * * *'" in finding.repair


def test_jobs_of_a_kind_that_nobody_knows_are_named(patient):
    patient.yard.register("m")
    patient.sql("UPDATE jobs SET kind = 'from_the_future', run_after_ms = run_after_ms - :late", late=LATE_MS)
    patient.sql("UPDATE model_versions SET status = 'FAILED_REGISTRATION'")

    assert patient.names() == {"unknown_kind"}
