"""What the store costs: files in and out of a disk and of a bucket, beside what others need for the same, in one run.

    python -m benchmarks.artifacts [--scale 1] [--rounds 3] [--rest 0] [--best] [PART]...

PART is small, large, shards, bucket, proxy, memory or promotion; all of them by default.

Times are from `create` until READY over HTTP. Each round measures every side once, one after the other, so that a busy
moment meets them all; the tables give medians. On a machine that others use, `--best` gives the shortest times instead;
`--scale` makes everything smaller; `--rest` waits so many seconds before each copy, since a virtual machine's disk may
be fast for two gigabytes only.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import urllib3

from benchmarks import peers
from benchmarks.bench import KIB, MIB, Bench, random_block, sync
from benchmarks.figures import print_rows
from benchmarks.memory import grown, start_peaks, used_bytes
from tests.servers import SeaweedFS

# More files than this are left lying until the end: ext4 looks at each file that was deleted in the last minutes
# whenever it makes one, so that 5,000 deleted files make everybody's next 5,000 ten times as slow.
FEW_FILES = 100


@dataclass(frozen=True)
class Sizes:
    """How much is moved; `scale` makes it less."""

    scale: float
    rounds: int
    rest_s: float
    best: bool

    @property
    def how(self) -> str:
        """What the figures of a table are."""
        return f"scale {self.scale:g}, {'best' if self.best else 'median'} of {self.rounds}"

    def of(self, seconds: Sequence[float]) -> float:
        """Return the figure that stands for several."""
        return min(seconds) if self.best else statistics.median(seconds)

    def rate(self, files: int, seconds: Sequence[float]) -> str:
        """Return files a second; "-" where nothing was measured."""
        return f"{files / self.of(seconds):,.0f}" if all(seconds) and seconds else "-"

    def against(self, ours: Sequence[float], theirs: Sequence[float]) -> str:
        """Return how many times as fast as the others we are; "-" where there is nothing to compare with."""
        return f"{self.of(theirs) / self.of(ours):.2f}" if all(theirs) and theirs else "-"

    def files(self, number: int) -> int:
        """Return how many files stand for `number` of them."""
        return max(1, round(number * self.scale))

    def size(self, size_bytes: int) -> int:
        """Return the size that stands for `size_bytes`."""
        return max(MIB, round(size_bytes * self.scale))


def main() -> None:
    """Run the parts that the command line names; all of them when it names none."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rest", type=float, default=0)
    parser.add_argument("--best", action="store_true")
    asked = parser.parse_args()
    sizes = Sizes(asked.scale, asked.rounds, asked.rest, asked.best)
    for name in asked.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
            PARTS[name](Path(folder), sizes)


def measure_small(folder: Path, sizes: Sizes) -> None:
    """5,000 small files, beside `cp -r` with a sync and mlflow's own way of fetching the same folder."""
    measure_local(folder, sizes, sizes.files(5_000), 20 * KIB, budget=">= 5,000 files/s, >= 2.5x mlflow", mlflow=True)


def measure_large(folder: Path, sizes: Sizes) -> None:
    """One large file."""
    measure_local(folder, sizes, 1, sizes.size(2048 * MIB), budget=">= 0.65x cp")


def measure_shards(folder: Path, sizes: Sizes) -> None:
    """Files of a size that many models come in."""
    measure_local(folder, sizes, sizes.files(40), 50 * MIB, budget=">= 0.8x cp")


def measure_local(
    folder: Path, sizes: Sizes, files: int, size_bytes: int, *, budget: str, mlflow: bool = False
) -> None:
    """A folder to READY, beside others who copy it."""
    ours, copied, fetched = [], [], []
    with Bench(folder) as bench:
        for number in range(sizes.rounds):
            model = bench.model(f"{files}-{size_bytes}-{number}", files, size_bytes)
            copy, download = folder / f"copy-{number}", folder / f"download-{number}"
            prepare(folder, files * size_bytes, sizes)
            copied.append(timed(lambda model=model, copy=copy: copy_durably(model, copy)))
            if mlflow:
                prepare(folder, files * size_bytes, sizes)
                fetched.append(peers.mlflow_download(model, download))
            prepare(folder, files * size_bytes, sizes)
            ours.append(bench.register(model))
            if files <= FEW_FILES:
                shutil.rmtree(model)
                shutil.rmtree(copy)
    what = f"{files:,} x {size_bytes / KIB:,.0f} KiB"
    speeds = [f"{files * size_bytes / 1e6 / sizes.of(side):,.0f}" for side in (ours, copied)]
    print_rows(
        f"A folder until READY, over HTTP ({sizes.how})",
        ["what", "files/s", "MB/s", "MB/s of cp -r + sync", "x cp", "x mlflow", "budget"],
        [[what, sizes.rate(files, ours), *speeds, sizes.against(ours, copied), sizes.against(ours, fetched), budget]],
    )


def measure_bucket(folder: Path, sizes: Sizes) -> None:
    """A folder into a bucket and out again, beside boto3 and rclone on the same server."""
    server = SeaweedFS()
    server.start(buckets=("store", "peer"))
    files, size_bytes = sizes.files(1_000), 20 * KIB
    try:
        with Bench(folder, variables=server.environment, store_url="s3://store/bench") as bench:
            ups, downs, boto3, rclone = [], [], [], []
            for number in range(sizes.rounds):
                model = bench.model(f"small-{number}", files, size_bytes)
                boto3.append(peers.boto3_up_and_down(model, f"round-{number}", server.environment))
                rclone.append(peers.rclone_up_and_down(model, f"round-{number}", server.environment))
                ups.append(bench.register(model))
                downs.append(timed(lambda: fetch_all(bench, files)))
    finally:
        server.remove()

    def rates(way: int) -> list[str]:
        return [sizes.rate(files, [trip[way] for trip in trips]) for trips in (boto3, rclone)]

    print_rows(
        f"1,000 x 20 KiB and a bucket on one machine ({sizes.how})",
        ["what", "files/s", "boto3, 8 threads", "rclone, 32 transfers", "budget"],
        [
            ["folder until READY", sizes.rate(files, ups), *rates(0), ">= 1,200 files/s"],
            ["downloads through us", sizes.rate(files, downs), *rates(1), ">= 1,200 files/s"],
        ],
    )


def measure_proxy(folder: Path, sizes: Sizes) -> None:
    """The artifact proxy of a real tracking server as a source, beside mlflow's client on the same server."""
    files = sizes.files(5_000)
    with peers.tracking_server(folder / "tracking") as server:
        ours, theirs = [], []
        with Bench(folder, tracking_uri=server.url) as bench:
            for number in range(sizes.rounds):
                model = bench.model(f"proxied-{number}", files, 20 * KIB)
                server.take(model, f"bench/{number}")
                few = server.take(bench.model(f"few-{number}", max(1, files // 10), 20 * KIB), f"few/{number}")
                theirs.append(10 * server.fetch_by_mlflow(few, folder / "copy"))
                ours.append(bench.register(f"mlflow-artifacts:/bench/{number}"))
    print_rows(
        f"5,000 x 20 KiB behind mlflow's proxy until READY ({sizes.how})",
        ["what", "files/s", "x mlflow client", "budget"],
        [["mlflow-artifacts:/", sizes.rate(files, ours), sizes.against(ours, theirs), ">= 200 files/s"]],
    )


def measure_memory(folder: Path, sizes: Sizes) -> None:
    """The most memory that the worker takes for a file of each size, and the web for eight downloads at once."""
    server = SeaweedFS()
    server.start()
    on_disk, in_bucket = folder / "disk", folder / "bucket"
    try:
        with Bench(on_disk) as bench:
            rows = _memory_of(bench, "disk", sizes)
        with Bench(in_bucket, variables=server.environment, store_url="s3://store/bench") as bench:
            rows += _memory_of(bench, "bucket", sizes)
    finally:
        server.remove()
    print_rows(
        "Memory of the process that grew most, in MiB",
        ["store", "what", "before", "peak", "grown by", "budget"],
        rows,
    )


def _memory_of(bench: Bench, store: str, sizes: Sizes) -> list[list[str]]:
    rows = []
    large = sizes.size(2048 * MIB)
    for files, size_bytes in [
        (1, 10 * MIB),
        (sizes.files(40), 50 * MIB),
        (1, sizes.size(4096 * MIB)),
        (1, large),
    ]:
        model = bench.model(f"large-{files}-{size_bytes}", files, size_bytes)
        before = start_peaks(bench.system)
        bench.register(model)
        what = f"register {files} x {size_bytes / MIB:,.0f} MiB"
        rows.append([store, what, *grown(bench.system, before, "worker"), "<= 128"])
        shutil.rmtree(model)
    url = f"{bench.files_url(bench.newest())}/data/00000"
    before = start_peaks(bench.system)
    began_s = time.perf_counter()
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(drain, [url] * 8))
    speed = 8 * large / 1e6 / (time.perf_counter() - began_s)
    what = f"8 clients download {large / MIB:,.0f} MiB each ({speed:,.0f} MB/s)"
    rows.append([store, what, *grown(bench.system, before, "web"), "<= 128"])
    return rows


def measure_promotion(folder: Path, sizes: Sizes) -> None:
    """`copy_model_version` of a large version, beside a write of one tag; and what it adds to the store."""
    with Bench(folder) as bench:
        bench.register(bench.model("large", 1, sizes.size(2048 * MIB)))
        source = f"models:/bench/{bench.newest()}"
        tag = {"name": "bench", "version": "1", "key": "k", "value": "v"}
        writes = [timed(lambda: bench.system.call("POST", "model-versions/set-tag", tag)) for _ in range(50)]
        before = used_bytes(bench.system.home / "store")
        promotions = [timed(lambda: promote(bench, source)) for _ in range(50)]
        added = used_bytes(bench.system.home / "store") - before
    figures = [f"{1000 * sizes.of(values):.2f}" for values in (promotions, writes)]
    print_rows(
        f"Promotion of a version of 2 GiB ({sizes.how}), READY in the answer",
        ["promotion ms", "a tag ms", "ratio", "bytes added to the store", "budget"],
        [[*figures, f"{sizes.of(promotions) / sizes.of(writes):.2f}", str(added), "<= 2x, 0 bytes"]],
    )


def promote(bench: Bench, source: str) -> None:
    """Register a version once more; it must be READY in the answer."""
    answer = bench.system.call("POST", "model-versions/create", {"name": "bench", "source": source})
    assert answer["model_version"]["status"] == "READY", answer


def prepare(folder: Path, size_bytes: int, sizes: Sizes) -> None:
    """Bring the machine into the same state before each side of a comparison.

    A virtual machine that gives memory back gets each page anew from its host, which costs up to three times as much as
    the copying itself. So as much as is about to be copied is written once and removed, and whoever comes next finds
    memory that has just been in use.
    """
    time.sleep(sizes.rest_s)
    block = random_block()
    with (folder / "used").open("wb") as file:
        for _ in range(0, size_bytes, len(block)):
            file.write(block)
    sync(folder)
    (folder / "used").unlink()


def copy_durably(source: Path, target: Path) -> None:
    """Copy as `cp -r` does and wait for the disk."""
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
    sync(target)


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that `act` takes."""
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s


def fetch_all(bench: Bench, files: int) -> None:
    """Download every file of the newest version, as a client with many threads does."""
    url = bench.files_url(bench.newest())
    with urllib3.PoolManager(maxsize=16) as http, ThreadPoolExecutor(16) as threads:
        answers = threads.map(lambda number: http.request("GET", f"{url}/data/{number:05}").status, range(files))
        assert set(answers) == {200}


def drain(url: str) -> None:
    """Download a file and forget it, piece by piece."""
    with urllib3.PoolManager() as http:
        answer = http.request("GET", url, preload_content=False)
        while answer.read(MIB):
            pass
        answer.release_conn()


PARTS: dict[str, Callable[[Path, Sizes], None]] = {
    "small": measure_small,
    "large": measure_large,
    "shards": measure_shards,
    "bucket": measure_bucket,
    "proxy": measure_proxy,
    "memory": measure_memory,
    "promotion": measure_promotion,
}

if __name__ == "__main__":
    main()
