"""What a process must find before it starts: a database on our schema, a store, settings that fit together."""

from modelyard.processes.forked import Forked
from modelyard.processes.upgrading import database_errors_explained
from modelyard.runtime import Runtime
from modelyard.settings import Settings


def check_start(settings: Settings) -> None:
    """Open everything once and close it again, so that a mistake is one line here and not a child that keeps dying.

    Nothing is connected any more when it returns: forks may follow. Raises ConfigurationError.
    """
    with database_errors_explained(settings):
        runtime = Runtime.open(settings)
        runtime.engine.dispose()
    if not runtime.store.survives_fork:
        Forked(lambda: runtime.store.create_or_check(runtime.owner)).wait()
