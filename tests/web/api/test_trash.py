"""The trash over HTTP: deleted, listed, restored, purged."""

from modelyard.rules.jobs import JobKind, JobStatus

API = "/api/v1"


def delete_model(yard, name="m"):
    yard.call("DELETE", "registered-models/delete", {"name": name})


def items(yard, **query):
    return yard.call("GET", f"{API}/trash", **query)["items"]


def test_a_deleted_model_can_be_brought_back_with_all_of_its_bytes(yard):
    yard.ready("m", source=yard.model_folder(data=b"bytes"))
    delete_model(yard)
    [item] = items(yard)
    assert (item["name"], item["version"], item["versions"], item["size_bytes"]) == ("m", None, 1, 17)
    assert item["purge_at_ms"] - item["deleted_at_ms"] == 7 * 24 * 3600 * 1000

    assert yard.call("POST", f"{API}/trash/{item['id']}/restore") == {"name": "m", "version": None}

    assert yard.version("m")["status"] == "READY"
    assert items(yard) == []


def test_a_name_taken_meanwhile_is_said_and_another_is_taken(yard):
    yard.ready("m")
    delete_model(yard)
    yard.call("POST", "registered-models/create", {"name": "m"})
    [item] = items(yard)

    refusal = yard.send("POST", f"{API}/trash/{item['id']}/restore")
    assert (refusal.status_code, refusal.get_json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert "Restore as another one" in refusal.get_json()["message"]

    restored = yard.call("POST", f"{API}/trash/{item['id']}/restore", {"name": "m-old"})
    assert restored == {"name": "m-old", "version": None}


def test_a_version_comes_back_alone(yard):
    yard.ready("m")
    yard.call("DELETE", "model-versions/delete", {"name": "m", "version": "1"})
    [item] = items(yard)

    assert yard.call("POST", f"{API}/trash/{item['id']}/restore") == {"name": "m", "version": 1}
    assert yard.version("m")["version"] == "1"


def test_a_purge_is_foreseen_then_done_and_cannot_be_undone(yard):
    yard.ready("m", source=yard.model_folder(data=b"bytes"))
    delete_model(yard)
    [item] = items(yard)

    outlook = yard.call("GET", f"{API}/trash/{item['id']}/purge")
    assert (outlook["freed_files"], outlook["freed_bytes"]) == (3, outlook["stored_bytes"])

    job = yard.call("POST", f"{API}/trash/{item['id']}/purge")["job"]
    assert (job["kind"], job["model"]) == ("purge_model", "m")
    assert yard.work() == [JobStatus.SUCCEEDED]
    done = yard.call("GET", f"{API}/jobs/{job['id']}")["job"]
    assert done["progress"]["bytes_done"] == outlook["freed_bytes"]
    assert done["status_message"].startswith("Purged 1 version:")
    assert yard.refused("POST", f"{API}/trash/{item['id']}/restore") == (404, "RESOURCE_DOES_NOT_EXIST")


def test_where_nothing_is_kept_a_delete_purges(open_yard):
    yard = open_yard(trash_days=0, grace_hours=0)
    yard.ready("m", source=yard.model_folder(data=b"bytes"))

    delete_model(yard)
    yard.work()
    yard.call("POST", f"{API}/store/collect")
    yard.work()

    assert items(yard) == []
    assert list(yard.runtime.store.list_blobs()) == []


def test_the_trash_comes_in_pages_and_refuses_other_tokens(yard):
    for name in ("a", "b", "c"):
        yard.call("POST", "registered-models/create", {"name": name})
        delete_model(yard, name)

    first = yard.call("GET", f"{API}/trash", max_results=2)
    second = yard.call("GET", f"{API}/trash", max_results=2, page_token=first["next_page_token"])

    assert {item["name"] for item in first["items"] + second["items"]} == {"a", "b", "c"}
    assert "next_page_token" not in second
    assert yard.refused("GET", f"{API}/trash", page_token="e30.x") == (400, "INVALID_PARAMETER_VALUE")


def test_a_purge_is_not_cancelled_half_way(yard):
    yard.ready("m")
    delete_model(yard)
    job = yard.call("POST", f"{API}/trash/{items(yard)[0]['id']}/purge")["job"]

    assert yard.refused("POST", f"{API}/jobs/{job['id']}/cancel") == (400, "INVALID_STATE")
    assert job["kind"] == JobKind.PURGE_MODEL
