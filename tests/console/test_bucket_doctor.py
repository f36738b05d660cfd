"""The doctor, and an adoption, over a store in a bucket."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from modelyard.console.adoption import adopt_store, describe_adoption
from modelyard.runtime import Runtime
from modelyard.settings import Settings
from modelyard.storage.cloud.store import BucketStore
from modelyard.storage.identity import Owner
from tests.console.patients import Patient
from tests.servers import SeaweedFS
from tests.web.yards import Yard


@pytest.fixture
def patient(database_url: str, tmp_path: Path, s3: SeaweedFS) -> Iterator[Patient]:
    """A registry with one READY version in a bucket."""
    (tmp_path / "sources").mkdir()
    settings = Settings(
        home=tmp_path / "home",
        database_url=database_url,
        source_roots=str(tmp_path / "sources"),
        store_url=f"s3://store/tests/{uuid4().hex}",
        create_wait_s=0,
    )
    runtime = Runtime.open(settings)
    yard = Yard(runtime, tmp_path)
    yard.ready()
    yield Patient(yard)
    runtime.engine.dispose()


def store_of(patient: Patient) -> BucketStore:
    store = patient.yard.runtime.store
    assert isinstance(store, BucketStore)
    return store


def test_a_bucket_that_is_well_is_read_to_its_last_byte(patient: Patient) -> None:
    assert patient.findings(deep=True) == []
    assert patient.read_bytes > 0


def test_lost_damaged_and_foreign_objects_are_named(patient: Patient) -> None:
    store = store_of(patient)
    lost, changed = sorted(store.list_blobs(), key=lambda blob: blob.size_bytes)
    store.remove_blob(lost.digest, 0)
    store.bucket.put(store.blob_key(changed.digest, 0), b"?" * changed.size_bytes)
    store.bucket.put(store.blob_key("f" * 64, 0), b"foreign")

    found = {finding.check for finding in patient.findings(deep=True)}

    assert {"broken_blob", "file_without_row"} <= found


def test_a_bucket_that_does_not_answer_is_the_finding(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    (finding,) = patient.findings()

    assert finding.check == "no_store"
    assert "403" in finding.found


def test_a_bucket_is_adopted(patient: Patient) -> None:
    store, ours = store_of(patient), patient.yard.runtime.owner
    store.adopt(Owner("another", "database"))
    assert patient.names() == {"store_of_another_registry"}

    assert "belongs to the registry another" in describe_adoption(patient.settings)
    assert adopt_store(patient.settings).startswith(f"The store {store.folder} is this database's own now")

    identity = store.identity()
    assert identity is not None
    assert identity.owner == ours
    assert patient.names() == set()
