"""Looking through a tracking server: its experiments, their runs, the folders of a run that hold a model.

Everything comes from another party: only texts and numbers of the expected kind are taken, and no more than a page.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from modelyard.errors import NotFound, SourceUnreadable
from modelyard.rules.sources import MODEL_FILE
from modelyard.storage.tracking import TrackingServer

SHOWN = 100
# Each folder that is looked into costs a request.
_LOOKED_INTO = 30
_LOGGED_MODELS = 20


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment by its id and name."""

    id: str
    name: str
    updated_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Run:
    """A run: `metrics` and `params` are sorted by name, numbers as they are written."""

    id: str
    name: str
    status: str
    user: str
    started_at_ms: int | None
    metrics: list[tuple[str, str]]
    params: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A file or folder of a run, or a model that it logged; `source` is what registers it, "" if it is no model."""

    path: str
    name: str
    is_folder: bool
    size_bytes: int | None
    source: str = ""


def experiments(server: TrackingServer, name: str = "") -> list[Experiment]:
    """Return the living experiments, changed last first; those with `name` in theirs if so asked."""
    body: dict[str, object] = {"max_results": SHOWN, "order_by": ["last_update_time DESC"]}
    if name:
        # Quotes cannot be written within a filter.
        body["filter"] = f"name ILIKE '%{name.replace(chr(39), '_')}%'"
    found = _list(server.ask("experiments/search", body), "experiments")
    return [
        Experiment(_text(one, "experiment_id"), _text(one, "name"), _number(one, "last_update_time")) for one in found
    ]


def runs(server: TrackingServer, experiment_id: str) -> list[Run]:
    """Return the newest runs of an experiment."""
    body: dict[str, object] = {
        "experiment_ids": [experiment_id],
        "max_results": SHOWN,
        "order_by": ["attributes.start_time DESC"],
    }
    return [_run(one) for one in _list(server.ask("runs/search", body), "runs")]


def run(server: TrackingServer, run_id: str) -> Run:
    """Return one run. Raises NotFound."""
    return _run(_mapping(server.ask("runs/get", query={"run_id": run_id}), "run"))


def entries(server: TrackingServer, run_id: str, path: str) -> list[RunEntry]:
    """Return what a folder of a run holds, models that the run logged first where it is the root."""
    found = _files(server, run_id, path)
    looked_into = 0
    shown = _logged_models(server, run_id) if not path else []
    for entry in found[:SHOWN]:
        source = ""
        if entry.is_folder and looked_into < _LOOKED_INTO:
            looked_into += 1
            source = source_of(run_id, entry.path, _files(server, run_id, entry.path))
        shown.append(RunEntry(entry.path, entry.name, entry.is_folder, entry.size_bytes, source))
    return shown


def source_of(run_id: str, path: str, files: list[RunEntry]) -> str:
    """Return what registers a folder of a run that holds these files, "" if it is no model."""
    is_model = path and any(file.name == MODEL_FILE and not file.is_folder for file in files)
    return f"runs:/{run_id}/{path}" if is_model else ""


def _files(server: TrackingServer, run_id: str, path: str) -> list[RunEntry]:
    query = {"run_id": run_id} | ({"path": path} if path else {})
    found = _list(server.ask("artifacts/list", query=query), "files")
    listed = [
        RunEntry(
            path=_text(one, "path"),
            name=_text(one, "path").rpartition("/")[2],
            is_folder=one.get("is_dir") is True,
            size_bytes=_number(one, "file_size"),
        )
        for one in found
    ]
    return sorted((one for one in listed if one.name), key=lambda one: (not one.is_folder, one.name))


def _logged_models(server: TrackingServer, run_id: str) -> list[RunEntry]:
    """Return the models of mlflow 3 that a run logged; they lie outside of its artifacts."""
    shown = []
    for model_id in server.run(run_id).model_ids[:_LOGGED_MODELS]:
        try:
            name = server.logged_model(model_id).name
        except (NotFound, SourceUnreadable):
            continue
        shown.append(RunEntry("", name or model_id, True, None, f"models:/{model_id}"))
    return shown


def _run(found: Mapping[str, object]) -> Run:
    info, data = _mapping(found, "info"), _mapping(found, "data")
    return Run(
        id=_text(info, "run_id"),
        name=_text(info, "run_name") or _text(info, "run_id"),
        status=_text(info, "status"),
        user=_text(info, "user_id"),
        started_at_ms=_number(info, "start_time"),
        metrics=sorted((_text(one, "key"), str(one.get("value", ""))[:40]) for one in _list(data, "metrics")),
        params=sorted((_text(one, "key"), _text(one, "value")) for one in _list(data, "params")),
    )


def _list(answer: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    found = answer.get(key, [])
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _mapping(answer: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = answer.get(key, {})
    return found if isinstance(found, dict) else {}


def _text(answer: Mapping[str, object], key: str) -> str:
    found = answer.get(key)
    # Half a surrogate pair could be shown by no page.
    return found.encode(errors="replace").decode()[:1000] if isinstance(found, str) else ""


def _number(answer: Mapping[str, object], key: str) -> int | None:
    found = answer.get(key)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 16:
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 10**15 else None
