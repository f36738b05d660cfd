"""The error tree: every failure whose text its reader may see.

The codes are those known to every mlflow client since 1.7 (contracts/mlflow.md 1.6); a name outside that set
crashes mlflow 1.30.1. Raise where the rule is broken; `web/errors.py` turns the error into an answer,
`worker/runner.py` into a `status_message`. Anything else that is raised is a bug of ours.
"""

from typing import ClassVar


class ModelyardError(Exception):
    """A failure with a message for the person who asked, MLflow's error code and an HTTP status."""

    error_code: ClassVar[str] = "INTERNAL_ERROR"
    http_status: ClassVar[int] = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidValue(ModelyardError):
    """What was sent breaks a rule; nothing was stored."""

    error_code = "INVALID_PARAMETER_VALUE"
    http_status = 400


class NotFound(ModelyardError):
    """The addressed object does not exist, or not any more."""

    error_code = "RESOURCE_DOES_NOT_EXIST"
    http_status = 404


class AlreadyExists(ModelyardError):
    """The name is taken."""

    error_code = "RESOURCE_ALREADY_EXISTS"
    http_status = 400


class InvalidState(ModelyardError):
    """The action is not allowed in this stage or status.

    400, not MLflow's 500: clients retry a 500 for minutes and then lose the message (contracts/mlflow.md 1.1).
    """

    error_code = "INVALID_STATE"
    http_status = 400


class Damaged(ModelyardError):
    """Stored bytes are not what they were, and are not handed out as if they were. 400: trying again does not help."""

    error_code = "INVALID_STATE"
    http_status = 400


class PermissionDenied(ModelyardError):
    """The actor is known but may not do this."""

    error_code = "PERMISSION_DENIED"
    http_status = 403


class Unauthorized(ModelyardError):
    """Credentials are missing or wrong. Never UNAUTHENTICATED: mlflow 1.x crashes on that name."""

    error_code = "CUSTOMER_UNAUTHORIZED"
    http_status = 401


class EndpointNotFound(ModelyardError):
    """No such route."""

    error_code = "ENDPOINT_NOT_FOUND"
    http_status = 404


class MethodNotAllowed(ModelyardError):
    """The route exists, but not for this method."""

    error_code = "ENDPOINT_NOT_FOUND"
    http_status = 405


class NotImplementedHere(ModelyardError):
    """An optional ability that this server does not offer; clients fall back when they read the text."""

    error_code = "NOT_IMPLEMENTED"
    http_status = 501


class BodyTooLarge(ModelyardError):
    """The request's body exceeds the limit of its route."""

    error_code = "BAD_REQUEST"
    http_status = 413


class LimitReached(ModelyardError):
    """Too much is under way and nothing was done; clients come back after `Retry-After`."""

    error_code = "REQUEST_LIMIT_EXCEEDED"
    http_status = 429

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(ModelyardError):
    """The database is away and nothing was done; clients come back after `Retry-After`."""

    error_code = "TEMPORARILY_UNAVAILABLE"
    http_status = 503


class TemporaryFailure(ModelyardError):
    """Work that may succeed later: the job goes back to the queue with a delay while attempts are left."""

    error_code = "TEMPORARILY_UNAVAILABLE"
    http_status = 503


class SourceRefused(InvalidValue):
    """A source that this registry does not read: scheme, host, root or spelling."""


class SourceUnreadable(ModelyardError):
    """A source that may be read but cannot be copied as it is: the registration fails for good."""

    error_code = "INVALID_STATE"
    http_status = 400


class TimeLimitReached(ModelyardError):
    """A job ran longer than its kind may; trying again would take as long."""

    error_code = "RESOURCE_LIMIT_EXCEEDED"
    http_status = 400


class ConfigurationError(ModelyardError):
    """A process cannot start with these settings; the text says which one to change."""


class ClaimLost(Exception):
    """The job belongs to somebody else now; whoever catches this touches nothing more."""

    def __init__(self, job_id: int, attempt: int) -> None:
        super().__init__(f"job {job_id}, attempt {attempt}: the claim is lost")
        self.job_id = job_id
        self.attempt = attempt


class Released(Exception):
    """The worker drains: give the job back now, with one more attempt granted."""


class CancelRequested(Exception):
    """Somebody cancelled the running job; the worker acknowledges and stops."""
