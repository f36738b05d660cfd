"""The native API and the metrics of a system that runs."""

import json
from typing import Any

from tests.systems import System
from tests.waiting import wait_until


def ask(system: System, path: str) -> Any:
    """Return the JSON that a path answers."""
    answer = system.request("GET", path)
    assert answer.status == 200, answer.data
    return json.loads(answer.data)


def test_a_job_tells_which_of_the_workers_did_it(start_system, tmp_path):
    folder = tmp_path / "sources" / "model"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    system = start_system(source_roots=tmp_path / "sources", sweep_s=0.5)
    system.call("POST", "registered-models/create", {"name": "m"})
    system.call("POST", "model-versions/create", {"name": "m", "source": str(folder)})

    (job,) = wait_until(lambda: ask(system, "/api/v1/jobs?model=m&status=SUCCEEDED")["jobs"], what="the registration")

    host, child, main, _ = job["worker"].split(":")
    (worker,) = [worker for worker in ask(system, "/api/v1/workers")["workers"] if worker["name"] == f"{host}:{main}"]
    assert (worker["alive"], worker["running"], str(worker["pid"])) == (True, [], main)
    assert "copy" in worker["queues"]
    assert child != main
    assert all(queue["depth"] == 0 for queue in ask(system, "/api/v1/queues")["queues"])
    assert 'modelyard_job_attempts_total{kind="register_version",outcome="SUCCEEDED"} 1.0' in metrics(system)
    # Counted beside the outcome, not with it.
    copied = 'modelyard_copied_bytes_total{kind="register_version"} 12.0'
    wait_until(lambda: copied in metrics(system), what="copied bytes")
    wait_until(lambda: "modelyard_sweeps_total 0.0" not in metrics(system), what="a sweep")


def metrics(system: System) -> list[str]:
    """Return the lines of /metrics."""
    return system.request("GET", "/metrics").data.decode().splitlines()
