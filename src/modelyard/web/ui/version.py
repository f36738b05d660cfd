"""The pages of a model version: one address for each tab of its contents."""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from modelyard.errors import NotFound
from modelyard.registry.shown import ShownVersion
from modelyard.web.ui import model
from modelyard.web.ui.frame import fragment, page, unchanged
from modelyard.web.ui.tracking import run_of_version
from modelyard.web.ui.version_contents import Absence, folder_of, model_file_of, open_files, preview_of
from modelyard.web.ui.version_frame import find


def show(name: str, number: int) -> Response:
    """Show a version with the files at its root."""
    return _folder(name, number, "")


def show_path(name: str, number: int, path: str) -> Response:
    """Show a folder of a version, or a file as far as it can be shown."""
    path = path.rstrip("/")
    opened = open_files(name, number)
    if isinstance(opened, Absence) or path not in opened[1].files:
        return _folder(name, number, path)
    return _tab(
        name, number, "artifacts", "version_file.html", path.rpartition("/")[2], preview=preview_of(*opened, path)
    )


def show_schema(name: str, number: int) -> Response:
    """Show what goes into a model and what comes out, as its MLmodel file says."""
    return _tab(name, number, "schema", "version_schema.html", "Schema", **_model_file(name, number))


def show_model_file(name: str, number: int) -> Response:
    """Show a version's MLmodel file."""
    return _tab(name, number, "mlmodel", "version_mlmodel.html", "MLmodel", **_model_file(name, number))


def show_metrics(name: str, number: int) -> Response:
    """Show what the run of a version logged, when the tracking server can be asked."""
    return _tab(name, number, "metrics", "version_metrics.html", "Metrics and parameters", also=_run)


def show_jobs(name: str, number: int) -> Response:
    """Show every job that works or worked on a version."""
    return _tab(name, number, "jobs", "version_jobs.html", "Jobs")


def live(name: str, number: int) -> Response:
    """Show where a version stands if that has changed; with another status its files come along."""
    found = find(name, number)
    same = unchanged(found["seq"])
    if same is not None:
        return same
    tab = request.args.get("tab", "")
    contents_too = tab == "artifacts" and request.args.get("status") != found["version"].status
    files = _files(name, number, "") if contents_too else {}
    return fragment(
        "version_live.html",
        tab=tab,
        contents_too=contents_too,
        request_args_plain=not request.args.get("older"),
        **found,
        **files,
    )


def _folder(name: str, number: int, path: str) -> Response:
    start = request.args.get("from", "0")
    files = _files(name, number, path, int(start) if start.isdigit() and len(start) < 9 else 0)
    return _tab(name, number, "artifacts", "version_artifacts.html", path.rpartition("/")[2], **files)


def _tab(
    name: str,
    number: int,
    tab: str,
    template: str,
    said: str,
    also: Callable[[ShownVersion], dict[str, Any]] = lambda _version: {},
    **context: Any,
) -> Response:
    try:
        found = find(name, number)
    except NotFound as error:
        return model.moved(name, error, "versions", number)
    title = f"Version {number} of {name}"
    shown = {**found, **also(found["version"]), **context}
    return page(template, title=f"{said} · {title}" if said else title, section="models", tab=tab, **shown)


def _files(name: str, number: int, path: str, start: int = 0) -> dict[str, Any]:
    try:
        opened = open_files(name, number)
    except NotFound:
        # The frame says it, or knows the model's new name.
        return {"absence": None, "folder": None, "flavors": []}
    if isinstance(opened, Absence):
        return {"absence": opened, "folder": None, "flavors": []}
    folder = folder_of(opened[1], path, start)
    return {"absence": None, "folder": folder, "flavors": model_file_of(*opened)[0].flavors}


def _run(version: ShownVersion) -> dict[str, Any]:
    run, problem, _ = run_of_version(version.run_id)
    return {"run": run, "problem": problem}


def _model_file(name: str, number: int) -> dict[str, Any]:
    try:
        opened = open_files(name, number)
    except NotFound:
        return {"absence": None, "model_file": None, "text": ""}
    if isinstance(opened, Absence):
        return {"absence": opened, "model_file": None, "text": "", "flavors": []}
    found, text = model_file_of(*opened)
    return {"absence": None, "model_file": found, "text": text, "flavors": found.flavors}
