"""The start of a worker: a Celery prefork worker for some queues, with our hooks and our way of stopping."""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Final

import structlog
from celery import Celery, signals
from celery.apps.worker import Worker
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from sqlalchemy.exc import DBAPIError

from modelyard.database.session import is_outage
from modelyard.errors import ConfigurationError
from modelyard.jobs.broker import Bell, create_broker
from modelyard.rules.jobs import QUEUES
from modelyard.runtime import Runtime
from modelyard.settings import Settings
from modelyard.worker.assembly import Assembly
from modelyard.worker.context import Context
from modelyard.worker.drain import Drain, DrainFlag
from modelyard.worker.sharing import share_children

_LOADED_LATE: Final = (
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.backends.base",
    "celery.concurrency.prefork",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.strategy",
    "kombu.transport.redis",
)

log = structlog.get_logger(__name__)

NO_BROKER = (
    "MODELYARD_BROKER_URL is not set, and a worker has nothing to listen to without it. "
    "Set it to a redis:// address, or run `modelyard up`, which brings a broker."
)


@dataclass(frozen=True, slots=True)
class WorkerHooks:
    """What the processes of a worker do besides being Celery; each runs in the process that its name says.

    `register_tasks` runs before the pool forks and opens no connection, since children would share it.
    `on_child_start` runs in each pool child before its first task. `on_main_start` runs once in the main process when
    it consumes; its second argument answers the pids of the pool's children. Threads that it starts must be daemons
    and bear being cut anywhere: an idle worker leaves by `os._exit`.
    """

    register_tasks: Callable[[Celery, DrainFlag], None]
    on_child_start: Callable[[], None]
    on_main_start: Callable[[Celery, Callable[[], frozenset[int]]], None]


def preload() -> None:
    """Import what Celery would import when the worker starts, so that processes forked afterwards share it."""
    for module in _LOADED_LATE:
        import_module(module)


def run_worker(
    settings: Settings, *, queues: Sequence[str], concurrency: int, hooks: WorkerHooks, name: str = "worker"
) -> int:
    """Work on `queues` with `concurrency` children until TERM; return the exit status.

    Raises ConfigurationError for an unknown queue or when there is no broker to listen to.
    """
    app = create_broker(_broker_url(settings))
    _check_queues(queues)
    flag = DrainFlag()
    hooks.register_tasks(app, flag)
    _tame_libraries()

    # Celery holds receivers weakly, hence the names: they live as long as the worker runs.
    receivers = _connect_hooks(app, hooks, lambda: _pool_pids(worker))
    worker = app.Worker(
        hostname=f"{name}-{os.getpid()}@{socket.gethostname()}",
        queues=share_children(app, queues, concurrency),
        concurrency=concurrency,
        pool_cls="prefork",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )

    drain = Drain(flag, grace_s=settings.drain_s, pool_pids=lambda: _pool_pids(worker))
    drain.connect()
    worker.start()
    del drain, receivers
    return int(worker.exitcode or 0)


def worker_hooks(settings: Settings, *, queues: Sequence[str], concurrency: int) -> WorkerHooks:
    """Return what Modelyard's own workers do: the kinds of jobs in the children, a sweep in the main process."""
    assembly = Assembly(partial(_open_context, settings), queues, concurrency, settings.sweep_s)
    return WorkerHooks(assembly.register, assembly.start_child, assembly.start_main)


def _open_context(settings: Settings, flag: DrainFlag) -> tuple[Context, Bell]:
    runtime = Runtime.open(settings)
    if runtime.bell is None:
        raise ConfigurationError(NO_BROKER)
    context = Context(
        engine=runtime.engine,
        lifecycle=runtime.lifecycle,
        store=runtime.store,
        roots=runtime.roots,
        buckets=runtime.buckets,
        tracking=runtime.tracking,
        limits=runtime.limits,
        drain=flag,
        stall_s=settings.stall_s,
        trust_ms=runtime.trust_ms,
        owner=runtime.owner,
        job_days=settings.job_days,
        trash_ms=runtime.trash_ms,
        grace_ms=runtime.grace_ms,
        verify_bytes_per_s=settings.verify_bytes_per_s,
    )
    return context, runtime.bell


def _tame_libraries() -> None:
    # Celery warns of root for pickle's sake; this worker takes JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    # The sweep is a second thread when a dead child is replaced; the child touches nothing that it holds.
    warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
    # The pool's shared memory lies in files without a name; the folder made for them would stay behind a killed worker.
    multiprocessing.current_process()._config["tempdir"] = tempfile.gettempdir()  # type: ignore[attr-defined]
    # Celery writes its banners past the logs to the original stdout, unless there is none.
    sys.__stdout__ = None  # type: ignore[misc]


def _connect_hooks(app: Celery, hooks: WorkerHooks, pool_pids: Callable[[], frozenset[int]]) -> tuple[object, ...]:
    main_pid = os.getpid()

    def in_child(**_: object) -> None:
        # Celery has asked the kernel to kill this child with its parent; the parent may have died before that.
        if os.getppid() != main_pid:
            os._exit(1)
        _start_or_exit(hooks.on_child_start)

    def in_main(**_: object) -> None:
        # Celery has just asked for these. That a lost connection leaves jobs running is what we want.
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
        # Celery's HUP starts `sys.argv` again, and in a forked worker that is `modelyard up`.
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
        _start_or_exit(partial(hooks.on_main_start, app, pool_pids))

    def keep_logging(**_: object) -> None:
        """A receiver, even an empty one, keeps Celery from setting up logs of its own."""

    signals.setup_logging.connect(keep_logging)
    signals.worker_process_init.connect(in_child)
    signals.worker_ready.connect(in_main)
    return keep_logging, in_child, in_main


def _start_or_exit(start: Callable[[], None]) -> None:
    """Run a hook, and end the process if it raises: Celery would log it and work on without what the hook makes."""
    started = False
    try:
        start()
        started = True
    except DBAPIError as error:
        if not is_outage(error):
            raise
        # Nothing is wrong with this process: it is started again, until the database is back.
        log.warning("the database does not answer; this process of the worker ends", reason=str(error.orig))
        os._exit(1)
    finally:
        if not started:
            log.critical("this process of the worker cannot start", exc_info=True)
            os._exit(1)


def _pool_pids(worker: Worker) -> frozenset[int]:
    pool = getattr(worker.pool, "_pool", None)
    return frozenset(child.pid for child in pool._pool if child.pid) if pool is not None else frozenset()


def _broker_url(settings: Settings) -> str:
    if settings.broker_url is None:
        raise ConfigurationError(NO_BROKER)
    return settings.broker_url.get_secret_value()


def _check_queues(queues: Sequence[str]) -> None:
    unknown = [queue for queue in queues if queue not in QUEUES]
    if unknown or not queues:
        raise ConfigurationError(f"Unknown queue {', '.join(unknown) or '(none)'}; expected {' or '.join(QUEUES)}.")
