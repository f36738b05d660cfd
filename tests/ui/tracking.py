"""A small tracking server: one experiment with one run, whose artifacts hold a model and a folder that is none."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.ui.registry import MLMODEL

RUN = "0f82831aa67a4c20b1d4a1c2d3e4f506"
FILES = {
    "xgb-model/MLmodel": MLMODEL.encode(),
    "xgb-model/model.pkl": b"\x80\x04\x00",
    "broken-model/MLmodel": b"flavors: {}\n",
    "plots/loss.txt": b"1 2 3\n",
    "readme.txt": b"read me\n",
}
ROOT = f"1/{RUN}/artifacts"
_RUN: dict[str, object] = {
    "info": {
        "run_id": RUN,
        "run_name": "gbm-retrain-0121",
        "status": "FINISHED",
        "user_id": "amira",
        "start_time": 1_795_000_000_000,
        "artifact_uri": f"mlflow-artifacts:/{ROOT}",
    },
    "data": {"metrics": [{"key": "rmse", "value": 0.118}], "params": [{"key": "depth", "value": "6"}]},
}


class Tracking:
    """The server, on a port of its own. What stands in `missing` is listed and cannot be fetched."""

    def __init__(self) -> None:
        self.missing: set[str] = {"broken-model/MLmodel"}
        self.runs: dict[str, dict[str, object]] = {RUN: _RUN}
        handler = type("Handler", (_Handler,), {"tracking": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    tracking: Tracking
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("experiments/search"):
            experiment = {"experiment_id": "1", "name": "forecasting", "last_update_time": 1_795_000_000_000}
            self._answer({"experiments": [experiment]})
        else:
            self._answer({"runs": [_RUN]})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path.endswith("runs/get"):
            run = self.tracking.runs.get(asked.get("run_id", ""))
            self._answer({"run": run}) if run else self._send(404, b"{}")
        elif parts.path.endswith("artifacts/list"):
            self._answer({"files": _listed(asked.get("path", ""), prefix=True)})
        elif parts.path.endswith("mlflow-artifacts/artifacts"):
            self._answer({"files": _listed(asked.get("path", "").removeprefix(ROOT).strip("/"), prefix=False)})
        else:
            self._file(unquote(parts.path).partition(f"{ROOT}/")[2])

    def _file(self, path: str) -> None:
        if path not in FILES or path in self.tracking.missing:
            self._send(404, b"{}")
        else:
            self._send(200, FILES[path])

    def _answer(self, document: object) -> None:
        self._send(200, json.dumps(document).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def _listed(folder: str, *, prefix: bool) -> list[dict[str, object]]:
    """Return the entries of a folder as `artifacts/list` does, or with bare names as the proxy does."""
    start = f"{folder}/" if folder else ""
    found: dict[str, dict[str, object]] = {}
    for path, content in FILES.items():
        if path.startswith(start):
            name, slash, _ = path.removeprefix(start).partition("/")
            shown = start + name if prefix else name
            found[name] = {"path": shown, "is_dir": bool(slash)} | ({} if slash else {"file_size": len(content)})
    return list(found.values())
