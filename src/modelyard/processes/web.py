"""The web processes of a machine: some children answering on one address."""

import socket
from functools import partial
from wsgiref.types import WSGIApplication

from modelyard.processes.children import Part
from modelyard.processes.listening import Listeners, bind_web, web_url
from modelyard.processes.supervisor import Supervisor
from modelyard.processes.web_child import serve
from modelyard.runtime import Runtime
from modelyard.settings import Settings
from modelyard.web.app import create_app

# granian waits for ever for one stalled download.
GRACE_S = 10.0


def run_web(settings: Settings) -> int:
    """Serve until TERM (`modelyard web`); return the exit status."""
    listeners = bind_web(settings.host, settings.port, processes=settings.web_processes)
    settings = settings.model_copy(update={"port": listeners.port})
    return Supervisor(web_parts(settings, listeners)).run(
        on_started=lambda: print(f"Modelyard answers on {web_url(listeners, settings.host)}", flush=True)
    )


def web_parts(settings: Settings, listeners: Listeners) -> list[Part]:
    """Return the web processes that answer on `listeners`."""
    return [
        Part(f"web-{place + 1}", partial(_answer, settings, listeners.of(place)), grace_s=GRACE_S)
        for place in range(settings.web_processes)
    ]


def _answer(settings: Settings, listener: socket.socket) -> None:
    def make_app() -> WSGIApplication:
        return create_app(Runtime.open(settings))

    serve(listener, make_app, threads=settings.web_threads)
