"""Where MLflow keeps files on a local disk: runs and logged models found below the source roots without a server.

    <root>/<experiment>/models/<m-ID>/artifacts
    <root>/<experiment>/<run>/artifacts/<path>

mlflow 3 with a local tracking store makes `mlruns`, a server with its defaults `mlartifacts`; a root may be either,
or the folder that holds them. One listing a level, never a search.
"""

import os

from modelyard.errors import SourceUnreadable
from modelyard.storage.beneath import FOLDER_FLAGS, open_beneath
from modelyard.storage.roots import SourceRoots

_BASES = (".", "mlruns", "mlartifacts")


def open_logged_model(roots: SourceRoots, model_id: str) -> int | None:
    """Return a descriptor of the folder of a logged model; None if there is none below the roots."""
    return _open_in_experiments(roots, f"models/{model_id}/artifacts", what=model_id)


def open_run_folder(roots: SourceRoots, run_id: str, path: str) -> int | None:
    """Return a descriptor of a folder of a run's artifacts; None if there is none below the roots."""
    inside = f"{run_id}/artifacts/{path}" if path else f"{run_id}/artifacts"
    return _open_in_experiments(roots, inside, what=f"runs:/{run_id}/{path}")


def open_artifact_folder(roots: SourceRoots, path: str) -> int | None:
    """Return a descriptor of a folder of an artifact store, by its path from the store's root."""
    with roots.opened() as opened:
        for _, root in opened:
            for base in _BASES:
                folder = _open_if_there(root, f"{base}/{path}" if path else base)
                if folder is not None:
                    return folder
    return None


def _open_in_experiments(roots: SourceRoots, inside: str, *, what: str) -> int | None:
    found: dict[tuple[int, int], int] = {}
    with roots.opened() as opened:
        for _, root in opened:
            for base in _BASES:
                for experiment in _folders(root, base):
                    folder = _open_if_there(root, f"{base}/{experiment}/{inside}")
                    if folder is not None:
                        _keep_one(found, folder)
    if len(found) > 1:
        for folder in found.values():
            os.close(folder)
        raise SourceUnreadable(f"{what} lies in {len(found)} folders below the source roots. Register one by its path.")
    return next(iter(found.values()), None)


def _keep_one(found: dict[tuple[int, int], int], folder: int) -> None:
    """Remember a folder once, under however many names it was met (roots may lie in each other)."""
    seen = os.fstat(folder)
    identity = (seen.st_dev, seen.st_ino)
    if identity in found:
        os.close(folder)
    else:
        found[identity] = folder


def _folders(root: int, base: str) -> list[str]:
    folder = _open_if_there(root, base)
    if folder is None:
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    finally:
        os.close(folder)


def _open_if_there(root: int, path: str) -> int | None:
    """Open a folder, or say that there is none: missing, closed to us, or behind a symbolic link."""
    try:
        return open_beneath(root, path, FOLDER_FLAGS)
    except OSError:
        return None
