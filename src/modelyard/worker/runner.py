"""Running one job: claim it, do its work under a heartbeat, record how it ended. The same for every kind."""

import os
import random
import socket
import time
from collections.abc import Callable
from functools import partial
from uuid import uuid4

import structlog
from sqlalchemy.exc import DBAPIError

from modelyard.database.session import is_outage
from modelyard.errors import CancelRequested, ClaimLost, ModelyardError, Released, TemporaryFailure
from modelyard.jobs.counters import count
from modelyard.jobs.guards import Claim
from modelyard.jobs.lifecycle import outcome_of
from modelyard.rules.figures import LOST_CLAIMS
from modelyard.rules.jobs import FINAL, RULES, JobKind, JobStatus, backoff_s, check_arguments
from modelyard.worker.beliefs import Beliefs
from modelyard.worker.context import Context, Work
from modelyard.worker.heart import Heart

log = structlog.get_logger(__name__)

End = Callable[[], JobStatus]


def run(context: Context, work: Work, job_id: int, beliefs: Beliefs | None = None) -> JobStatus | None:
    """Run a job to the end of one attempt; return its status then, None when it was not ours to run or to end.

    An outcome is recorded for whatever happens, except when the database does not answer: then the lease decides.
    """
    claimed_s = time.monotonic()
    try:
        claim = context.lifecycle.claim(job_id, new_owner())
    except DBAPIError as error:
        if not is_outage(error):
            raise
        log.warning("a job could not be claimed; the sweep rings again", job_id=job_id, reason=str(error.orig))
        return None
    if claim is None:
        return None
    with structlog.contextvars.bound_contextvars(job_id=job_id, kind=claim.kind, attempt=claim.attempt):
        if beliefs is not None:
            beliefs.hold(claim)
        heart = _heart(context, claim, claimed_s)
        try:
            end = _do(context, work, claim, heart)
            status = _record(context, claim, end, claimed_s) if end is not None else None
            # After the outcome, which somebody waits for.
            heart.count_copied()
        finally:
            if beliefs is not None:
                beliefs.drop()
        log.info(
            "job ended" if status in FINAL else "attempt ended", status=status, seconds=time.monotonic() - claimed_s
        )
        return status


def new_owner() -> str:
    """Return a name for one claim: host, this child, the worker's main process, and something never used before."""
    return f"{socket.gethostname()}:{os.getpid()}:{os.getppid()}:{uuid4().hex}"


def _heart(context: Context, claim: Claim, claimed_s: float) -> Heart:
    limit_s = RULES[JobKind(claim.kind)].time_limit_s
    return Heart(
        context.lifecycle, claim, context.drain, context.stall_s, claimed_s, limit_s, pacemaker=context.pacemaker
    )


def _do(context: Context, work: Work, claim: Claim, heart: Heart) -> End | None:
    """Do the work; return how to record its outcome, None when nothing may be recorded."""
    lifecycle = context.lifecycle
    try:
        check_arguments(JobKind(claim.kind), claim.arguments)
        with heart:
            heart()
            result = work(context, claim, heart)
    except ClaimLost:
        _note_lost_claim(context, claim, "the claim is lost; somebody else runs this job")
        return None
    except Released:
        return partial(lifecycle.release, claim, heart.unwritten())
    except CancelRequested:
        return partial(lifecycle.acknowledge_cancel, claim, heart.unwritten())
    except TemporaryFailure as error:
        return _try_again(context, claim, error, heart)
    except ModelyardError as error:
        log.warning("the job failed", reason=error.message, cause=repr(error.__cause__))
        heart.say(error.message, "error")
        return partial(lifecycle.fail, claim, error.error_code, error.message, heart.unwritten())
    except DBAPIError as error:
        if is_outage(error):
            log.warning("the database does not answer; the lease decides", reason=str(error.orig))
            return None
        return _bug(context, claim, heart)
    except SystemExit:
        _release_and_go(context, claim, heart)
        raise
    except Exception:  # noqa: BLE001 - the one place that must record an outcome for whatever was raised.
        return _bug(context, claim, heart)
    return partial(lifecycle.finish, claim, result, heart.unwritten(), heart.progress)


def _release_and_go(context: Context, claim: Claim, heart: Heart) -> None:
    """Celery ends this child: one try to give the job back. Whatever becomes of it, the child has to go."""
    try:
        context.lifecycle.release(claim, heart.unwritten())
    except (ClaimLost, DBAPIError) as error:
        log.warning("the job could not be given back; the lease decides", reason=str(error))


def _try_again(context: Context, claim: Claim, error: TemporaryFailure, heart: Heart) -> End:
    delay_ms = int(backoff_s(claim.attempt, random.random()) * 1000)  # noqa: S311 - jitter, no secret.
    log.warning("temporary failure", reason=error.message, delay_ms=delay_ms)
    heart.say(error.message, "warning")
    return partial(
        context.lifecycle.give_back,
        claim,
        delay_ms=delay_ms,
        error_code=error.error_code,
        message=error.message,
        said=heart.unwritten(),
    )


def _bug(context: Context, claim: Claim, heart: Heart) -> End:
    number = uuid4().hex[:8]
    log.exception("a defect of Modelyard ended this job", number=number)
    message = f"An internal error ended this job. The worker's log tells more under number {number}."
    heart.say(message, "error")
    return partial(context.lifecycle.fail, claim, "INTERNAL_ERROR", message, heart.unwritten())


def _record(context: Context, claim: Claim, end: End, claimed_s: float) -> JobStatus | None:
    """Write the outcome. When the commit's own outcome is unknown, look before trying again, while the lease holds."""
    give_up_s = max(claimed_s, time.monotonic()) + 0.5 * context.lifecycle.lease_ms / 1000
    while True:
        try:
            return end()
        except ClaimLost:
            return _seen(context, claim)
        except DBAPIError as error:
            if not is_outage(error) or time.monotonic() > give_up_s:
                raise
            log.warning("an outcome may not have been written; looking again", reason=str(error.orig))
            time.sleep(0.2)


def _seen(context: Context, claim: Claim) -> JobStatus | None:
    status = outcome_of(context.engine, claim)
    if status not in FINAL:
        _note_lost_claim(context, claim, "the claim was lost before the outcome was written")
        return None
    return status


def _note_lost_claim(context: Context, claim: Claim, event: str) -> None:
    log.warning(event)
    try:
        count(context.engine, {(LOST_CLAIMS, claim.kind): 1})
    except DBAPIError as error:
        if not is_outage(error):
            raise
        # Often it is lost for that very reason.
        log.warning("a lost claim could not be counted", reason=str(error.orig))
