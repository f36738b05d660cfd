"""A whole system whose store is a bucket, and whose sources are: children that were lost come back and go on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from modelyard.rules.buckets import BucketFolder
from modelyard.storage.cloud.bucket import Bucket
from tests.servers import SeaweedFS
from tests.systems import System
from tests.waiting import wait_until

CONTENT = bytes(range(256)) * 30_000


@pytest.fixture
def source(s3: SeaweedFS) -> BucketFolder:
    """A model in the bucket `models`."""
    folder = BucketFolder("s3", "models", f"tests/{uuid4().hex}")
    for name, content in {"MLmodel": b"flavors: {}\n", "weights": CONTENT}.items():
        Bucket(folder).put(folder.key(name), content)
    return folder


def register(system: System, source: object) -> dict[str, Any]:
    body = {"name": "m", "source": str(source)}
    version: dict[str, Any] = system.call("POST", "model-versions/create", body)["model_version"]
    return version


def is_ready(system: System, version: dict[str, Any]) -> bool:
    found = system.call("GET", "model-versions/get", name="m", version=version["version"])["model_version"]
    assert found["status"] != "FAILED_REGISTRATION", found["status_message"]
    return bool(found["status"] == "READY")


def download(system: System, version: dict[str, Any], path: str) -> bytes:
    uri = system.call("GET", "model-versions/get-download-uri", name="m", version=version["version"])["artifact_uri"]
    return system.request("GET", f"{uri.removeprefix(system.url)}/{path}").data


def test_models_go_from_bucket_to_bucket_also_after_every_child_was_killed(
    start_system: Callable[..., System], s3: SeaweedFS, source: BucketFolder
) -> None:
    system = start_system(
        variables=s3.environment,
        store_url=f"s3://store/tests/{uuid4().hex}",
        source_buckets="s3://models/tests",
        lease_s=2,
        sweep_s=0.5,
    )
    system.call("POST", "registered-models/create", {"name": "m"})
    first = register(system, source)
    wait_until(lambda: is_ready(system, first), within_s=60, what="the first version")
    assert download(system, first, "weights") == CONTENT

    for child in pool_children(system):
        child.kill()
    second = register(system, source)

    wait_until(lambda: is_ready(system, second), within_s=60, what="a version copied by a new child")
    assert download(system, second, "weights") == CONTENT


def pool_children(system: System) -> list[psutil.Process]:
    """Return the children of the system's parts, which are those of the worker's pool."""
    assert system.process is not None
    supervisor = psutil.Process(system.process.pid)
    found = [child for child in supervisor.children(recursive=True) if child.ppid() != supervisor.pid]
    assert found
    return found


def test_a_bucket_that_cannot_be_used_is_one_line(tmp_path: Path, s3: SeaweedFS) -> None:
    wrong = s3.environment | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    system = System(tmp_path, variables=wrong, store_url="s3://store/x")

    with pytest.raises(AssertionError, match=r"modelyard: The store s3://store/x cannot be used\. .*403"):
        system.start()
