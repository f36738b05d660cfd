"""What trees of processes cost: memory and processor time, from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Places behind the name in /proc/PID/stat: utime, stime and the same of children that were waited for.
_TIMES = slice(11, 15)


def children_of(pid: int) -> list[int]:
    """Return the pids of the direct children of `pid`, none when it is gone."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def tree_of(pid: int) -> Iterator[int]:
    """Yield `pid` and the pids of everything below it."""
    yield pid
    for child in children_of(pid):
        yield from tree_of(child)


def name_of(pid: int) -> str:
    """Return the end of a process's command line, "?" when it is gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return b" ".join(word for word in words if word)[-60:].decode(errors="replace") or "?"
    except FileNotFoundError:
        return "?"


def tree_pss_mib(pid: int) -> dict[str, float]:
    """Return process -> proportional set size in MiB, for `pid` and everything below it."""
    return {f"{name_of(each)} ({each})": _pss_mib(each) for each in tree_of(pid)}


def tree_cpu_s(pid: int) -> float:
    """Return the processor seconds that `pid`, everything below it and its dead have used."""
    ticks = 0
    for each in tree_of(pid):
        try:
            behind_name = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += sum(int(value) for value in behind_name[_TIMES])
    return ticks / _TICKS


def _pss_mib(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0.0
