"""A store storm: processes that register, delete, restore, purge and collect at once, or are killed at random moments.

Afterwards no READY version lacks a byte, no blob is partial or misnamed, nothing is left in the staging area, and every
byte that nobody refers to is gone.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.store_chaos.deeds import make_models
from tests.store_chaos.house import StormHouse, write_sources
from tests.store_chaos.verdict import Verdict, judge, settle

ROOT = Path(__file__).parents[2]
LATE_S = 90
LONGEST_LIFE_S = 1.5
TICK_S = 0.005


@dataclass
class Outcome:
    """What a storm came to: deeds that its processes counted, how many were killed, and the verdict."""

    deeds: Counter[str]
    kills: int
    verdict: Verdict


def race(
    url: str,
    folder: Path,
    *,
    seconds: float,
    processes: int = 5,
    how: str = "as-it-is",
    seed: int = 1,
    store_url: str = "",
) -> Outcome:
    """Let processes do their deeds at once for some seconds; `store_url` names a bucket in the place of a folder."""
    house = _open(url, folder, store_url)
    children = [_start(house, seed * 100 + number, seconds, how) for number in range(processes)]
    deeds: Counter[str] = Counter()
    try:
        for child in children:
            told, errors = child.communicate(timeout=seconds + LATE_S)
            if child.returncode:
                raise AssertionError(f"a process of the storm failed:\n{errors.decode()[-3000:]}")
            deeds += Counter(json.loads(told.splitlines()[-1]))
    finally:
        for child in children:
            _kill(child)
    return _close(house, deeds, kills=0)


def crashes(url: str, folder: Path, *, kills: int, processes: int = 2, seed: int = 1, store_url: str = "") -> Outcome:
    """Kill processes with -9 in the middle of their deeds, so many times."""
    house = _open(url, folder, store_url)
    rng = random.Random(seed)
    due_s = {number: rng.uniform(0.0, LONGEST_LIFE_S) for number in range(kills)}
    waiting = list(due_s)
    running: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                number = waiting.pop(0)
                child = _start(house, seed * 1000 + number, 3600, "as-it-is")
                _wait_for_first_deed(child)
                running[number] = (child, time.monotonic() + due_s[number])
            for number, (child, end_s) in list(running.items()):
                _require_alive(child)
                if time.monotonic() >= end_s:
                    _kill(child)
                    del running[number]
            time.sleep(TICK_S)
    finally:
        for child, _ in running.values():
            _kill(child)
    return _close(house, Counter(), kills=kills)


def _wait_for_first_deed(child: subprocess.Popen[bytes]) -> None:
    assert child.stdout is not None
    child.stdout.readline()


def _require_alive(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        _, errors = child.communicate()
        raise AssertionError(f"a process of the storm ended by itself:\n{errors.decode()[-3000:]}")


def _kill(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()


def _open(url: str, folder: Path, store_url: str) -> StormHouse:
    write_sources(folder)
    house = StormHouse(url, folder, store_url)
    make_models(house)
    return house


def _close(house: StormHouse, deeds: Counter[str], *, kills: int) -> Outcome:
    try:
        settle(house)
        return Outcome(deeds, kills, judge(house))
    finally:
        house.close()


def _start(house: StormHouse, seed: int, seconds: float, how: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.store_chaos.child", house.url, str(house.folder), house.store_url]
    command += [str(seed), str(seconds), how]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
