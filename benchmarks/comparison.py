"""The tables of `registry.py`: what was measured beside what was aimed at."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.figures import percentile, print_rows
from benchmarks.load import Load


@dataclass(frozen=True)
class Row:
    """One thing that is measured. Of two targets the first is for SQLite, the second for PostgreSQL.

    `targets` are times MLflow's answers a second, `most_ms` milliseconds of ours. A row that `begins_at` a share
    of all rows asks for that page of the list `paged`.
    """

    measure: str
    workload: str
    targets: tuple[float, float] | None = None
    most_ms: tuple[float, float] | None = None
    p50_target_ms: float | None = None
    p99_target_ms: float | None = None
    connections: int = 8
    begins_at: float = 0.0
    paged: str = ""


@dataclass
class Measured:
    """All rounds of one row and contender, and the processor seconds that the contender used for them."""

    load: Load = field(default_factory=Load)
    cpu_s: float = 0.0

    @property
    def p50_ms(self) -> float:
        """The median answer."""
        return 1000 * statistics.median(self.load.latencies_s)

    @property
    def p99_ms(self) -> float:
        """What one answer of a hundred takes longer than."""
        return 1000 * percentile(self.load.latencies_s, 0.99)

    @property
    def per_s(self) -> float:
        """Answers a second; of answers that were timed one by one, what their median would come to."""
        return self.load.per_s if self.load.elapsed_s else 1000 / self.p50_ms

    def cells(self) -> list[str]:
        """Return answers a second, p50, p99 and processor milliseconds an answer."""
        cpu = f"{1000 * self.cpu_s / len(self.load.latencies_s):.2f}" if self.cpu_s else ""
        return [f"{self.per_s:,.0f}" if self.load.elapsed_s else "", f"{self.p50_ms:.2f}", f"{self.p99_ms:.2f}", cpu]


Results = Mapping[tuple[str, str], Measured]

# Of two rows of one registry: what the first may cost, at most, in times of the second.
GROWTH = (
    ("latest versions, model of 1,000", "latest versions, model of 10", 1.2),
    ("search models, page at 90 %", "search models, 100 rows", 1.2),
    ("list versions, page at 90 %", "list versions, 100 rows", 1.3),
)
GROWTH_WITH_VERSIONS = (("versions by run_id", 1.3), ("versions by tag", 1.3))
# What a get or a search may cost with tokens and permissions, in times of one without.
AUTHORIZATION = 1.3
START_TARGET_S = 1.5
PSS_TARGET_MIB = 300


def print_comparison(results: Results, rows: Sequence[Row], mlflow: str, modelyard: str, *, which_target: int) -> None:
    """Print one database's table: MLflow, Modelyard, the ratio and its target."""
    header = ["measure", "mlflow/s", "p50 ms", "p99 ms", "CPU ms", "ours/s", "p50 ms", "p99 ms", "CPU ms", "ratio"]
    lines, errors = [], []
    for row in rows:
        theirs, ours = results.get((row.measure, mlflow)), results.get((row.measure, modelyard))
        if theirs is None or ours is None:
            continue
        ratio = ours.per_s / theirs.per_s
        target = _target(row, ours, ratio, which_target)
        lines.append([row.measure, *theirs.cells(), *ours.cells(), f"{ratio:.1f}x", *target])
        errors += [
            f"{row.measure}, {name}: {measured.load.errors} were not 200; the first: {measured.load.first_error}"
            for name, measured in ((mlflow, theirs), (modelyard, ours))
            if measured.load.errors
        ]
    print_rows(f"{mlflow} | {modelyard}", [*header, "target", "met"], lines)
    print("\n".join(errors) or "Every answer was 200.")


def _target(row: Row, ours: Measured, ratio: float, which: int) -> list[str]:
    """Return the target in words, and whether all of it is met."""
    aims = []
    if row.targets:
        aims.append((f">= {row.targets[which]:g}x", ratio >= row.targets[which]))
    if row.most_ms:
        aims.append((f"<= {row.most_ms[which]:g} ms", ours.p50_ms <= row.most_ms[which]))
    if row.p50_target_ms:
        aims.append((f"p50 <= {row.p50_target_ms:g} ms", ours.p50_ms <= row.p50_target_ms))
    if row.p99_target_ms:
        aims.append((f"p99 <= {row.p99_target_ms:g} ms", ours.p99_ms <= row.p99_target_ms))
    in_words = ", ".join(words for words, _ in aims)
    return [in_words, _yes_or_no([*aims, ("", ours.load.errors == 0)]) if aims else ""]


def print_growth(results: Results, modelyard: str, with_few: str) -> None:
    """Print how the cost of an answer grows with what lies in the registry."""
    compared = [((first, modelyard), (second, modelyard), most) for first, second, most in GROWTH]
    compared += [((measure, modelyard), (measure, with_few), most) for measure, most in GROWTH_WITH_VERSIONS]
    lines = []
    for dear, cheap, most in compared:
        if dear in results and cheap in results:
            growth = results[cheap].per_s / results[dear].per_s
            beside = cheap[0] if cheap[0] != dear[0] else cheap[1]
            lines.append([dear[0], beside, f"{growth:.2f}x", f"<= {most:g}x", _yes_or_no([("", growth <= most)])])
    if lines:
        print_rows(f"{modelyard}: the cost of an answer", ["of", "beside", "growth", "target", "met"], lines)


def print_authorization(results: Results, rows: Sequence[Row], without: str, with_people: str) -> None:
    """Print what an answer costs when somebody with a token asks, in times of one that anybody may have."""
    lines, errors = [], 0
    for row in rows:
        open_one, locked = results.get((row.measure, without)), results.get((row.measure, with_people))
        if open_one is None or locked is None:
            continue
        errors += open_one.load.errors + locked.load.errors
        ratio = open_one.per_s / locked.per_s
        target = [f"<= {AUTHORIZATION:g}x", _yes_or_no([("", ratio <= AUTHORIZATION)])] if _is_read(row) else ["", ""]
        lines.append([row.measure, *open_one.cells(), *locked.cells(), f"{ratio:.2f}x", *target])
    header = ["measure", "open/s", "p50 ms", "p99 ms", "CPU ms", "people/s", "p50 ms", "p99 ms", "CPU ms", "cost"]
    print_rows(f"{without} | {with_people}", [*header, "target", "met"], lines)
    print(f"{errors} answers were not 200.")


def _is_read(row: Row) -> bool:
    return not row.workload.startswith(("set", "transition", "create", "mixed"))


def print_starts(starts: Sequence[tuple[str, float, float]]) -> None:
    """Print seconds until the first answer and memory after all the load, of every contender."""
    lines = []
    for name, start_s, pss_mib in starts:
        target = ["", ""]
        if name.startswith("modelyard"):
            met = _yes_or_no([("", start_s <= START_TARGET_S), ("", pss_mib <= PSS_TARGET_MIB)])
            target = [f"<= {START_TARGET_S:g} s, <= {PSS_TARGET_MIB:g} MiB", met]
        lines.append([name, f"{start_s:.2f}", f"{pss_mib:,.0f}", *target])
    header = ["server", "s to the first 200", "PSS of the tree after load, MiB", "target", "met"]
    print_rows("start and memory", header, lines)


def _yes_or_no(aims: Sequence[tuple[str, bool]]) -> str:
    return "yes" if all(met for _, met in aims) else "NO"
