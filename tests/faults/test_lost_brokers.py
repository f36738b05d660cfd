"""A broker that forgets, stops or hangs while clients register: what was acknowledged becomes READY all the same."""

import threading
import time
from collections.abc import Callable

import pytest

from tests.servers import Valkey
from tests.systems import System
from tests.waiting import wait_until

VERSIONS = 12
# One try of a second, and what the rest of a create takes on a busy machine.
SLOWEST_ANSWER_S = 5


class Registering:
    """A client that creates versions one after another, and remembers what was acknowledged."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.acknowledged: list[str] = []
        self.slowest_s = 0.0
        system.call("POST", "registered-models/create", {"name": "m"})

    def create(self, count: int) -> None:
        """Create `count` versions from one small folder."""
        for _ in range(count):
            began_s = time.monotonic()
            body = {"name": "m", "source": str(self.system.folder / "sources" / "small")}
            answer = self.system.call("POST", "model-versions/create", body)
            self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
            self.acknowledged.append(answer["model_version"]["version"])

    def statuses(self) -> set[str]:
        """Return the statuses of everything that was acknowledged."""
        found = self.system.call("GET", "model-versions/search", filter="name='m'")["model_versions"]
        assert sorted(v["version"] for v in found) == sorted(self.acknowledged)
        return {version["status"] for version in found}


@pytest.fixture
def registering(valkey: Valkey, start_system: Callable[..., System], tmp_path) -> Registering:
    small = tmp_path / "system-0" / "sources" / "small"
    small.mkdir(parents=True)
    (small / "MLmodel").write_text("flavors: {}\n")
    system = start_system(source_roots=small.parent, broker_url=valkey.url, sweep_s=1, create_wait_s=0)
    return Registering(system)


def forget(valkey: Valkey) -> None:
    """FLUSHALL, again and again, while the registrations run."""
    for _ in range(20):
        valkey.flush()


def stop_and_start(valkey: Valkey) -> None:
    """Be away for a moment."""
    valkey.kill()
    valkey.start()


@pytest.mark.parametrize("fault", [forget, stop_and_start])
def test_every_acknowledged_version_becomes_ready(registering, valkey, fault, record_property):
    registering.create(2)
    # The trouble stays in this thread: a server that another thread started would end with that thread.
    client = threading.Thread(target=registering.create, args=[VERSIONS])
    client.start()
    fault(valkey)
    client.join()

    wait_until(lambda: registering.statuses() == {"READY"}, within_s=40, what="READY everywhere")
    record_property("slowest_answer_s", round(registering.slowest_s, 3))


@pytest.mark.parametrize("fault", ["hangs", "is gone"])
def test_a_broker_that_does_not_answer_refuses_nobody(registering, valkey, fault, record_property):
    registering.create(1)
    valkey.freeze() if fault == "hangs" else valkey.kill()
    registering.create(VERSIONS)
    assert registering.slowest_s < SLOWEST_ANSWER_S
    valkey.thaw() if fault == "hangs" else valkey.start()

    wait_until(lambda: registering.statuses() == {"READY"}, within_s=60, what="READY everywhere")
    record_property("slowest_answer_s", round(registering.slowest_s, 3))
