"""Two to five versions of a model side by side: facts, tags, signature, requirements, files."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flask import Response

from modelyard.database.session import autocommit
from modelyard.errors import InvalidValue
from modelyard.registry import queries
from modelyard.registry.overview import VersionFacts, version_facts
from modelyard.registry.shown import ShownVersion
from modelyard.rules.versions import parse_version
from modelyard.storage.run_browsing import Run
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import queries as asked_texts
from modelyard.web.ui.asked import query
from modelyard.web.ui.frame import page
from modelyard.web.ui.model_file import Column, ModelFile
from modelyard.web.ui.tracking import run_of_version
from modelyard.web.ui.version_contents import Absence, first_bytes, model_file_of, open_files
from modelyard.web.ui.words import address, size

MOST = 5
_REQUIREMENTS = "requirements.txt"
_REQUIREMENTS_BYTES = 64 * 1024
_MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a comparison: a value for each version, "" for none."""

    title: str
    values: list[str]

    @property
    def differs(self) -> bool:
        """Whether the versions do not agree."""
        return len(set(self.values)) > 1


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the comparison; `more` rows were left out."""

    title: str
    rows: list[Row]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """A version with everything that is compared."""

    shown: ShownVersion
    facts: VersionFacts
    model_file: ModelFile
    requirements: dict[str, str]
    files: dict[str, str]
    metrics: dict[str, str]
    params: dict[str, str]


def show(name: str) -> Response:
    """Show versions side by side; with one, or none, ask which."""
    numbers = sorted({parse_version(text) for text in asked_texts("v") if text}, reverse=True)
    if len(numbers) > MOST:
        raise InvalidValue(f"{len(numbers)} versions are too many to compare; choose two to {MOST}.")
    only = query("only") == "differences"
    with autocommit(site().engine) as connection:
        model = queries.registered_model(connection, current_actor(), name)
        shown = [queries.model_version(connection, current_actor(), name, number) for number in numbers]
        facts = version_facts(connection, [version.id for version in shown])
        latest = queries.latest_versions(connection, current_actor(), name) if len(shown) < 2 else []
    compared: list[Compared] = []
    problem = ""
    if len(shown) > 1:
        runs, problem = _runs_of(shown)
        compared = [_read(version, facts[version.id], runs.get(version.version)) for version in shown]
    parts = [_narrowed(section, only) for section in _sections(compared)] if compared else []
    return page(
        "compare.html",
        title=f"Compare versions of {name}",
        section="models",
        name=name,
        model=model,
        versions=shown,
        others=[version for version in latest if version.version not in numbers],
        parts=parts,
        problem=problem,
        only=only,
        switched=address("models", name, "compare", v=numbers, only=None if only else "differences"),
    )


def _read(version: ShownVersion, facts: VersionFacts, run: Run | None) -> Compared:
    metrics, params = (dict(run.metrics), dict(run.params)) if run else ({}, {})
    opened = open_files(version.model_name, version.version)
    if isinstance(opened, Absence):
        return Compared(version, facts, ModelFile(), {}, {}, metrics, params)
    files, index = opened
    listed = index.files.get(_REQUIREMENTS)
    text = first_bytes(files, listed, _REQUIREMENTS_BYTES).decode(errors="replace") if listed else ""
    return Compared(
        version,
        facts,
        model_file_of(files, index)[0],
        dict(_requirement(line) for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")),
        {path: f"{size(file.size_bytes)}, {file.digest[:8]}" for path, file in index.files.items()},
        metrics,
        params,
    )


def _runs_of(versions: list[ShownVersion]) -> tuple[dict[int, Run], str]:
    """Return version number -> its run, and what stood in the way; a server that is away is not asked again."""
    found: dict[int, Run] = {}
    problems = []
    for version in versions:
        if not version.run_id:
            continue
        answer = run_of_version(version.run_id)
        if answer.found is not None:
            found[version.version] = answer.found
            continue
        problems.append(answer.problem)
        if answer.away:
            break
    return found, " ".join(problems)


def _requirement(line: str) -> tuple[str, str]:
    """Return a package and what is asked of it, such as ("numpy", "==2.1")."""
    stripped = line.strip()
    end = next((place for place, sign in enumerate(stripped) if sign in "=<>!~[ ;@"), len(stripped))
    return stripped[:end], stripped[end:].strip() or "any"


def _sections(compared: list[Compared]) -> list[Section]:
    facts: list[tuple[str, Callable[[Compared], str]]] = [
        ("Stage", lambda one: one.shown.stage),
        ("Status", lambda one: one.shown.status),
        ("Registered by", lambda one: one.shown.created_by),
        ("Source", lambda one: one.shown.source),
        ("Run", lambda one: one.shown.run_id),
        ("Size", lambda one: size(one.facts.size_bytes)),
        ("Files", lambda one: str(one.facts.file_count or "")),
        ("Flavors", lambda one: ", ".join(one.model_file.flavors)),
        ("Aliases", lambda one: ", ".join(f"@{alias}" for alias in one.shown.aliases)),
    ]
    return [
        Section("Facts", [Row(title, [value(one) for one in compared]) for title, value in facts]),
        _union("Tags", [dict(one.shown.tags) for one in compared]),
        _union("Metrics", [_ranked(one.metrics, compared) for one in compared]),
        _union("Parameters of the run", [one.params for one in compared]),
        _union("Inputs", [_written(one.model_file.inputs) for one in compared]),
        _union("Outputs", [_written(one.model_file.outputs) for one in compared]),
        _union("Parameters of the model", [_written(one.model_file.params) for one in compared]),
        _union("Requirements", [one.requirements for one in compared]),
        _union("Files", [one.files for one in compared]),
    ]


def _ranked(metrics: dict[str, str], compared: list[Compared]) -> dict[str, str]:
    """Return metrics with the word for the highest and lowest; which of them is the better, only people know."""
    return {key: value + _rank(value, [one.metrics.get(key, "") for one in compared]) for key, value in metrics.items()}


def _rank(value: str, values: list[str]) -> str:
    try:
        numbers = [float(each) for each in values if each]
        number = float(value)
    except ValueError:
        return ""
    if len(numbers) < 2 or not min(numbers) < max(numbers):
        return ""
    return " (highest)" if number == max(numbers) else " (lowest)" if number == min(numbers) else ""


def _written(columns: Iterable[Column]) -> dict[str, str]:
    return {column.name: column.kind + ("" if column.required else ", optional") for column in columns}


def _union(title: str, found: list[dict[str, str]]) -> Section:
    names = sorted(set().union(*found))
    rows = [Row(name, [one.get(name, "") for one in found]) for name in names]
    # Those that differ first, should there be too many to show.
    rows.sort(key=lambda row: not row.differs)
    return Section(title, rows[:_MOST_ROWS], more=max(0, len(rows) - _MOST_ROWS))


def _narrowed(section: Section, only: bool) -> Section:
    if not only:
        return section
    return Section(section.title, [row for row in section.rows if row.differs], section.more)
