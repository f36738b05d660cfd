"""Modelyard beside `mlflow server`, over the same data, in one interleaved run; see README.md."""

import argparse
import platform
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.comparison import Measured, Row, print_authorization, print_comparison, print_growth, print_starts
from benchmarks.contenders import Contender, Mlflow, Modelyard
from benchmarks.load import run_load
from benchmarks.names import CROWDED, VERSIONS_OF_A_BIG_ONE
from benchmarks.seeding import MLFLOW, Data
from benchmarks.workloads import PAGE
from tests.waiting import wait_until

ROWS = (
    Row("get version", "get_version", targets=(15, 6)),
    Row("get version, one connection", "get_version", connections=1, p50_target_ms=1),
    Row("latest versions, model of 10", "latest", targets=(15, 6)),
    Row("latest versions, model of 1,000", "latest_of_big", targets=(45, 35)),
    Row("search models, 100 rows", "search_models", targets=(15, 15)),
    Row("search models, page at 90 %", "search_models", begins_at=0.9, paged="registered-models/search"),
    Row("versions by run_id", "versions_by_run", targets=(50, 50)),
    Row("versions by tag", "versions_by_tag", targets=(50, 50)),
    Row("list versions, 100 rows", "list_versions", targets=(35, 35)),
    Row("list versions, page at 90 %", "list_versions", targets=(35, 35), begins_at=0.9, paged="model-versions/search"),
    Row("set tag", "set_tag", targets=(8, 3)),
    Row("transition stage", "transition", targets=(8, 3)),
    Row("create model", "create_model", targets=(8, 3)),
    Row("create version, by reference", "create_version", targets=(8, 3)),
)
MIXED = Row("mixed, 90 % reads", "mixed", targets=(12, 7), p99_target_ms=30)
ARCHIVE = Row("archive 1,000 versions on promote", "", most_ms=(12, 30))
# Rows whose cost must not grow with the number of versions; they are also asked of a registry with so many.
GROWING = ("versions by run_id", "versions by tag")
FEW_VERSIONS = 1000
MIXED_S = 60
PROMOTIONS = 3
REST_S = 120


@dataclass
class Run:
    """What was measured so far, and how long and often each thing is measured."""

    seconds: float
    rounds: int
    mixed_s: float
    results: dict[tuple[str, str], Measured] = field(default_factory=lambda: defaultdict(Measured))

    def load(self, row: Row, contender: Contender, seconds: float, seed: int) -> None:
        """Let one contender bear one row's load for so many seconds."""
        wait_until(contender.is_at_rest, within_s=REST_S, what=f"{contender.name} to come to rest")
        options: dict[str, object] = {"models": contender.data.models, "tokens": contender.tokens}
        if row.begins_at:
            options["page_token"] = contender.page_token(row.paged, share=row.begins_at, page=PAGE)
        before_s = contender.cpu_s()
        load = run_load(contender.port, row.workload, options, connections=row.connections, seconds=seconds, seed=seed)
        measured = self.results[row.measure, contender.name]
        measured.load.add(load, at_the_same_time=False)
        measured.cpu_s += contender.cpu_s() - before_s

    def promote(self, contender: Contender) -> None:
        """Promote into a stage that holds a thousand versions, which are archived with it."""
        for version in range(1, PROMOTIONS + 1):
            contender.crowd_again()
            wait_until(contender.is_at_rest, within_s=REST_S, what=f"{contender.name} to come to rest")
            body = {"name": CROWDED, "version": str(version), "stage": "Production", "archive_existing_versions": True}
            began_s = time.perf_counter()
            contender.call("POST", "model-versions/transition-stage", body)
            self.results[ARCHIVE.measure, contender.name].load.latencies_s.append(time.perf_counter() - began_s)


def main() -> None:
    """Seed, start, measure, print."""
    asked = _arguments()
    rows = [row for row in ROWS if re.search(asked.only, row.measure)]
    run = Run(asked.seconds, asked.rounds, mixed_s=min(MIXED_S, 12 * asked.seconds))
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
        contenders = _with_and_without_people if asked.people else _contenders
        pairs, few = contenders(Path(folder), asked.versions)
        everybody = [contender for pair in pairs for contender in pair]
        started: list[Contender] = []
        try:
            for contender in (*everybody, *few):
                started.append(contender)
                contender.start()
                wait_until(contender.has_settled, within_s=REST_S, what=f"{contender.name} to settle")
            _measure(run, rows, everybody, few, promote=not asked.people)
            if re.search(asked.only, MIXED.measure):
                _measure_mixed(run, everybody)
            if asked.people:
                for without, with_people in pairs:
                    print_authorization(run.results, [*ROWS, MIXED], without.name, with_people.name)
            else:
                _print(run, asked.versions, pairs, few)
        finally:
            for contender in started:
                contender.stop()
    print(f"{(time.monotonic() - began_s) / 60:.0f} minutes in all")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry", description=__doc__)
    parser.add_argument("--versions", type=int, default=10_000, help="versions in each registry (10000)")
    parser.add_argument("--seconds", type=float, default=5, help="seconds of each row in each round (5)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all rows and contenders (3)")
    parser.add_argument("--only", default="", metavar="REGEX", help="only rows whose name matches")
    parser.add_argument(
        "--people",
        action="store_true",
        help="Modelyard with 1,000 users, 200 groups and 10,000 permissions, beside itself without authorization",
    )
    return parser.parse_args()


def _contenders(folder: Path, versions: int) -> tuple[list[tuple[Contender, Contender]], list[Contender]]:
    """Return the pairs to compare, MLflow first, and the registries with few versions."""
    data, few = Data.of(versions), Data.of(FEW_VERSIONS)
    assert data.with_large_ones, "--versions must be 3000 or more."
    pairs: list[tuple[Contender, Contender]] = [
        (
            Mlflow("mlflow as shipped", folder / "mlflow-sqlite", data, on_postgresql=False),
            Modelyard("modelyard, SQLite", folder / "modelyard-sqlite", data, on_postgresql=False),
        ),
        (
            Mlflow("mlflow at its best", folder / "mlflow-postgresql", data, on_postgresql=True),
            Modelyard("modelyard, PostgreSQL", folder / "modelyard-postgresql", data, on_postgresql=True),
        ),
    ]
    few_name = f"with {FEW_VERSIONS:,} versions"
    return pairs, [
        Modelyard(f"{pair[1].name} {few_name}", folder / f"few-{number}", few, on_postgresql=bool(number))
        for number, pair in enumerate(pairs)
    ]


def _with_and_without_people(folder: Path, versions: int) -> tuple[list[tuple[Contender, Contender]], list[Contender]]:
    """Return pairs of Modelyard without authorization and with it, over the same data."""
    data = Data.of(versions)
    return [
        (
            Modelyard(f"modelyard, {database}", folder / f"open-{database}", data, on_postgresql=on_postgresql),
            Modelyard(
                f"modelyard with people, {database}",
                folder / f"people-{database}",
                data,
                on_postgresql=on_postgresql,
                with_people=True,
            ),
        )
        for database, on_postgresql in (("SQLite", False), ("PostgreSQL", True))
    ], []


def _measure(
    run: Run, rows: Sequence[Row], everybody: Sequence[Contender], few: Sequence[Contender], *, promote: bool
) -> None:
    for number in range(run.rounds):
        for row in rows:
            for contender in (*everybody, *(few if row.measure in GROWING else ())):
                run.load(row, contender, run.seconds, seed=number)
            print(f"round {number + 1} of {run.rounds}: {row.measure}", flush=True)
        for contender in everybody if promote else ():
            run.promote(contender)


def _measure_mixed(run: Run, everybody: Sequence[Contender]) -> None:
    for contender in everybody:
        run.load(MIXED, contender, run.mixed_s, seed=run.rounds)


def _print(run: Run, versions: int, pairs: Sequence[tuple[Contender, Contender]], few: Sequence[Contender]) -> None:
    release = (MLFLOW / "mlflow").parent.parent.glob("lib/*/site-packages/mlflow-*.dist-info")
    names = ", ".join(path.name.removesuffix(".dist-info") for path in release)
    print(f"\n{names}; {versions:,} versions; Python {platform.python_version()}; {VERSIONS_OF_A_BIG_ONE:,} archived")
    rows = [*ROWS, MIXED, ARCHIVE]
    for number, (mlflow, modelyard) in enumerate(pairs):
        print_comparison(run.results, rows, mlflow.name, modelyard.name, which_target=number)
    for (_, modelyard), small in zip(pairs, few, strict=True):
        print_growth(run.results, modelyard.name, small.name)
    print_starts([(each.name, each.start_s, each.pss_mib()) for pair in pairs for each in pair])


if __name__ == "__main__":
    main()
