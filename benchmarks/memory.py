"""How much memory the processes of a running system take: now, and at their peak since somebody asked."""

from pathlib import Path

import psutil

from tests.systems import System

KIB, MIB = 1 << 10, 1 << 20


def processes_of(system: System, part: str) -> list[psutil.Process]:
    """Return the processes of a part: the pool's children of the worker, or the web processes."""
    assert system.process is not None
    supervisor = psutil.Process(system.process.pid)
    direct = supervisor.children()
    if part == "worker":
        return [child for process in direct for child in process.children()]
    return [process for process in direct if not process.children()]


def start_peaks(system: System) -> dict[int, int]:
    """Let the kernel count each process's peak of memory from now on; return pid -> bytes now."""
    everybody = processes_of(system, "worker") + processes_of(system, "web")
    for process in everybody:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return {process.pid: process.memory_info().rss for process in everybody}


def grown(system: System, before: dict[int, int], part: str) -> list[str]:
    """Return the memory of the process of a part that grew most: before, at its peak, and the difference, in MiB."""
    peaks = {}
    for process in processes_of(system, part):
        status = Path(f"/proc/{process.pid}/status").read_text()
        peaks[process.pid] = int(status.partition("VmHWM:")[2].split()[0]) * KIB
    most = max(peaks, key=lambda pid: peaks[pid] - before[pid])
    figures = (before[most], peaks[most], peaks[most] - before[most])
    return [f"{figure / MIB:.0f}" for figure in figures]


def used_bytes(folder: Path) -> int:
    """Return what the files of a folder take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
