"""The web processes of a machine: some children answering on one socket."""

import socket
from functools import partial
from wsgiref.types import WSGIApplication

from modelyard.processes.children import Part
from modelyard.processes.listening import bind_web, web_url
from modelyard.processes.supervisor import Supervisor
from modelyard.processes.web_child import serve
from modelyard.runtime import Runtime
from modelyard.settings import Settings
from modelyard.web.app import create_app

# granian waits for ever for one stalled download.
GRACE_S = 10.0


def run_web(settings: Settings) -> int:
    """Serve until TERM (`modelyard web`); return the exit status."""
    listener = bind_web(settings.host, settings.port)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    return Supervisor(web_parts(settings, listener)).run(
        on_started=lambda: print(f"Modelyard answers on {web_url(listener, settings.host)}", flush=True)
    )


def web_parts(settings: Settings, listener: socket.socket) -> list[Part]:
    """Return the web processes that answer on `listener`."""
    run = partial(_answer, settings, listener)
    return [Part(f"web-{number}", run, grace_s=GRACE_S) for number in range(1, settings.web_processes + 1)]


def _answer(settings: Settings, listener: socket.socket) -> None:
    def make_app() -> WSGIApplication:
        return create_app(Runtime.open(settings))

    serve(listener, make_app, threads=settings.web_threads)
