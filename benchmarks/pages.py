"""What pages cost: their bytes, requests and time at 10,000 versions and 500 jobs; hundreds of open tabs that poll.

A whole system for each database, PostgreSQL as one that waits for its disk. The tabs do what `app.js` does: each asks
for the live region of its page as often as the region says, and takes over what comes back.
"""

import argparse
import heapq
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from html import unescape

import urllib3
from sqlalchemy import Engine, insert, text, update

from benchmarks.archival import DATABASES, house, write_model
from benchmarks.figures import percentile, print_rows
from benchmarks.names import BIG, model_name
from benchmarks.seeding import Data, seed_modelyard
from benchmarks.trees import tree_cpu_s
from modelyard.database.clock import now_ms
from modelyard.database.session import transaction
from modelyard.database.tables import metadata
from tests.systems import System

VERSIONS, HUGE = 10_000, "huge"
JOBS = 500
# Each of some connections prepares a statement when it has seen it a few times.
WARM_UP, LOOKS = 40, 60
BUDGET = "100 kB, 10 requests, 15 ms"
# What people leave open: mostly lists and the model they work on.
OPEN_TABS = (
    ("/models", 40),
    (f"/models/{HUGE}", 25),
    (f"/models/{BIG}", 10),
    (f"/models/{HUGE}/versions/{VERSIONS}", 10),
    ("/jobs", 15),
)
DRIVERS = 16

jobs = metadata.tables["jobs"]
_LIVE = re.compile(r'data-live="([\d.]+)" hx-get="([^"]+)"')
_ASSET = re.compile(r'(?:href|src|hx-get)="(/static/[^"#]+)')


def main() -> None:
    """Measure what was asked for, and print a table for each part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--database", choices=DATABASES, action="append", help="only these (both)")
    parser.add_argument("--part", choices=["weigh", "tabs"], action="append", help="only these (both)")
    parser.add_argument("--tabs", type=int, default=500, help="open tabs (500)")
    parser.add_argument("--seconds", type=float, default=60, help="how long they stay open (60)")
    asked = parser.parse_args()
    for database in asked.database or DATABASES:
        with house(database, fill) as (system, engine):
            if "weigh" in (asked.part or ["weigh"]):
                header = ["page", "html, kB", "first load, kB", "requests", "p50 ms", "p95 ms", "unchanged poll, ms"]
                print_rows(f"pages, {database} (budget {BUDGET})", header, [_weigh(system, path) for path in _paths()])
            if "tabs" in (asked.part or ["tabs"]):
                for what, moving in ((" and 500 moving jobs", True), ("", False)):
                    if not moving:
                        _end_jobs(engine)
                    rows = _poll(system, engine, asked.tabs, asked.seconds, moving=moving)
                    title = f"{asked.tabs} open tabs, one change a second{what}, {database}"
                    print_rows(title, ["what", "figure"], rows)


def fill(engine: Engine) -> None:
    """Fill a registry, and keep its workers busy for ever: so many jobs wait or move."""
    seed_modelyard(engine, Data.of(VERSIONS))
    write_model(engine, HUGE, VERSIONS)
    _write_jobs(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _write_jobs(engine: Engine) -> None:
    """Write running jobs of another machine, whose leases last as long as this."""
    row = {
        "kind": "verify_version",
        "queue": "copy",
        "status": "RUNNING",
        "arguments": {},
        "requested_by": "ann",
        "attempt": 1,
        "worker": "elsewhere:1:1:x",
        "max_attempts": 5,
        "items_total": 1000,
        "bytes_total": 10**9,
    }
    moments = {"started_at_ms": now_ms(), "wake_at_ms": now_ms(), "lease_until_ms": now_ms() + 25_000}
    with transaction(engine) as session:
        for _ in range(JOBS):
            session.execute(insert(jobs).values(row | moments))


def move_jobs(engine: Engine) -> None:
    """Move each job on by a thousandth, as 500 heartbeats do."""
    with transaction(engine) as session:
        moved = {"items_done": jobs.c.items_done + 1, "bytes_done": jobs.c.bytes_done + 10**6}
        session.execute(
            update(jobs).where(jobs.c.worker == "elsewhere:1:1:x").values(moved | {"lease_until_ms": now_ms() + 25_000})
        )


def _end_jobs(engine: Engine) -> None:
    with transaction(engine) as session:
        over = {"status": "SUCCEEDED", "lease_until_ms": None, "finished_at_ms": now_ms()}
        session.execute(update(jobs).where(jobs.c.worker == "elsewhere:1:1:x").values(over))


def _paths() -> list[str]:
    model, version = f"/models/{HUGE}", f"/models/{HUGE}/versions/{VERSIONS}"
    pages = ["/models", "/models?q=model", f"/models/{model_name(0)}", f"/models/{BIG}", model, version]
    pages += [f"{version}/jobs", f"{model}/compare?v=1&v=2", "/jobs", "/requests", "/workers", "/schedules"]
    return [*pages, "/audit", "/trash", "/register"]


def _weigh(system: System, path: str) -> list[str]:
    """Return a page's row: what a first visit costs, what the server takes for it, and for a poll without news."""
    http = urllib3.HTTPConnectionPool("127.0.0.1", system.port, maxsize=1)
    html, weight = _fetch(http, path)
    assets = sorted(set(_ASSET.findall(html)))
    first = weight + sum(_fetch(http, asset)[1] for asset in assets)
    for _ in range(WARM_UP):
        _timed(http, path)
    spans = sorted(_timed(http, path) for _ in range(LOOKS))
    poll = "—"
    if live := _LIVE.search(html):
        address = unescape(live[2])
        poll = f"{percentile([_timed(http, address) for _ in range(LOOKS)], 0.5):.1f}"
    figures = [weight / 1000, first / 1000, 1 + len(assets), percentile(spans, 0.5), percentile(spans, 0.95)]
    return [path, *(f"{figure:.1f}".removesuffix(".0") for figure in figures), poll]


def _fetch(http: urllib3.HTTPConnectionPool, path: str) -> tuple[str, int]:
    """Return a text and how many bytes it took on the wire."""
    headers = {"Accept-Encoding": "gzip", "Accept": "text/html"}
    answer = http.request("GET", path, headers=headers, preload_content=False)
    assert answer.status == 200, f"{path}: {answer.status}"
    raw = answer.read(decode_content=False)
    text = urllib3.response.GzipDecoder().decompress(raw) if answer.headers.get("Content-Encoding") == "gzip" else raw
    return text.decode(errors="replace"), len(raw)


def _timed(http: urllib3.HTTPConnectionPool, path: str) -> float:
    """Return how many milliseconds an answer took."""
    began_s = time.perf_counter()
    answer = http.request("GET", path, headers={"Accept": "text/html"})
    assert answer.status in (200, 204), f"{path}: {answer.status}"
    return 1000 * (time.perf_counter() - began_s)


@dataclass(order=True)
class _Tab:
    """An open page: when its region asks next, how often it does, and where."""

    due_s: float
    every_s: float = field(compare=False)
    address: str = field(compare=False)


@dataclass
class _Polls:
    """What all tabs saw: statuses, seconds for an answer, seconds by which it was asked too late."""

    statuses: Counter[int] = field(default_factory=Counter)
    taken_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    wire_bytes: int = 0


def _poll(system: System, engine: Engine, tabs: int, seconds: float, *, moving: bool) -> list[list[str]]:
    assert system.process is not None
    http = urllib3.HTTPConnectionPool("127.0.0.1", system.port, maxsize=1)
    shares = [path for path, share in OPEN_TABS for _ in range(share)]
    regions = {path: _LIVE.search(_fetch(http, path)[0]) for path, _ in OPEN_TABS}
    lacking = [path for path, found in regions.items() if found is None]
    assert not lacking, f"no live region on {lacking}"
    now_s = time.monotonic()
    queue: list[_Tab] = []
    for number in range(tabs):
        found = regions[shares[number * len(shares) // tabs]]
        assert found is not None
        every_s = float(found[1])
        queue.append(_Tab(now_s + every_s * (number % 97) / 97, every_s, unescape(found[2])))
    heapq.heapify(queue)
    lock, polls = threading.Lock(), _Polls()
    end_s = now_s + seconds
    drivers = [threading.Thread(target=_drive, args=[system.port, queue, lock, polls, end_s]) for _ in range(DRIVERS)]
    before_s = tree_cpu_s(system.process.pid)
    for driver in drivers:
        driver.start()
    changes = 0
    while time.monotonic() < end_s:
        change = {"name": model_name(changes), "description": f"Changed {changes} times."}
        system.call("PATCH", "registered-models/update", change)
        if moving:
            move_jobs(engine)
        changes += 1
        time.sleep(max(0.0, now_s + changes - time.monotonic()))
    for driver in drivers:
        driver.join()
    used_s = tree_cpu_s(system.process.pid) - before_s
    asked = len(polls.taken_s)
    taken, late = ([1000 * value for value in values] for values in (polls.taken_s, polls.late_s))
    return [
        ["polls a second", f"{asked / seconds:.0f}"],
        ["answers", ", ".join(f"{status}: {count}" for status, count in sorted(polls.statuses.items()))],
        ["p50 / p95 / p99 / longest", " / ".join(f"{figure:.1f}" for figure in _spread(taken)) + " ms"],
        [
            "too late by, p50 / p95 / p99 / longest",
            " / ".join(f"{figure:.1f}" for figure in _spread(late)) + " ms",
        ],
        ["bytes a second", f"{polls.wire_bytes / seconds / 1000:.0f} kB"],
        ["CPU of all processes of `up`", f"{100 * used_s / seconds:.0f} % of one core"],
        ["changes made", str(changes)],
    ]


def _spread(values: list[float]) -> list[float]:
    return [*(percentile(values, share) for share in (0.5, 0.95, 0.99)), max(values)]


def _drive(port: int, queue: list[_Tab], lock: threading.Lock, polls: _Polls, end_s: float) -> None:
    """Be the browser of whichever tab is due, over one connection that is kept."""
    http = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1)
    while time.monotonic() < end_s:
        with lock:
            tab = heapq.heappop(queue) if queue and queue[0].due_s <= time.monotonic() else None
        if tab is None:
            time.sleep(0.002)
            continue
        began_s = time.monotonic()
        headers = {"Accept-Encoding": "gzip", "HX-Request": "true"}
        answer = http.request("GET", tab.address, headers=headers)
        taken_s = time.monotonic() - began_s
        if answer.status == 200 and (found := _LIVE.search(answer.data.decode())):
            tab.every_s, tab.address = float(found[1]), unescape(found[2])
        with lock:
            polls.statuses[answer.status] += 1
            polls.taken_s.append(taken_s)
            polls.late_s.append(began_s - tab.due_s)
            polls.wire_bytes += int(answer.headers.get("Content-Length", 0))
            tab.due_s = began_s + tab.every_s
            heapq.heappush(queue, tab)


if __name__ == "__main__":
    main()
