"""The requests of mlflow 1.7.2, which runs on no Python of today, sent once more and understood as they were then."""

import json
from pathlib import Path
from typing import Any

import urllib3

from tests.systems import System
from tests.waiting import wait_until

RECORDING = Path(__file__).with_name("recordings") / "mlflow-1.7.2.json"
# Other in every run; the status in the answer to a create may be either.
VARYING = ("creation_timestamp", "last_updated_timestamp")
VARYING_AFTER_CREATE = ("status", "status_message")


def test_mlflow_1_7_is_answered_as_it_was_when_its_requests_were_recorded(system: System) -> None:
    source = system.folder / "sources" / "old"
    source.mkdir()
    (source / "MLmodel").write_text("flavors: {}\n")
    exchanges = json.loads(RECORDING.read_text().replace("{source}", str(source)).replace("{url}", system.url))

    with urllib3.PoolManager(retries=False) as http:
        for asked in exchanges:
            url = system.url + asked["target"]
            answer = http.request(asked["method"], url, headers=asked["headers"], body=asked["body"])

            assert complaints(asked, answer) == []
            if asked["target"].endswith("/model-versions/create"):
                wait_until_ready(system, json.loads(answer.data)["model_version"])


def complaints(asked: dict[str, Any], answer: urllib3.BaseHTTPResponse) -> list[str]:
    """Return what the old client would not have made of this answer what it made of the recorded one."""
    what, document = f"{asked['method']} {asked['target']}", json.loads(answer.data)
    if "error_code" in asked:
        is_same = document["error_code"] == asked["error_code"] and 400 <= answer.status < 500
        return [] if is_same else [f"{what}: {answer.status} {document}"]
    if answer.status != 200:
        return [f"{what}: {answer.status} {document}"]
    varying = (*VARYING, *VARYING_AFTER_CREATE) if asked["target"].endswith("/create") else VARYING
    return [f"{what}: {fault}" for fault in lacking(asked["understood"], document, varying)]


def lacking(understood: Any, document: Any, varying: tuple[str, ...], path: str = "") -> list[str]:
    """Return what was understood then and is not said now; whatever is said besides does not matter."""
    if isinstance(understood, dict) and isinstance(document, dict):
        kept = [key for key in understood if key not in varying]
        return [f for key in kept for f in lacking(understood[key], document.get(key), varying, f"{path}.{key}")]
    if isinstance(understood, list) and isinstance(document, list) and len(understood) == len(document):
        return [f for pair in zip(understood, document, strict=True) for f in lacking(*pair, varying, path)]
    if path.endswith(".artifact_uri"):
        # It ends with the version's id.
        understood, document = (str(uri).rpartition("/")[0] for uri in (understood, document))
    return [] if understood == document else [f"{path} was {understood!r} and is {document!r}"]


def wait_until_ready(system: System, version: dict[str, Any]) -> None:
    def is_ready() -> bool:
        found = system.call("GET", "model-versions/get", name=version["name"], version=version["version"])
        return bool(found["model_version"]["status"] == "READY")

    wait_until(is_ready, what="READY")
