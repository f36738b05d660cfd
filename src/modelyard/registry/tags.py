"""Tags of models and versions, in the order in which they were first set."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from sqlmodel import Session, col, select

from modelyard.database.tables import ModelVersion, ModelVersionTag, RegisteredModel, RegisteredModelTag

# Row id of a model or version -> its tags, in order.
TagsById: TypeAlias = Mapping[int, Sequence[tuple[str, str]]]
_BATCH = 500


def add_model_tags(session: Session, model: RegisteredModel, tags: Mapping[str, str]) -> None:
    """Give a new model its first tags."""
    session.add_all(RegisteredModelTag(model_id=model.id, key=key, value=value) for key, value in tags.items())
    session.flush()


def add_version_tags(session: Session, version: ModelVersion, tags: Mapping[str, str]) -> None:
    """Give a new version its first tags."""
    session.add_all(ModelVersionTag(version_id=version.id, key=key, value=value) for key, value in tags.items())
    session.flush()


def tags_of_models(session: Session, model_ids: Sequence[int]) -> TagsById:
    """Return the tags of these models; models without any are missing."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for batch in _batches(model_ids):
        statement = select(RegisteredModelTag).where(col(RegisteredModelTag.model_id).in_(batch))
        for tag in session.exec(statement.order_by(col(RegisteredModelTag.id))):
            found[tag.model_id].append((tag.key, tag.value))
    return found


def tags_of_versions(session: Session, version_ids: Sequence[int]) -> TagsById:
    """Return the tags of these versions; versions without any are missing."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for batch in _batches(version_ids):
        statement = select(ModelVersionTag).where(col(ModelVersionTag.version_id).in_(batch))
        for tag in session.exec(statement.order_by(col(ModelVersionTag.id))):
            found[tag.version_id].append((tag.key, tag.value))
    return found


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]
