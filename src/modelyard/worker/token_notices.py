"""The work of `note_expiring_tokens`: says each day which tokens end within a week, in its own log and in the worker's.

Nothing is kept of it: a token that is replaced in time and revoked is not told of again, any other one daily.
"""

import structlog

from modelyard.database.session import current_ms, reading
from modelyard.jobs.guards import Claim
from modelyard.registry.tokens import expiring_tokens
from modelyard.rules.counts import counted
from modelyard.rules.tokens import DAY_S
from modelyard.worker.context import Context, Pulse

log = structlog.get_logger(__name__)


def note_expiring_tokens(context: Context, claim: Claim, pulse: Pulse) -> None:
    """Name each token with its owner and the days that it has left, the most urgent first."""
    with reading(context.engine) as session:
        now = current_ms(session)
        found = expiring_tokens(session)
        told = [(token.public_id, token.comment, owner.name, token.expires_at_ms - now) for token, owner in found]
    pulse(step="Looking", items_done=0, items_total=len(told))
    for public_id, comment, owner, left_ms in told:
        days = left_ms // (1000 * DAY_S)
        left = f"in {days} days" if days > 1 else "tomorrow" if days == 1 else "today"
        pulse.say(f"Token {public_id} ({comment or 'no name'}) of {owner} expires {left}.", "warning")
        log.warning("a token expires soon", token=public_id, owner=owner, days=days, job_id=claim.job_id)
    pulse(step="Looking", items_done=len(told), items_total=len(told))
    pulse.say(f"Expiring within a week: {counted(len(told), 'token')}.")
