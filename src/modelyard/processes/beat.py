"""`modelyard beat`: a sweep without a worker, for a machine that should only watch."""

import signal
import threading

from modelyard.errors import ConfigurationError
from modelyard.jobs.sweep import Sweep
from modelyard.runtime import Runtime
from modelyard.settings import Settings


def run_beat(settings: Settings) -> None:
    """Sweep until TERM. Any number may run beside the workers' own sweeps.

    Raises ConfigurationError without a broker to ring.
    """
    runtime = Runtime.open(settings)
    if runtime.bell is None:
        raise ConfigurationError("MODELYARD_BROKER_URL is not set, and a beat has nothing to ring without it.")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    Sweep(runtime.lifecycle, runtime.bell, period_s=settings.sweep_s).run(stop)
    runtime.engine.dispose()
