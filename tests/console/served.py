"""A yard that answers over HTTP, and the command line that asks it."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from wsgiref.types import StartResponse, WSGIEnvironment

from typer.testing import CliRunner
from werkzeug.serving import BaseWSGIServer, make_server

from modelyard.cli import app
from modelyard.errors import ModelyardError
from tests.servers import free_port
from tests.web.yards import Yard

WIDTH = "140"


@dataclass
class Said:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str


@dataclass
class ServedYard:
    """A yard's application on a port that stays the same when it stops and starts again."""

    yard: Yard
    port: int = field(default_factory=free_port)
    requests: int = 0
    _server: BaseWSGIServer | None = None
    _thread: threading.Thread | None = None

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Count a request and let the application answer it."""
        self.requests += 1
        # This server's stream has no end of its own, as granian's has.
        environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        return self.yard.app(environ, start_response)

    def start(self) -> None:
        """Begin to answer."""
        self._server = make_server("127.0.0.1", self.port, self.answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        """Answer no more; without effect when it does not."""
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self._server = self._thread = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words: str, **settings: str) -> Said:
        """Run `modelyard WORDS` against this server, as `main` would."""
        environment = {"MODELYARD_URL": self.url, "COLUMNS": WIDTH, "TZ": "UTC"}
        environment |= {f"MODELYARD_{name.upper()}": value for name, value in settings.items()}
        answer = CliRunner().invoke(app, words, env=environment)
        if isinstance(answer.exception, ModelyardError):
            return Said(2, answer.stdout, f"modelyard: {answer.exception.message}\n")
        if answer.exception is not None and not isinstance(answer.exception, SystemExit):
            raise answer.exception
        return Said(answer.exit_code, answer.stdout, answer.stderr)
