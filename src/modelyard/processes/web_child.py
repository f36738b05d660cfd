"""One web process: granian's WSGI worker on a listening socket that the supervisor holds.

granian's own main process would bind with SO_REUSEPORT, so that a second server starts silently on the same port and
shares its traffic, and would cost a process. `WSGIWorker` is no public interface: everything that leans on it stands
in this module, its minor version is pinned, and tests/processes/test_web_child.py goes red when it moves.
"""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIApplication

from granian import _futures, _granian, _signals
from granian.http import HTTP1Settings
from granian.wsgi import _callback_wrapper

from modelyard.processes.listening import BACKLOG
from modelyard.processes.memory import return_large_pieces

# granian's stubs have fallen behind its code.
_SocketHolder: Any = _granian.SocketHolder
_WSGIWorker: Any = _granian.WSGIWorker
_new_scheduler: Any = _futures._new_cbscheduler
_set_stop_signals: Any = _signals.set_sync_signals


def serve(listener: socket.socket, make_app: Callable[[], WSGIApplication], *, threads: int) -> None:
    """Answer requests with `threads` threads until TERM, then let the running ones end.

    `make_app` is called in this process, so that engines and connections are never inherited. The caller then ends
    the process by `os._exit`: granian's threads still run, and abort when the interpreter is taken down under them.
    """
    return_large_pieces()
    app = make_app()
    stop = _set_stop_signals()
    wait_until_stopped = _wakeup_of(stop)
    loop = asyncio.new_event_loop()
    worker = _WSGIWorker(
        worker_id=1,
        sock=(None, _SocketHolder(listener.fileno(), False, BACKLOG)),
        ipc=None,
        threads=1,
        # Of granian's own file access, which a WSGI application never uses.
        blocking_threads=4,
        py_threads=threads,
        py_threads_idle_timeout=30,
        backpressure=BACKLOG // 2,
        http_mode="1",
        http1_opts=HTTP1Settings(),
        metrics=(None, None),
    )
    scheduler = _new_scheduler(loop, _callback_wrapper(app, {}), impl_asyncio=True)
    worker.serve_mtr(scheduler, loop, stop)
    wait_until_stopped()


def _wakeup_of(stop: Any) -> Callable[[], None]:
    """Return a function that waits until granian has called back that it stopped.

    A pipe that signals write to as well: one that arrives just before the main thread goes to sleep on a lock would
    be handled only when something else wakes it, which is never.
    """
    stopped = threading.Event()
    wakeup, wakeup_end = os.pipe()
    os.set_blocking(wakeup_end, False)
    signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)

    def on_stopped() -> None:
        stopped.set()
        os.write(wakeup_end, b".")

    def wait() -> None:
        while not stopped.is_set():
            os.read(wakeup, 1)

    stop.add_cb(on_stopped)
    return wait
