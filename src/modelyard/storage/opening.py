"""From a source's text to its files: may it be read here, where does it lie, and the tree that holds it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from modelyard.errors import NotFound, SourceRefused, SourceUnreadable
from modelyard.rules.buckets import BucketFolder
from modelyard.rules.sources import (
    UPLOAD_HINT,
    CopiedSource,
    LocalPath,
    LoggedModel,
    RegisteredVersion,
    RunPath,
    Source,
    TrackingArtifacts,
    Upload,
    parse_source,
    shown,
)
from modelyard.storage import mlflow_layout
from modelyard.storage.local_tree import LocalTree
from modelyard.storage.roots import SourceRoots
from modelyard.storage.source_buckets import NO_BUCKETS, SourceBuckets
from modelyard.storage.tracking import ARTIFACT_PROXY, TrackingServer
from modelyard.storage.tracking_tree import TrackingTree
from modelyard.storage.tree import Limits, Tree

# A run of a sweep may have logged thousands of models; each costs a request.
_MOST_MODELS_ASKED = 200


@dataclass(frozen=True, slots=True)
class OpenedSource:
    """The files of a source, and the run that made them where the source tells it."""

    tree: Tree
    run_id: str | None = None


def check_source(
    source: Source,
    *,
    roots: SourceRoots,
    tracking_configured: bool,
    runs_permitted: bool = True,
    buckets: SourceBuckets = NO_BUCKETS,
) -> None:
    """Refuse, at request time, a source that no worker of this installation could read. Raises SourceRefused.

    `runs_permitted` is False where the tracking server's credentials are not every user's (MODELYARD_TRACKING_SHARED).
    """
    match source:
        case RegisteredVersion() | Upload():
            return
        case LocalPath(path):
            _check_path(path, roots)
        case BucketFolder():
            _check_bucket(source, buckets)
        case _ if tracking_configured and not runs_permitted:
            raise SourceRefused(
                "Runs and logged models are not read here, since the tracking server's credentials are not every "
                f"user's. The operator may allow it with MODELYARD_TRACKING_SHARED=true. {UPLOAD_HINT}"
            )
        case _ if not tracking_configured and not roots:
            raise SourceRefused(f"This server does not know your tracking server. {_settings_that_help()}")


@contextmanager
def open_source(
    source: CopiedSource,
    *,
    roots: SourceRoots,
    tracking: TrackingServer | None,
    limits: Limits,
    buckets: SourceBuckets = NO_BUCKETS,
) -> Iterator[OpenedSource]:
    """Open the files that `source` names, for the length of the context.

    Runs and logged models are asked of the tracking server; without one, or when it does not know them, they are
    looked up below the roots by MLflow's layout. Raises SourceUnreadable, TemporaryFailure.
    """
    opened = _Opening(roots, tracking, limits, buckets).open(source)
    try:
        yield opened
    finally:
        opened.tree.close()


class _Opening:
    def __init__(
        self,
        roots: SourceRoots,
        tracking: TrackingServer | None,
        limits: Limits,
        buckets: SourceBuckets,
    ) -> None:
        self._roots = roots
        self._tracking = tracking
        self._limits = limits
        self._buckets = buckets

    def open(self, source: CopiedSource) -> OpenedSource:
        match source:
            case LocalPath(path):
                return OpenedSource(self._local_tree(self._roots.open_folder(path), str(path)))
            case LoggedModel(model_id):
                return self._open_logged_model(model_id)
            case RunPath(run_id, path):
                return self._open_run_path(run_id, path)
            case TrackingArtifacts(path):
                return OpenedSource(self._open_artifacts(path))
            case BucketFolder():
                return OpenedSource(self._buckets.open_tree(source))

    def _open_logged_model(self, model_id: str) -> OpenedSource:
        if self._tracking is not None:
            try:
                info = self._tracking.logged_model(model_id)
            except NotFound:
                pass
            else:
                return OpenedSource(self._open_artifact_uri(info.artifact_uri), info.run_id)
        folder = mlflow_layout.open_logged_model(self._roots, model_id)
        return OpenedSource(self._found(folder, f"models:/{model_id}"))

    def _open_run_path(self, run_id: str, path: str) -> OpenedSource:
        if self._tracking is not None:
            try:
                tree = self._tree_of_run(self._tracking, run_id, path)
            except NotFound:
                pass
            else:
                return OpenedSource(tree, run_id)
        folder = mlflow_layout.open_run_folder(self._roots, run_id, path)
        return OpenedSource(self._found(folder, f"runs:/{run_id}/{path}"), run_id)

    def _tree_of_run(self, tracking: TrackingServer, run_id: str, path: str) -> Tree:
        """Open a folder of a run's artifacts or, as mlflow 3 means it, of the run's logged model of that name."""
        run = tracking.run(run_id)
        name, _, inside = path.partition("/")
        for model_id in run.model_ids[-_MOST_MODELS_ASKED:][::-1]:
            try:
                model = tracking.logged_model(model_id)
            except NotFound:  # Deleted since.
                continue
            if model.name == name:
                return self._open_artifact_uri(_joined(model.artifact_uri, inside))
        return self._open_artifact_uri(_joined(run.artifact_uri, path))

    def _open_artifacts(self, path: str) -> Tree:
        if self._tracking is not None:
            return TrackingTree(self._tracking, path, self._limits)
        return self._found(mlflow_layout.open_artifact_folder(self._roots, path), f"mlflow-artifacts:/{path}")

    def _open_artifact_uri(self, uri: str) -> Tree:
        """Open what the tracking server names, which is read only where the client could have named it too."""
        try:
            source = parse_source(self._plain(uri))
        except SourceRefused as error:
            raise SourceUnreadable(f"The tracking server keeps these files out of reach. {error.message}") from error
        match source:
            case LocalPath(path):
                return self._local_tree(self._roots.open_folder(path), str(path))
            case TrackingArtifacts(path):
                return self._open_artifacts(path)
            case BucketFolder():
                return self._buckets.open_tree(source)
            case _:
                raise SourceUnreadable(f"The tracking server keeps these files at {shown(uri)}, which is no place.")

    def _plain(self, uri: str) -> str:
        """Return the form of an artifact URI that a client would write: without our own server's address, decoded."""
        parts = urlsplit(uri)
        if parts.scheme == "file" and not parts.netloc:
            return unquote(parts.path)
        if parts.scheme not in ("http", "https", "mlflow-artifacts") or not parts.netloc:
            return uri
        server = urlsplit(self._tracking.url) if self._tracking else urlsplit("")
        if parts.netloc.lower() != server.netloc.lower():
            raise SourceRefused(f"They lie on another host, {shown(parts.netloc.rpartition('@')[2])}. {UPLOAD_HINT}")
        if parts.scheme == "mlflow-artifacts":
            return f"mlflow-artifacts:{parts.path}"
        proxy = f"{server.path}{ARTIFACT_PROXY}/"
        if parts.scheme != server.scheme or not parts.path.startswith(proxy):
            raise SourceRefused("Their address is not that of the server's artifact proxy.")
        return f"mlflow-artifacts:/{unquote(parts.path.removeprefix(proxy))}"

    def _found(self, folder: int | None, what: str) -> Tree:
        if folder is not None:
            return self._local_tree(folder, what)
        looked = "The tracking server does not know it. " if self._tracking is not None else ""
        if self._roots:
            looked += "It lies in none of MLflow's folders below the source roots. "
        raise SourceUnreadable(f"{what} was not found. {looked}{_settings_that_help()}")

    def _local_tree(self, folder: int, origin: str) -> LocalTree:
        return LocalTree(folder, origin, self._limits, forbidden=self._roots.forbidden())


def _check_path(path: PurePosixPath, roots: SourceRoots) -> None:
    if not roots:
        raise SourceRefused(
            "No folders may be registered by path on this server. The operator may name some in "
            f"MODELYARD_SOURCE_ROOTS. {UPLOAD_HINT}"
        )
    if not roots.covers(path):
        raise SourceRefused(
            f"{shown(str(path))} lies outside of the folders that may be registered here (MODELYARD_SOURCE_ROOTS). "
            f"{UPLOAD_HINT}"
        )


def _check_bucket(folder: BucketFolder, buckets: SourceBuckets) -> None:
    if not buckets:
        raise SourceRefused(
            "No buckets may be registered from on this server. The operator may name some in "
            f"MODELYARD_SOURCE_BUCKETS. {UPLOAD_HINT}"
        )
    if not buckets.covers(folder):
        raise SourceRefused(
            f"{folder} lies outside of the buckets that may be registered here (MODELYARD_SOURCE_BUCKETS). "
            f"{UPLOAD_HINT}"
        )


def _settings_that_help() -> str:
    return (
        "The operator can set MODELYARD_TRACKING_URI to your tracking server, or MODELYARD_SOURCE_ROOTS to the "
        f"mlruns folder of a local one. {UPLOAD_HINT}"
    )


def _joined(uri: str, path: str) -> str:
    return f"{uri.rstrip('/')}/{path}" if path else uri
