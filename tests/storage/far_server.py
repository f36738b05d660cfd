"""The far side of the network: a tracking server that answers as MLflow does, or lies as it is told."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
Answer = tuple[int, dict[str, str], bytes]


class FarServer:
    """Serves `files` (path -> bytes), `models` and `runs` (id -> document); `lies` maps a path to another answer."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.models: dict[str, dict[str, object]] = {}
        self.runs: dict[str, dict[str, object]] = {}
        self.lies: dict[str, Answer | Callable[[], Answer]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def lie_in_listing(self, folder: str, *entries: object) -> None:
        """Answer the listing of `folder` with `entries`, whatever lies there."""
        self.lies[f"{PROXY}?path={folder}"] = as_json({"files": entries})

    def answer(self, target: str) -> Answer:
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        path = unquote(parts.path)
        asked = f"{path}?path={query['path']}" if "path" in query else path
        if asked in self.lies:
            lie = self.lies[asked]
            return lie() if callable(lie) else lie
        if path == PROXY:
            return as_json(self._listing(query["path"]))
        if path.startswith(f"{PROXY}/"):
            return self._file(path.removeprefix(f"{PROXY}/"))
        if path.startswith("/api/2.0/mlflow/logged-models/"):
            return _found(self.models.get(path.rpartition("/")[2]))
        return _found(self.runs.get(query.get("run_id", "")))

    def _listing(self, folder: str) -> dict[str, object]:
        inside = {path[len(folder) + 1 :]: content for path, content in self.files.items() if path.startswith(folder)}
        files = [_entry(path, content) for path, content in inside.items() if "/" not in path]
        folders = sorted({path.partition("/")[0] for path in inside if "/" in path})
        entries = [*files, *({"path": name, "is_dir": True} for name in folders)]
        return {"files": entries} if entries else {}

    def _file(self, path: str) -> Answer:
        if path not in self.files:
            return 404, {}, b"{}"
        return 200, {}, self.files[path]

    def logged_model(self, model_id: str, artifact_uri: str, *, name: str = "model", run_id: str = "r1") -> None:
        """Let the server know a logged model."""
        info = {"model_id": model_id, "artifact_uri": artifact_uri, "name": name, "source_run_id": run_id}
        self.models[model_id] = {"model": {"info": info, "data": {}}}

    def run(self, run_id: str, artifact_uri: str, *model_ids: str) -> None:
        """Let the server know a run that made these logged models."""
        outputs = {"model_outputs": [{"model_id": model_id, "step": 0} for model_id in model_ids]}
        self.runs[run_id] = {"run": {"info": {"artifact_uri": artifact_uri}, "inputs": {}, "outputs": outputs}}


def as_json(document: object) -> Answer:
    """Return an answer of 200 with a JSON body."""
    return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()


def _entry(path: str, content: bytes) -> dict[str, object]:
    # MLflow leaves out a size of 0.
    return {"path": path, "is_dir": False} | ({"file_size": len(content)} if content else {})


def _found(document: dict[str, object] | None) -> Answer:
    return as_json(document) if document is not None else (404, {}, b'{"error_code":"RESOURCE_DOES_NOT_EXIST"}')


def _handler(server: FarServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append((self.path, dict(self.headers.items())))
            status, headers, body = server.answer(self.path)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                if value:  # An empty value takes the header away.
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler
