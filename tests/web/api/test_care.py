"""Verifying, repairing, collecting and counting over HTTP, and what a damaged version answers."""

import pytest

from modelyard.rules.jobs import JobStatus
from modelyard.storage.store import blob_name

API = "/api/v1"
VERSION = f"{API}/models/m/versions/1"


@pytest.fixture
def stored(yard):
    """A yard with version 1 of `m`, which has a file `data/model.bin`."""
    yard.ready("m", source=yard.model_folder(**{"data/model.bin": b"good bytes"}))
    return yard


def digest_of(yard, path):
    listed = yard.call("GET", f"{VERSION}/files")["files"]
    return next(file["sha256"] for file in listed if file["path"] == path)


def spoil(yard, path="data/model.bin"):
    file = yard.runtime.store.root / blob_name(digest_of(yard, path), 0)
    file.chmod(0o644)
    file.write_bytes(b"evil bytes")


def run(yard, route, body=None):
    """Ask for a job, let the worker do it, and return it as it is then."""
    job = yard.call("POST", route, body)["job"]
    yard.work()
    return yard.call("GET", f"{API}/jobs/{job['id']}")["job"]


def metric(yard, name):
    lines = yard.send("GET", "/metrics").get_data(as_text=True).splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def test_one_flipped_byte_is_seen_everywhere_and_repaired_from_the_source(stored):
    spoil(stored)
    assert stored.call("GET", f"{VERSION}/integrity")["condition"] == "INTACT"  # Nobody has looked yet.

    job = run(stored, f"{VERSION}/verify")

    assert "m/1: data/model.bin" in job["status_message"]
    known = stored.call("GET", f"{VERSION}/integrity")
    assert (known["condition"], [file["path"] for file in known["damaged"]]) == ("DAMAGED", ["data/model.bin"])
    assert stored.call("GET", f"{API}/store/damaged") == {"versions": [{"name": "m", "version": 1, "damaged_files": 1}]}
    assert (metric(stored, "modelyard_damaged_blobs"), metric(stored, "modelyard_damaged_versions")) == (1, 1)
    assert stored.version("m")["status_message"].startswith("Damaged: 1 stored file")
    body = {"name": "m", "version": "1", "stage": "Production"}
    assert stored.refused("POST", "model-versions/transition-stage", body) == (400, "INVALID_STATE")

    assert run(stored, f"{VERSION}/repair")["status"] == JobStatus.SUCCEEDED

    assert stored.call("GET", f"{VERSION}/integrity")["condition"] == "INTACT"
    assert metric(stored, "modelyard_damaged_blobs") == 0
    stored.call("POST", "model-versions/transition-stage", body)


def test_damaged_bytes_are_not_handed_out_and_their_neighbours_are(stored):
    spoil(stored)
    run(stored, f"{VERSION}/verify")
    address = stored.call("GET", "model-versions/get-download-uri", name="m", version="1")["artifact_uri"]
    path = address.partition("://")[2].partition("/")[2]

    refusal = stored.send("GET", f"/{path}/data/model.bin")

    assert (refusal.status_code, refusal.get_json()["error_code"]) == (400, "INVALID_STATE")
    assert stored.send("GET", f"/{path}/MLmodel").get_data() == b"flavors: {}\n"


def test_a_damaged_list_of_files_is_said_and_never_shown_as_an_empty_folder(stored):
    manifest = stored.call("GET", f"{VERSION}/files")["manifest_sha256"]
    file = stored.runtime.store.root / blob_name(manifest, 0)
    file.chmod(0o644)
    file.write_bytes(b"x" * file.stat().st_size)
    stored.app.extensions["modelyard"].files._kept.clear()
    address = stored.call("GET", "model-versions/get-download-uri", name="m", version="1")["artifact_uri"]
    root, version = address.partition("://")[2].partition("/")[2].split("/versions/")

    answer = stored.send("GET", f"/{root}", query_string={"path": f"versions/{version}"})

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_STATE")
    assert stored.refused("GET", f"{VERSION}/files") == (400, "INVALID_STATE")
    run(stored, f"{VERSION}/verify")
    damaged = stored.call("GET", f"{VERSION}/integrity")["damaged"]
    assert [(file["path"], file["sha256"]) for file in damaged] == [(None, manifest)]


def test_a_repair_names_what_could_be_repaired_from(stored):
    spoil(stored)
    run(stored, f"{VERSION}/verify")
    for source in ("/etc", "models:/m/1", "s3://bucket/x"):
        assert stored.refused("POST", f"{VERSION}/repair", {"source": source}) == (400, "INVALID_PARAMETER_VALUE")

    elsewhere = stored.model_folder("elsewhere", **{"data/model.bin": b"good bytes"})
    assert run(stored, f"{VERSION}/repair", {"source": str(elsewhere)})["status"] == JobStatus.SUCCEEDED


def test_models_and_the_store_are_verified_by_one_job_each(stored):
    assert run(stored, f"{API}/models/m/verify")["progress"]["items_done"] == 3
    assert run(stored, f"{API}/store/verify")["progress"]["items_done"] == 3


def test_a_collection_says_what_it_freed_and_a_dry_run_what_it_would(open_yard):
    yard = open_yard(grace_hours=0)
    yard.ready("m", source=yard.model_folder(data=b"x" * 5000))
    yard.call("DELETE", "registered-models/delete", {"name": "m"})
    [item] = yard.call("GET", f"{API}/trash")["items"]
    freed = yard.call("GET", f"{API}/trash/{item['id']}/purge")["freed_bytes"]
    run(yard, f"{API}/trash/{item['id']}/purge")

    dry = run(yard, f"{API}/store/collect", {"dry_run": True})
    assert dry["status_message"].startswith("Dry run: 0 bytes in 0 files would be freed now, 5.")
    done = run(yard, f"{API}/store/collect")
    assert (done["progress"]["bytes_done"], done["progress"]["items_done"]) == (freed, 3)
    log = yard.send("GET", f"{API}/jobs/{done['id']}/log").get_data(as_text=True)
    assert "Freed 5." in log


def test_usage_is_told_for_versions_models_and_the_store(stored):
    stored.ready("n", source=stored.model_folder("n", **{"data/model.bin": b"good bytes"}, own=b"x" * 1000))

    version = stored.call("GET", f"{API}/models/n/versions/1/usage")
    model = stored.call("GET", f"{API}/models/n/usage")
    store = stored.call("GET", f"{API}/store/usage")

    assert version == model
    assert (version["stored_files"], version["own_files"], version["shared_bytes"]) == (4, 2, 22)
    assert (store["models"], store["versions"], store["shared_bytes"]) == (2, 2, 22)
    assert store["stored_bytes"] == sum(blob.size_bytes for blob in stored.runtime.store.list_blobs())
    assert (store["trash_bytes"], store["unreferenced_bytes"]) == (0, 0)


def test_files_are_listed_with_their_digests_in_pages(stored):
    pages, token = [], ""
    while True:
        page = stored.call("GET", f"{VERSION}/files", max_results=1, page_token=token)
        pages.append([file["path"] for file in page["files"]])
        token = page.get("next_page_token", "")
        if not token:
            break

    assert pages == [["MLmodel"], ["data/model.bin"]]
    assert (page["file_count"], page["size_bytes"]) == (2, 22)
    stored.ready("n")
    other = stored.call("GET", f"{VERSION}/files", max_results=1)["next_page_token"]
    stored.ready("n", source=stored.model_folder("three", a=b"1", b=b"2"))
    refused = stored.refused("GET", f"{API}/models/n/versions/2/files", max_results=1, page_token=other)
    assert refused == (400, "INVALID_PARAMETER_VALUE")


def test_what_is_registered_by_reference_has_nothing_to_verify(open_yard):
    yard = open_yard(registration="reference")
    yard.register("m", source="/anywhere")

    for route in ("verify", "repair"):
        assert yard.refused("POST", f"{VERSION}/{route}", {"source": "/x"} if route == "repair" else None)[0] == 400
    for route in ("files", "integrity"):
        assert yard.refused("GET", f"{VERSION}/{route}") == (400, "INVALID_STATE")
    assert yard.call("GET", f"{VERSION}/usage")["stored_bytes"] == 0


def test_what_was_registered_by_reference_is_taken_over_into_the_store(open_yard):
    yard = open_yard(registration="reference")
    source = yard.model_folder(**{"data/model.bin": b"good bytes"})
    yard.register("m", source=source)
    assert yard.call("GET", "model-versions/get-download-uri", name="m", version="1")["artifact_uri"] == str(source)

    asked = [yard.call("POST", f"{VERSION}/materialize")["job"]["id"] for _ in range(2)]
    yard.work()

    assert asked[0] == asked[1]
    assert yard.call("GET", f"{API}/jobs/{asked[0]}")["job"]["status"] == JobStatus.SUCCEEDED
    assert [file["path"] for file in yard.call("GET", f"{VERSION}/files")["files"]] == ["MLmodel", "data/model.bin"]
    uri = yard.call("GET", "model-versions/get-download-uri", name="m", version="1")["artifact_uri"]
    assert "/api/2.0/mlflow-artifacts/" in uri
    assert yard.version("m")["source"] == str(source)
    assert yard.refused("POST", f"{VERSION}/materialize") == (400, "INVALID_STATE")


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"source": "/anywhere"}, (400, "INVALID_PARAMETER_VALUE")),
        ({"source": "dummy-source"}, (400, "INVALID_STATE")),
        ({"tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}, (400, "INVALID_STATE")),
    ],
)
def test_what_has_no_files_that_may_be_read_is_not_taken_over(open_yard, fields, refused):
    yard = open_yard(registration="reference")
    yard.register("m", **fields)

    assert yard.refused("POST", f"{VERSION}/materialize") == refused
    assert yard.jobs() == []
