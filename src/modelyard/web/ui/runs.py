"""Registering from a run: the configured tracking server, its experiments, their runs, the models that these hold."""

from typing import Any

from flask import Response

from modelyard.database.session import autocommit
from modelyard.registry.pages import Search
from modelyard.registry.searches import search_model_versions
from modelyard.registry.shown import ShownVersion
from modelyard.rules.filters import Attribute, Comparison, Operator
from modelyard.rules.ordering import OrderKey
from modelyard.rules.versions import VersionStatus
from modelyard.storage import run_browsing
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import query, seq_of
from modelyard.web.ui.frame import fragment, page, unchanged
from modelyard.web.ui.tracking import asked
from modelyard.web.ui.words import address

_NEWEST_FIRST = [OrderKey("created_at", descending=True), OrderKey("name"), OrderKey("version")]
_VERSIONS_OF_RUN = 200
_BUSY_S, _QUIET_S = 1, 5


def show_experiments() -> Response:
    """Show the tracking server's experiments."""
    q = query("name").strip()
    found, problem, _ = asked(lambda server: run_browsing.experiments(server, q))
    return page(
        "experiments.html",
        title="Register from a run",
        section="register",
        experiments=found or [],
        problem=problem,
        name=q,
    )


def show_runs(experiment_id: str) -> Response:
    """Show the newest runs of an experiment."""
    found, problem, _ = asked(lambda server: run_browsing.runs(server, experiment_id))
    return page(
        "runs.html",
        title=f"Runs of experiment {experiment_id}",
        section="register",
        runs=found or [],
        problem=problem,
        experiment_id=experiment_id,
    )


def show_run(experiment_id: str, run_id: str) -> Response:
    """Show a run and one of its folders, with a button beside each model."""
    path = query("path").strip("/")
    run, problem, _ = asked(lambda server: run_browsing.run(server, run_id))
    found, problem_of_files, _ = asked(lambda server: run_browsing.entries(server, run_id, path))
    return page(
        "run.html",
        title=f"{run.name if run else run_id}: artifacts",
        section="register",
        run=run,
        problem=problem or problem_of_files,
        **_entries(experiment_id, run_id, path, found or []),
    )


def live(experiment_id: str, run_id: str) -> Response:
    """Show the buttons again when a registration from this run has moved; the files are those of the page."""
    path = query("path").strip("/")
    versions = _versions_of(run_id)
    same = unchanged(_seq(versions))
    if same is not None:
        return same
    found, _, _ = asked(lambda server: run_browsing.entries(server, run_id, path))
    return fragment("_run.html", **_entries(experiment_id, run_id, path, found or []))


def _entries(experiment_id: str, run_id: str, path: str, found: list[run_browsing.RunEntry]) -> dict[str, Any]:
    versions = _versions_of(run_id)
    registered: dict[str, ShownVersion] = {}
    for version in versions:
        registered.setdefault(version.source, version)
    busy = any(version.status == VersionStatus.PENDING for version in versions)
    here = address("runs", experiment_id, run_id, path=path)
    return {
        "experiment_id": experiment_id,
        "run_id": run_id,
        "path": path,
        "entries": found,
        "source_here": run_browsing.source_of(run_id, path, found),
        "registered": registered,
        "back": here,
        "here": address("ui", "runs", experiment_id, run_id, path=path or "/"),
        "seq": _seq(versions),
        "seconds": _BUSY_S if busy else _QUIET_S,
    }


def _versions_of(run_id: str) -> list[ShownVersion]:
    wanted = Search([Comparison(Attribute("run_id"), Operator.EQUAL, run_id)], _NEWEST_FIRST, _VERSIONS_OF_RUN)
    with autocommit(site().engine) as connection:
        return search_model_versions(connection, current_actor(), wanted).rows


def _seq(versions: list[ShownVersion]) -> str:
    return seq_of([(version.id, version.status, version.status_message) for version in versions])
