"""The work of `probe`: nothing. That it was done shows that a worker hears, claims and finishes."""

from modelyard.jobs.guards import Claim
from modelyard.worker.context import Context, Pulse


def probe(context: Context, claim: Claim, pulse: Pulse) -> None:
    """Succeed."""
