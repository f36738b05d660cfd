"""A model of a thousand versions deleted, brought back, purged and collected: how long, and what the disk says.

    python -m benchmarks.deleting [--versions 1000]

Each version has three files of 64 KiB of its own, one that all share, and an MLmodel.
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.bench import KIB, Bench, random_block
from benchmarks.figures import print_rows
from benchmarks.memory import used_bytes
from tests.waiting import wait_until

NATIVE = "/api/v1"
LATE_S = 900


def main() -> None:
    """Measure it once; each step is long enough to be told from noise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--versions", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
        with Bench(Path(folder), grace_hours=0) as bench:
            rows = measure(bench, asked.versions)
        print_rows(
            f"A model of {asked.versions:,} versions", ["step", "answer ms", "until done s", "what it says"], rows
        )


def measure(bench: Bench, versions: int) -> list[list[str]]:
    """Do every step and return a row of each."""
    store = bench.system.home / "store" / "blobs"
    empty = used_bytes(store)
    fill(bench, versions)
    full, digest = used_bytes(store), digest_of(store)
    rows = [["filled", "", "", f"{megabytes(full - empty)} in {count(store)} files (du)"]]

    delete = lambda: bench.system.call("DELETE", "registered-models/delete", {"name": "crowd"})  # noqa: E731
    rows.append(["delete", answer_ms(delete), "", "out of sight, and its name free"])
    restored = answer_ms(lambda: native(bench, "POST", f"/trash/{trashed(bench)}/restore"))
    report = run(bench, lambda: native(bench, "POST", "/store/verify"))
    assert digest_of(store) == digest, "The restore brought back other bytes."
    rows.append(["restore", restored, f"{report['seconds']:.1f}", f"then verify: {report['said']}"])
    delete()

    public_id = trashed(bench)
    steps: list[str] = []
    purged = run(bench, lambda: native(bench, "POST", f"/trash/{public_id}/purge"), steps)
    rows.append(["purge", purged["answer_ms"], f"{purged['seconds']:.1f}", purged["said"]])
    rows.append(["", "", "", f"its progress: {', '.join(steps)}"])
    for number in (1, 2):
        before = used_bytes(store)
        done = run(bench, lambda: native(bench, "POST", "/store/collect"))
        freed = f"{done['said']} du: {megabytes(before - used_bytes(store))} less"
        rows.append([f"collect {number}", done["answer_ms"], f"{done['seconds']:.1f}", freed])
    rows.append(["left", "", "", f"{megabytes(used_bytes(store) - empty)} more than before (du)"])
    return rows


def fill(bench: Bench, versions: int) -> None:
    """Register every version, and wait until the last is READY."""
    bench.system.call("POST", "registered-models/create", {"name": "crowd"})
    block = random_block()
    for number in range(versions):
        folder = bench.sources / f"v{number}"
        folder.mkdir()
        (folder / "MLmodel").write_text("flavors: {}\n")
        (folder / "shared").write_bytes(block[: 256 * KIB])
        for part in range(3):
            (folder / f"part-{part}").write_bytes(f"{number} {part} ".encode() + block[: 64 * KIB])
        bench.system.call("POST", "model-versions/create", {"name": "crowd", "source": str(folder)})

    def all_ready() -> bool:
        return not any(native(bench, "GET", "/jobs", status=status)["jobs"] for status in ("QUEUED", "RUNNING"))

    wait_until(all_ready, within_s=LATE_S, what="every version")


def run(bench: Bench, ask: Callable[[], Any], steps: list[str] | None = None) -> dict[str, Any]:
    """Ask for a job and follow it; return what the answer took, the seconds until its end and what it says then.

    `steps` is filled with some of the progress that it told on its way.
    """
    began_s = time.perf_counter()
    job = ask()["job"]
    answered_s = time.perf_counter() - began_s
    seen: dict[str, None] = {}

    def is_over() -> bool:
        nonlocal job
        job = native(bench, "GET", f"/jobs/{job['id']}")["job"]
        if job["progress"]["items_total"]:
            seen[f"{job['progress']['items_done']:,} of {job['progress']['items_total']:,}"] = None
        return job["status"] in ("SUCCEEDED", "FAILED", "CANCELLED")

    wait_until(is_over, within_s=LATE_S, what=f"the end of {job['kind']}")
    assert job["status"] == "SUCCEEDED", job
    if steps is not None:
        told = list(seen)
        steps += told[:: max(1, len(told) // 5)]
    seconds = time.perf_counter() - began_s
    return {"answer_ms": f"{1000 * answered_s:.1f}", "seconds": seconds, "said": job["status_message"]}


def native(bench: Bench, method: str, route: str, **fields: str) -> Any:
    """Call a route of the native API."""
    body = fields if method == "POST" else None
    answer = bench.system.request(method, NATIVE + route, body, **({} if body is not None else fields))
    assert answer.status == 200, answer.data
    return answer.json()


def trashed(bench: Bench) -> str:
    """Return the id of what was deleted last."""
    return str(native(bench, "GET", "/trash")["items"][0]["id"])


def answer_ms(act: Callable[[], object]) -> str:
    """Return the milliseconds that `act` takes."""
    began_s = time.perf_counter()
    act()
    return f"{1000 * (time.perf_counter() - began_s):.1f}"


def digest_of(store: Path) -> str:
    """Return a digest over every file of the store, its name and its bytes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in store.rglob("*") if path.is_file()):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def count(store: Path) -> str:
    """Return how many files there are."""
    return f"{sum(path.is_file() for path in store.rglob('*')):,}"


def megabytes(size_bytes: int) -> str:
    """Return a size as people write it."""
    return f"{size_bytes / 1e6:,.1f} MB"


if __name__ == "__main__":
    main()
