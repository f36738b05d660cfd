"""Workers that are killed or stopped in the middle of a copy: another takes over, and no byte is wrong."""

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from modelyard.database.engine import create_engine
from modelyard.database.session import autocommit
from modelyard.jobs.guards import jobs
from tests.systems import System
from tests.waiting import wait_until

MIB = 1 << 20
LEASE_S, SWEEP_S = 2, 0.5


class Copying:
    """A system in the middle of one large registration."""

    def __init__(self, system: System, size_mib: int) -> None:
        self.system = system
        self.engine = create_engine(f"sqlite:///{system.home / 'modelyard.db'}")
        self.folder = system.folder / "sources" / "big"
        self.digest = write_model(self.folder, size_mib)
        system.call("POST", "registered-models/create", {"name": "big"})
        system.call("POST", "model-versions/create", {"name": "big", "source": str(self.folder)})
        self.pid = self.wait_for_bytes()

    def wait_for_bytes(self) -> int:
        """Wait until some of the bytes are staged; return the pid of the child that copies."""

        def staged() -> bool:
            return any(path.stat().st_size > 16 * MIB for path in self.system.home.glob("store/ingest/*/*"))

        wait_until(staged, within_s=20, what="a copy under way")
        return self.owner()

    def owner(self) -> int:
        """Return the pid that runs the job, 0 when nobody does."""
        with autocommit(self.engine) as connection:
            worker = connection.scalar(select(jobs.c.worker))
        return int(worker.split(":")[1]) if worker else 0

    def job(self) -> object:
        """Return the job's row."""
        with autocommit(self.engine) as connection:
            return connection.execute(select(jobs)).one()

    def status(self) -> str:
        """Return the version's status as a client sees it."""
        answer = self.system.call("GET", "model-versions/get", name="big", version="1")
        return str(answer["model_version"]["status"])

    def wait_until_ready(self) -> float:
        """Wait for READY; return how many seconds that took."""
        began_s = time.monotonic()
        wait_until(lambda: self.status() == "READY", within_s=60, what="READY")
        return time.monotonic() - began_s

    def stored_digest(self) -> str:
        """Return the SHA-256 of the large file as a client downloads it."""
        uri = self.system.call("GET", "model-versions/get-download-uri", name="big", version="1")["artifact_uri"]
        answer = self.system.request("GET", uri.removeprefix(self.system.url) + "/weights.bin")
        assert answer.status == 200
        return hashlib.sha256(answer.data).hexdigest()


def write_model(folder: Path, size_mib: int) -> str:
    """Write a model folder with one file of `size_mib` and return that file's SHA-256."""
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    digest = hashlib.sha256()
    with (folder / "weights.bin").open("wb") as file:
        for number in range(size_mib):
            piece = os.urandom(MIB // 2) + number.to_bytes(8, "big") * (MIB // 16)
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


@pytest.fixture(params=[pytest.param(256, id="256 MiB"), pytest.param(1024, id="1 GiB", marks=pytest.mark.more)])
def copying(request, start_system, tmp_path) -> Iterator[Copying]:
    system = start_system(
        source_roots=tmp_path / "system-0" / "sources", lease_s=LEASE_S, sweep_s=SWEEP_S, create_wait_s=0
    )
    copying = Copying(system, request.param)
    yield copying
    copying.engine.dispose()


def test_a_killed_worker_s_copy_is_finished_by_another(copying, record_property):
    os.kill(copying.pid, signal.SIGKILL)

    record_property("kill_to_ready_s", round(copying.wait_until_ready(), 2))

    # On a disk that makes commits wait for seconds a later attempt may lose so short a lease, too.
    assert copying.job().attempt >= 2
    assert copying.stored_digest() == copying.digest
    wait_until(lambda: not list(copying.system.home.glob("store/ingest/*")), within_s=30, what="an empty staging area")


def test_a_worker_asked_to_stop_gives_its_copy_back_at_once(copying, record_property):
    main = int(Path(f"/proc/{copying.pid}/stat").read_text().rsplit(") ", 1)[1].split()[1])
    os.kill(main, signal.SIGTERM)

    record_property("term_to_ready_s", round(copying.wait_until_ready(), 2))

    assert copying.job().releases >= 1
    assert copying.stored_digest() == copying.digest
    assert list(copying.system.home.glob("store/ingest/*")) == []


@pytest.mark.more
def test_a_worker_that_hung_longer_than_its_lease_changes_nothing(copying):
    os.kill(copying.pid, signal.SIGSTOP)
    try:
        copying.wait_until_ready()
    finally:
        # A sweep may have ended it first, where the second copy took longer than another lease.
        with contextlib.suppress(ProcessLookupError):
            os.kill(copying.pid, signal.SIGCONT)
    wait_until(lambda: not list(copying.system.home.glob("store/ingest/*")), within_s=20, what="the zombie's end")

    assert copying.job().attempt >= 2
    assert copying.status() == "READY"
    assert copying.stored_digest() == copying.digest


def test_a_worker_that_hangs_for_ever_is_ended(copying):
    os.kill(copying.pid, signal.SIGSTOP)
    copying.wait_until_ready()

    wait_until(lambda: not Path(f"/proc/{copying.pid}").exists(), within_s=20, what="the end of the zombie")
    assert copying.stored_digest() == copying.digest
