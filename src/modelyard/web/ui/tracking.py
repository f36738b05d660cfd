"""What pages ask of the configured tracking server, whose failures are words on the page and never its end."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from modelyard.errors import InvalidState, NotFound, SourceUnreadable, TemporaryFailure
from modelyard.storage import run_browsing
from modelyard.storage.run_browsing import Run
from modelyard.storage.tracking import TrackingServer
from modelyard.web.site import site

Found = TypeVar("Found")


class Answer(NamedTuple, Generic[Found]):
    """What the tracking server answered, or None and why there is none.

    `away` says that it answers nothing at all now, so that another question would be asked in vain.
    """

    found: Found | None
    problem: str
    away: bool = False


def asked(question: Callable[[TrackingServer], Found]) -> Answer[Found]:
    """Ask the configured tracking server."""
    server = site().tracking
    if server is None:
        return Answer(None, "No tracking server is configured. The operator sets MODELYARD_TRACKING_URI.", away=True)
    if not site().sources.runs_permitted:
        refused = "Runs are not read here: the operator may allow it with MODELYARD_TRACKING_SHARED=true."
        return Answer(None, refused, away=True)
    try:
        return Answer(question(server), "")
    except NotFound as error:
        return Answer(None, error.message)
    except (SourceUnreadable, TemporaryFailure, InvalidState) as error:
        again = error.message.replace(" The copy is tried again.", " Try again in a moment.")
        return Answer(None, again, away=isinstance(error, TemporaryFailure))


def run_of_version(run_id: str) -> Answer[Run]:
    """Return the run that a version came from; "" stands for no run."""
    if not run_id:
        return Answer(None, "This version was registered without a run.")
    answer = asked(lambda server: run_browsing.run(server, run_id))
    if answer.found is None and site().tracking is not None and site().sources.runs_permitted:
        return answer._replace(problem=f"Run {run_id} cannot be read. {answer.problem}")
    return answer
