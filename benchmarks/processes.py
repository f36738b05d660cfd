"""What the processes of `modelyard up` cost and how they come back: start, memory, kill -9 of each part."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import urllib3

from benchmarks.figures import print_rows
from benchmarks.registration import small_model
from benchmarks.trees import children_of, name_of, tree_pss_mib
from tests.systems import System
from tests.waiting import wait_until

STARTS = 5
LOAD_CALLS = 300


def main() -> None:
    """Measure on SQLite and the embedded broker, the process model of a newcomer."""
    starts = [_measure_start() for _ in range(STARTS)]
    print_rows(
        "`modelyard up` until /readyz answers 200 (a new home each time, its schema included)",
        ["median s", "min s", "max s"],
        [[f"{figure:.2f}" for figure in (sorted(starts)[STARTS // 2], min(starts), max(starts))]],
    )
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
        system = _system(Path(folder))
        system.start()
        try:
            _print_memory(system, Path(folder))
            _print_returns(system)
        finally:
            system.kill()
            _wait_for_nothing(system)


def _system(folder: Path) -> System:
    return System(folder, source_roots=folder / "sources", log_level="warning")


def _measure_start() -> float:
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
        system = _system(Path(folder))
        began_s = time.perf_counter()
        system.start()
        taken_s = time.perf_counter() - began_s
        system.stop()
    return taken_s


def _print_memory(system: System, folder: Path) -> None:
    assert system.process is not None
    idle = tree_pss_mib(system.process.pid)
    source = small_model(folder / "sources")
    system.call("POST", "registered-models/create", {"name": "load"})
    for _ in range(LOAD_CALLS):
        system.call("POST", "model-versions/create", {"name": "load", "source": str(source)})
        system.call("GET", "registered-models/get", name="load")
    loaded = tree_pss_mib(system.process.pid)
    rows = [[name, f"{idle.get(name, 0):.0f}", f"{loaded[name]:.0f}"] for name in loaded]
    rows.append(["all", f"{sum(idle.values()):.0f}", f"{sum(loaded.values()):.0f}"])
    print_rows(f"PSS in MiB, idle and after {LOAD_CALLS} registrations", ["process", "idle", "after"], rows)


def _print_returns(system: System) -> None:
    assert system.process is not None
    rows = []
    for pid in children_of(system.process.pid):
        name = name_of(pid)
        before = set(children_of(system.process.pid))
        began_s = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        wait_until(_replaced(system.process.pid, pid, len(before)), within_s=20, what=f"{name} again")
        back_s = time.perf_counter() - began_s
        wait_until(lambda: _is_ready(system), within_s=20, what="/readyz")
        rows.append([name, f"{back_s:.2f}"])
    print_rows("killed with -9: seconds until the supervisor had another", ["part", "s"], rows)


def _is_ready(system: System) -> bool:
    try:
        return system.request("GET", "/readyz").status == 200
    except urllib3.exceptions.HTTPError:
        # The connection that was kept alive belonged to the child that is gone.
        return False


def _replaced(supervisor: int, killed: int, count: int) -> Callable[[], bool]:
    return lambda: killed not in (found := children_of(supervisor)) and len(found) == count


def _wait_for_nothing(system: System) -> None:
    began_s = time.perf_counter()
    wait_until(lambda: not _of_home(str(system.home)), within_s=20, what="nothing left of a killed supervisor")
    print(f"supervisor killed with -9: nothing left after {time.perf_counter() - began_s:.2f} s")


def _of_home(home: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if home in (entry / "environ").read_text(errors="replace") and name_of(int(entry.name)) != "?":
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


if __name__ == "__main__":
    main()
