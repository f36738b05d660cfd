"""What a list of models can be narrowed to by a click: models with a version like that. Nothing here has a value."""

from enum import StrEnum

from sqlalchemy import ColumnElement, exists

from modelyard.database.tables import metadata
from modelyard.registry.shown import READY
from modelyard.rules.stages import Stage
from modelyard.rules.transition_requests import RequestStatus
from modelyard.rules.versions import VersionStatus

_models = metadata.tables["registered_models"]
_versions = metadata.tables["model_versions"]
_requests = metadata.tables["transition_requests"]


class Narrowing(StrEnum):
    """Models that have a version in this stage or status, or one that somebody wants moved."""

    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"
    PENDING = "pending"
    FAILED = "failed"
    REQUESTED = "requested"


def condition(wanted: Narrowing) -> ColumnElement[bool]:
    """Return the condition on registered_models."""
    like_that = _STAGES.get(wanted)
    if like_that is not None:
        return _has_version((_versions.c.stage == like_that) & (_versions.c.status == READY))
    if wanted is Narrowing.REQUESTED:
        asked = exists().where(_requests.c.version_id == _versions.c.id, _requests.c.status == RequestStatus.OPEN)
        return _has_version(asked.correlate(_versions))
    return _has_version(_versions.c.status == _STATUSES[wanted])


def _has_version(like_that: ColumnElement[bool]) -> ColumnElement[bool]:
    mine = exists().where(_versions.c.model_id == _models.c.id, _versions.c.deleted_at_ms.is_(None), like_that)
    return mine.correlate(_models)


_STAGES = {
    Narrowing.STAGING: Stage.STAGING,
    Narrowing.PRODUCTION: Stage.PRODUCTION,
    Narrowing.ARCHIVED: Stage.ARCHIVED,
}
_STATUSES = {Narrowing.PENDING: VersionStatus.PENDING, Narrowing.FAILED: VersionStatus.FAILED}
