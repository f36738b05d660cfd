"""`modelyard store` and `modelyard trash` against a server with a worker, on both databases."""

import json
import threading

import pytest
from sqlalchemy import update

from modelyard.database.session import transaction
from modelyard.database.tables import ModelVersion
from modelyard.storage.identity import Owner
from modelyard.storage.store import blob_name


@pytest.fixture
def busy(served):
    """A server whose worker does what waits, and a READY version 1 of `m` with a file `data`."""
    served.yard.ready("m", source=served.yard.model_folder(data=b"good bytes"))
    over = threading.Event()

    def work():
        while not over.wait(0.02):
            served.yard.work()

    worker = threading.Thread(target=work)
    worker.start()
    yield served
    over.set()
    worker.join()


def spoil(yard):
    [digest] = [
        file["sha256"]
        for file in yard.call("GET", "/api/v1/models/m/versions/1/files")["files"]
        if file["path"] == "data"
    ]
    path = yard.runtime.store.root / blob_name(digest, 0)
    path.chmod(0o644)
    path.write_bytes(b"evil bytes")


def test_usage_is_shown_for_the_store_a_model_and_a_version(served):
    served.yard.ready("m", source=served.yard.model_folder(data=b"x" * 5000))

    store, model, version = (served.run("store", "usage", *what).out for what in ([], ["m"], ["m/1"]))

    lines = [line.split(maxsplit=1) for line in store.splitlines()]
    assert ["1", "versions"] in [[word.strip() for word in line] for line in lines]
    assert model == version
    assert "would be freed if it were purged" in model
    assert json.loads(served.run("store", "usage", "m", "--json").out)["stored_files"] == 3


def test_damage_is_found_told_and_repaired(busy):
    assert busy.run("store", "verify", "m/1").status == 0
    spoil(busy.yard)

    found = busy.run("store", "verify", "m")
    assert (found.status, "m/1: data" in found.out) == (1, True)
    assert busy.run("store", "damaged").out == "m/1: 1 file\n"
    assert busy.run("store", "verify").status == 1

    repaired = busy.run("store", "repair", "models:/m/1")
    assert repaired.out.startswith("Repaired 1 file from ")
    assert busy.run("store", "damaged").out == "Nothing is known to be damaged.\n"


def test_a_repair_that_fails_says_why_with_status_1(busy):
    spoil(busy.yard)
    busy.run("store", "verify", "m/1")
    elsewhere = busy.yard.model_folder("elsewhere", data=b"other bytes")

    said = busy.run("store", "repair", "m/1", "--source", str(elsewhere))

    assert (said.status, said.out) == (1, "")
    assert "FAILED: 0 files repaired, 1 not (m/1: data)" in said.err


def test_what_was_only_remembered_is_taken_over(busy):
    with transaction(busy.yard.engine) as session:
        session.execute(update(ModelVersion).values(registration_mode="reference", manifest_digest=None))

    taken = busy.run("store", "materialize", "m/1")

    assert (taken.status, taken.err) == (0, "")
    assert busy.run("store", "verify", "m/1").status == 0
    assert "are in the store already" in busy.run("store", "materialize", "m/1").err


def test_a_deleted_model_is_listed_restored_and_purged_by_its_name(busy):
    busy.yard.call("DELETE", "registered-models/delete", {"name": "m"})
    assert "m " in busy.run("trash", "list").out

    assert busy.run("trash", "restore", "m").out == "Restored m with 1 version.\n"
    assert busy.run("trash", "list").out == "The trash is empty.\n"

    busy.yard.call("DELETE", "registered-models/delete", {"name": "m"})
    assert busy.run("trash", "purge", "m", "--dry-run").out.startswith("1 version: ")
    assert busy.run("trash", "purge", "m").out.startswith("Purged 1 version: ")
    assert busy.run("trash", "purge", "m").err.endswith("`modelyard trash list` shows what there is.\n")


def test_a_version_is_restored_and_a_model_under_another_name(busy):
    busy.yard.call("DELETE", "model-versions/delete", {"name": "m", "version": "1"})
    assert busy.run("trash", "restore", "m/1").out == "Restored m/1.\n"
    busy.yard.call("DELETE", "registered-models/delete", {"name": "m"})
    busy.yard.call("POST", "registered-models/create", {"name": "m"})

    assert "Restore as another one" in busy.run("trash", "restore", "m").err
    assert busy.run("trash", "restore", "m", "--as", "old").out == "Restored old with 1 version.\n"


def test_what_was_deleted_twice_is_named_by_its_id(served):
    for _ in range(2):
        served.yard.call("POST", "registered-models/create", {"name": "m"})
        served.yard.call("DELETE", "registered-models/delete", {"name": "m"})

    said = served.run("trash", "restore", "m")

    assert said.status == 2
    ids = said.err.rsplit(": ", 1)[1].strip(" .\n").split(", ")
    assert served.run("trash", "restore", ids[0]).out == "Restored m with 0 versions.\n"


def test_a_collection_is_foreseen_and_done(busy):
    assert busy.run("store", "collect", "--dry-run").out.startswith("Dry run: 0 bytes in 0 files")
    assert busy.run("store", "collect").out == "Freed 0 bytes in 0 files.\n"


def test_without_waiting_the_jobs_number_is_told(served):
    said = served.run("store", "collect", "--no-wait")

    assert said.out == "Job 1 is QUEUED; `modelyard job watch 1` follows it.\n"


def test_a_store_is_adopted_only_when_told_so(served):
    store = served.yard.runtime.store
    settings = served.yard.runtime.settings
    ours = store.identity().owner
    store.adopt(Owner("another", "database"))
    environment = {"home": str(settings.home), "database_url": settings.database}

    asked = served.run("store", "adopt", **environment)
    assert (asked.status, "belongs to the registry another" in asked.out) == (2, True)
    assert store.identity().owner != ours

    done = served.run("store", "adopt", "--yes", **environment)
    assert (done.status, done.out.startswith(f"The store {store.root} is this database's own now")) == (0, True)
    assert store.identity().owner == ours
