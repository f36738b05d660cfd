"""A tracking server of MLflow, asked by REST: where the files of a run or a logged model lie, and those files.

The server is another party: what it answers is bounded, checked and never followed to another host.
Source of the routes: contracts/mlflow.md 2.4 and 3.2.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from modelyard.errors import ConfigurationError, NotFound, SourceUnreadable, TemporaryFailure
from modelyard.rules.sources import shown

ARTIFACT_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
MAX_ANSWER_BYTES = 32 << 20
# As many files are fetched at once (storage/copying.py), each over a connection that is kept.
_CONNECTIONS = 8
# A page that waits longer is no page, and holds a thread of the web process.
_FOR_A_PERSON = urllib3.Timeout(connect=2.0, read=8.0)
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class LoggedModelInfo:
    """Where a logged model lies, what it is called, and the run that made it, if one did."""

    artifact_uri: str
    name: str
    run_id: str | None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Where the artifacts of a run lie, and the ids of the logged models that it made."""

    artifact_uri: str
    model_ids: tuple[str, ...]


class TrackingServer:
    """The server of MODELYARD_TRACKING_URI. Use it only in the process that asks: connections do not survive a fork.

    Every method raises NotFound for what the server does not know, SourceUnreadable for other refusals,
    TemporaryFailure while it does not answer. Raises ConfigurationError for an address that is no http(s) URL.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 60.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ConfigurationError(
                "MODELYARD_TRACKING_URI must be the http(s) address of a tracking server, without user and query; "
                "credentials go into MODELYARD_TRACKING_TOKEN, or _USERNAME and _PASSWORD."
            )
        self.url = url.rstrip("/")
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "modelyard"} | _authorization(
            token, username, password
        )
        self._timeout = urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s)
        self._pool = urllib3.PoolManager(retries=False, maxsize=_CONNECTIONS)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def logged_model(self, model_id: str) -> LoggedModelInfo:
        """Look up a logged model of mlflow 3."""
        answer = self._get_json(f"/api/2.0/mlflow/logged-models/{quote(model_id, safe='')}")
        info = _mapping(_mapping(answer, "model"), "info")
        return LoggedModelInfo(_text(info, "artifact_uri"), _text(info, "name"), _text(info, "source_run_id") or None)

    def run(self, run_id: str) -> RunInfo:
        """Look up a run."""
        answer = self._get_json(f"/api/2.0/mlflow/runs/get?{urlencode({'run_id': run_id})}")
        run = _mapping(answer, "run")
        outputs = _mapping(run, "outputs").get("model_outputs", [])
        models = [_text(output, "model_id") for output in outputs] if isinstance(outputs, list) else []
        return RunInfo(_text(_mapping(run, "info"), "artifact_uri"), tuple(model for model in models if model))

    def list_artifacts(self, path: str) -> list[object]:
        """Return the raw entries of one folder of the artifact proxy; nothing there gives an empty list."""
        files = self._get_json(f"{ARTIFACT_PROXY}?{urlencode({'path': path})}").get("files", [])
        if not isinstance(files, list):
            raise SourceUnreadable(f"The tracking server's listing of {shown(path)} is no list of files.")
        return files

    @contextmanager
    def open_artifact(self, path: str) -> Iterator[urllib3.BaseHTTPResponse]:
        """Open one file of the artifact proxy; its bytes are still to be counted by the caller."""
        with self._request(f"{ARTIFACT_PROXY}/{quote(path)}") as response:
            yield response

    def ask(
        self, route: str, body: dict[str, object] | None = None, *, query: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, object]:
        """Return the answer of a route below /api/2.0/mlflow/, by POST with a body; somebody waits for it."""
        path = f"/api/2.0/mlflow/{route}" + (f"?{urlencode(query)}" if query else "")
        return self._get_json(path, body, timeout=_FOR_A_PERSON)

    def _get_json(
        self, path: str, body: dict[str, object] | None = None, timeout: urllib3.Timeout | None = None
    ) -> dict[str, object]:
        with self._request(path, body, timeout) as response, answering():
            content = response.read(MAX_ANSWER_BYTES + 1)
            # A first read may give less than asked for, so the end must be seen.
            while len(content) <= MAX_ANSWER_BYTES and (piece := response.read(1 << 20)):
                content += piece
        if len(content) > MAX_ANSWER_BYTES:
            raise SourceUnreadable(f"The tracking server's answer to {path} has more than {MAX_ANSWER_BYTES} bytes.")
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise SourceUnreadable(
                f"The tracking server's answer to {path} is not JSON. Is MODELYARD_TRACKING_URI an MLflow server?"
            ) from error
        if not isinstance(answer, dict):
            raise SourceUnreadable(f"The tracking server's answer to {path} is no JSON object.")
        return answer

    @contextmanager
    def _request(
        self, path: str, body: dict[str, object] | None = None, timeout: urllib3.Timeout | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        method = "GET" if body is None else "POST"
        with answering():
            response = self._pool.request(
                method,
                self.url + path,
                headers=self._headers,
                preload_content=False,
                redirect=False,
                json=body,
                timeout=timeout or self._timeout,
            )
        try:
            _check_status(response, path.partition("?")[0])
            yield response
        finally:
            # Not drained: what is left of a body that we do not want may be without end.
            response.close()


@contextmanager
def answering() -> Iterator[None]:
    """Turn trouble on the line to the tracking server into TemporaryFailure."""
    try:
        yield
    except (HTTPError, OSError) as error:
        raise TemporaryFailure(
            f"The tracking server does not answer ({type(error).__name__}). The copy is tried again."
        ) from error


def _check_status(response: urllib3.BaseHTTPResponse, path: str) -> None:
    status = response.status
    if status == 200:
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise SourceUnreadable(f"The tracking server sent {path} with the encoding {shown(encoding)}, unasked.")
        return
    if status in _LATER:
        raise TemporaryFailure(f"The tracking server answered {status} to {path}. The copy is tried again.")
    if status == 404:
        raise NotFound(f"The tracking server of MODELYARD_TRACKING_URI does not know {path}.")
    if status in (401, 403):
        raise SourceUnreadable(
            f"The tracking server refused Modelyard with {status}. Set MODELYARD_TRACKING_TOKEN, or "
            "MODELYARD_TRACKING_USERNAME and MODELYARD_TRACKING_PASSWORD, to a user who may read the model."
        )
    if 300 <= status < 400:
        raise SourceUnreadable(
            f"The tracking server answered with a redirect ({status}), which is not followed. "
            "Set MODELYARD_TRACKING_URI to its final address."
        )
    raise SourceUnreadable(f"The tracking server answered {status} to {path}.")


def _authorization(token: str | None, username: str | None, password: str | None) -> dict[str, str]:
    if username is not None:
        return urllib3.make_headers(basic_auth=f"{username}:{password or ''}")
    return {"Authorization": f"Bearer {token}"} if token is not None else {}


def _mapping(answer: Mapping[str, object], key: str) -> dict[str, object]:
    value = answer.get(key, {})
    return value if isinstance(value, dict) else {}


def _text(answer: object, key: str) -> str:
    value = answer.get(key) if isinstance(answer, dict) else None
    return value if isinstance(value, str) else ""
