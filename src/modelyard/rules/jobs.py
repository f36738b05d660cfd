"""Kinds of background jobs, their statuses, queues, limits and delays. No I/O.

A kind stands in three tables that a test compares: here (queue, attempts, time limit), in
`registry/job_effects.py` (what its end changes) and in `worker/tasks.py` (the work).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from modelyard.errors import InvalidValue


class JobKind(StrEnum):
    """What a job does."""

    REGISTER_VERSION = "register_version"
    ARCHIVE_VERSIONS = "archive_versions"
    VERIFY_VERSION = "verify_version"
    VERIFY_STORE = "verify_store"
    REPAIR_VERSION = "repair_version"
    MATERIALIZE = "materialize"
    PURGE_VERSION = "purge_version"
    PURGE_MODEL = "purge_model"
    COLLECT = "collect"
    PRUNE_JOBS = "prune_jobs"
    PRUNE_AUDIT = "prune_audit"
    NOTE_EXPIRING_TOKENS = "note_expiring_tokens"
    MAKE_PLAN = "make_plan"
    EXECUTE_PLAN = "execute_plan"
    RUN_POLICY = "run_policy"
    PROBE = "probe"


class JobStatus(StrEnum):
    """Where a job stands; the words people poll."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class AttemptOutcome(StrEnum):
    """How one attempt of a job ended. RETRIED is a temporary failure, RELEASED a worker that stopped."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    RETRIED = "RETRIED"
    RELEASED = "RELEASED"
    LOST = "LOST"


OPEN = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
FINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})

QUEUES = ("fast", "copy")

# The level of the line in a job's log that tells that a step begins.
STEP = "step"

# A release grants one more attempt, but not for ever: beyond this many, something else than a restart is wrong.
MAX_GRANTED_RELEASES = 20
MESSAGE_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class KindRules:
    """How jobs of one kind are run.

    `arguments` maps each argument that a job of this kind must have to its type, `optional` those that it may have;
    more may be there. `cancellable` is False where half of the work would be worse than all of it.
    """

    queue: str
    time_limit_s: int
    cancellable: bool = True
    arguments: Mapping[str, object] = field(default_factory=dict)
    optional: Mapping[str, object] = field(default_factory=dict)


RULES: dict[JobKind, KindRules] = {
    JobKind.REGISTER_VERSION: KindRules(
        "copy", time_limit_s=24 * 3600, arguments={"source": str}, optional={"upload_folder": str}
    ),
    JobKind.ARCHIVE_VERSIONS: KindRules(
        "fast",
        time_limit_s=3600,
        cancellable=False,
        arguments={"versions": list[int], "from_stage": str, "promoted": int},
    ),
    JobKind.VERIFY_VERSION: KindRules("copy", time_limit_s=24 * 3600),
    # As slow as the operator wants it to be; the next one goes on with what waits longest.
    JobKind.VERIFY_STORE: KindRules("copy", time_limit_s=6 * 24 * 3600),
    JobKind.REPAIR_VERSION: KindRules("copy", time_limit_s=24 * 3600, arguments={"source": str}),
    JobKind.MATERIALIZE: KindRules("copy", time_limit_s=24 * 3600, arguments={"source": str}),
    JobKind.PURGE_VERSION: KindRules("fast", time_limit_s=3600, cancellable=False, arguments={"deleted_at_ms": int}),
    JobKind.PURGE_MODEL: KindRules("fast", time_limit_s=24 * 3600, cancellable=False, arguments={"deleted_at_ms": int}),
    JobKind.COLLECT: KindRules("copy", time_limit_s=24 * 3600),
    JobKind.PRUNE_JOBS: KindRules("fast", time_limit_s=3600),
    JobKind.PRUNE_AUDIT: KindRules("fast", time_limit_s=3600),
    JobKind.NOTE_EXPIRING_TOKENS: KindRules("fast", time_limit_s=3600),
    JobKind.MAKE_PLAN: KindRules("fast", time_limit_s=24 * 3600, arguments={"plan": str}),
    JobKind.EXECUTE_PLAN: KindRules("fast", time_limit_s=24 * 3600, arguments={"plan": str}),
    JobKind.RUN_POLICY: KindRules(
        "fast", time_limit_s=24 * 3600, arguments={"policy": str}, optional={"propose": bool}
    ),
    JobKind.PROBE: KindRules("fast", time_limit_s=60),
}


_WRITTEN_TYPES: dict[object, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list[int]: "a list of whole numbers",
}
_NOT_OURS = "It was not made by this release; cancel it, and ask again for what it was to do."


def check_arguments(kind: JobKind, arguments: object) -> None:
    """Raise InvalidValue unless a job of `kind` can be run with `arguments`; they may be another release's."""
    if not isinstance(arguments, Mapping):
        raise InvalidValue(f"The arguments of this job are {_clipped(arguments)} where names are expected. {_NOT_OURS}")
    for name, expected in {**RULES[kind].arguments, **RULES[kind].optional}.items():
        if name in RULES[kind].optional and name not in arguments:
            continue
        if not _is(arguments.get(name), expected):
            raise InvalidValue(
                f"A job of kind {kind} needs the argument {name!r} as {_WRITTEN_TYPES[expected]}, "
                f"but has {_clipped(arguments.get(name))}. {_NOT_OURS}"
            )


def _is(found: object, expected: object) -> bool:
    if expected == list[int]:
        return isinstance(found, list) and all(_is(item, int) for item in found)
    return isinstance(found, expected) and (expected is bool or not isinstance(found, bool))  # type: ignore[arg-type]


def _clipped(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 100 else text[:99] + "…"


def task_name(kind: str) -> str:
    """Return the Celery task that runs jobs of `kind`; a name written out, so that moving code orphans no message."""
    return f"modelyard.{kind}"


def backoff_s(attempt: int, chance: float) -> float:
    """Return the delay in seconds before the next try after attempt number `attempt` (1, 2, ...).

    Half of `min(300, 15 * 2**attempt)` is fixed, half is `chance` (0.0 to 1.0) of it: shorter delays give up
    within a minute of an outage, and equal ones would come back all at once (design/jobs.md).
    """
    # A power of two beyond any delay's use, before a job that was retried for years exceeds what a float holds.
    whole = min(300.0, 15.0 * 2.0 ** min(attempt, 10))
    return whole / 2 + whole / 2 * chance


def clip_message(text: str) -> str:
    """Return `text` cut to what a status message may hold, on one line, the cut marked."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_CHARACTERS else line[: MESSAGE_CHARACTERS - 1] + "…"
