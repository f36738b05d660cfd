"""The versions that a plan looks at: how they are selected, and what is known of each, read by one statement a page.

Pages come in the order of models and versions, and continue behind the last row that was looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)
from sqlmodel import Session

from modelyard.database import search
from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.registry.plan_rights import has_open_request, permitted
from modelyard.registry.searches import TAGGED_VERSIONS, VERSION_COLUMNS
from modelyard.registry.shown import READY, aliases, model_tags, models, version_tags, versions
from modelyard.rules.filters import BULK_VERSIONS, parse_filter
from modelyard.rules.names import no_such_model
from modelyard.rules.plans import PIN_TAG, PINNED, Facts, PlanAction, Rule
from modelyard.rules.policies import Conditions, matches
from modelyard.rules.prompts import PROMPT_TAG, with_prompt_rule
from modelyard.rules.stages import Stage
from modelyard.rules.versions import VersionStatus, no_such_version

# The models of a policy that are looked at together.
_MODELS_TOGETHER = 100

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which versions a plan looks at: those with these row ids, those that a filter finds, or those of a policy's
    models. With `filter` "" and nothing else, all of them.
    """

    version_ids: tuple[int, ...] | None = None
    filter: str = ""
    policy: Conditions | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what a row holds of this selection."""
        if self.policy is not None:
            return {"policy": self.policy.as_json()}
        if self.version_ids is not None:
            return {"version_ids": list(self.version_ids)}
        return {"filter": self.filter}


def selection_of(written: Mapping[str, Any]) -> Selection:
    """Return the selection that a row holds."""
    if "policy" in written:
        return Selection(policy=Conditions(**written["policy"]))
    if "version_ids" in written:
        return Selection(version_ids=tuple(written["version_ids"]))
    return Selection(filter=written["filter"])


class Candidate(NamedTuple):
    """A version as a plan finds it; what `facts` makes of it, the rules judge."""

    version_id: int
    version_public_id: str
    model_id: int
    model_name: str
    version: int
    size_bytes: int
    stage: str
    status: str
    created_at_ms: int
    stage_changed_at_ms: int
    last_downloaded_at_ms: int | None
    deleted: bool
    model_deleted: bool
    purging: bool
    pinned: bool
    aliased: bool
    requested: bool
    stored: bool
    tagged: bool
    permitted: bool

    @property
    def place(self) -> Place:
        """Where the next page begins when this is the last row of one."""
        return self.model_id, self.version

    def facts(self, newest_from: Mapping[int, int]) -> Facts:
        """Return what the rules are told; `newest_from` is what `newest_from` returned."""
        return Facts(
            stage=Stage(self.stage),
            status=VersionStatus(self.status),
            created_at_ms=self.created_at_ms,
            stage_changed_at_ms=self.stage_changed_at_ms,
            last_downloaded_at_ms=self.last_downloaded_at_ms,
            deleted=bool(self.deleted),
            model_deleted=bool(self.model_deleted),
            purging=bool(self.purging),
            pinned=bool(self.pinned),
            aliased=bool(self.aliased),
            requested=bool(self.requested),
            newest=self.version >= newest_from.get(self.model_id, self.version + 1),
            stored=bool(self.stored),
            tagged=bool(self.tagged),
            permitted=bool(self.permitted),
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of what is selected: conditions on versions and models, and the values that these are run with."""

    conditions: Sequence[ColumnElement[bool]]
    values: Mapping[str, Any] = field(default_factory=dict)


def scopes(
    session: Session, actor: Actor, rule: Rule, selection: Selection, *, behind: Place | None = None
) -> Iterator[Scope]:
    """Yield the parts of a selection that do not lie wholly before `behind`, in the order of their models.

    Raises InvalidValue for a filter that cannot be read.
    """
    if selection.version_ids is not None:
        yield Scope([versions.c.id.in_(selection.version_ids)])
        return
    trashed = rule.action is PlanAction.RESTORE
    there = versions.c.deleted_at_ms.is_not(None) if trashed else versions.c.deleted_at_ms.is_(None)
    seen = [there, models.c.deleted_at_ms.is_(None), access.visible(actor)]
    if selection.policy is None:
        comparisons = with_prompt_rule(parse_filter(selection.filter, BULK_VERSIONS))
        shape = search.shape_of(comparisons, (), None)
        found = search.conditions(shape, VERSION_COLUMNS, TAGGED_VERSIONS)
        yield Scope([*seen, *found], search.values_of(comparisons, None))
        return
    # Written out like the index of the stages: a policy is about READY versions of one stage.
    in_stage = [versions.c.stage == rule.stage, versions.c.status == READY]
    first = behind[0] if behind is not None else 0
    model_ids = [model_id for model_id, _ in policy_models(session, selection.policy) if model_id >= first]
    for start in range(0, len(model_ids), _MODELS_TOGETHER):
        yield Scope([*seen, *in_stage, versions.c.model_id.in_(model_ids[start : start + _MODELS_TOGETHER])])


def policy_models(session: Session, conditions: Conditions) -> list[tuple[int, str]]:
    """Return row id and name of the living models that a policy is about, in the order of the ids; no prompts."""
    statement = select(models.c.id, models.c.name).where(
        models.c.deleted_at_ms.is_(None), ~_has_tag(PROMPT_TAG, "true")
    )
    if conditions.tag_key:
        statement = statement.where(_has_tag(conditions.tag_key, conditions.tag_value))
    rows = session.execute(statement.order_by(models.c.id))
    return [(row.id, row.name) for row in rows if matches(conditions.models, row.name)]


def count_living(session: Session, conditions: Conditions) -> int:
    """Return how many living versions the models have that a policy is about."""
    model_ids = [model_id for model_id, _ in policy_models(session, conditions)]
    total = 0
    for start in range(0, len(model_ids), _MODELS_TOGETHER):
        some = versions.c.model_id.in_(model_ids[start : start + _MODELS_TOGETHER])
        counted = select(func.count()).select_from(versions).where(some, versions.c.deleted_at_ms.is_(None))
        total += session.scalar(counted) or 0
    return total


def page_of(
    session: Session, actor: Actor, rule: Rule, scope: Scope, *, behind: Place | None, limit: int
) -> list[Candidate]:
    """Return the next candidates of a scope, in the order of models and versions."""
    statement = select(*_columns(actor, rule)).select_from(_READ).where(*scope.conditions)
    if behind is not None:
        # The first bound follows from the second; only a plain one lets a database begin in the middle of an index.
        statement = statement.where(
            versions.c.model_id >= behind[0],
            tuple_(versions.c.model_id, versions.c.version) > tuple_(*map(literal, behind)),
        )
    ordered = statement.order_by(versions.c.model_id, versions.c.version).limit(limit)
    return [Candidate._make(row) for row in session.execute(ordered, dict(scope.values))]


def as_they_are(session: Session, actor: Actor, rule: Rule, version_ids: Sequence[int]) -> dict[int, Candidate]:
    """Return row id -> version as it is now, whatever became of it; those that were purged are missing."""
    statement = select(*_columns(actor, rule)).select_from(_READ).where(versions.c.id.in_(version_ids))
    return {row[0]: Candidate._make(row) for row in session.execute(statement)}


def newest_from(session: Session, rule: Rule, model_ids: Sequence[int]) -> dict[int, int]:
    """Return row id of a model -> the number from which on its versions are the newest that the rule keeps.

    A model that has no more than the rule keeps is kept whole.
    """
    if not rule.keep_newest or rule.stage is None:
        return {}
    kept = (
        select(versions.c.version)
        .where(versions.c.stage == rule.stage, versions.c.status == READY, versions.c.deleted_at_ms.is_(None))
        .order_by(versions.c.version.desc())
        .limit(1)
        .offset(rule.keep_newest - 1)
    )
    return {each: session.scalar(kept.where(versions.c.model_id == each)) or 0 for each in model_ids}


def listed_ids(session: Session, actor: Actor, wanted: Sequence[tuple[str, int]], *, trashed: bool) -> list[int]:
    """Return the row ids of the versions that were named, those in the trash included if so asked.

    Raises NotFound for one that is not there, PermissionDenied for one that `actor` may not see.
    """
    names = {name for name, _ in wanted}
    living = select(models.c.name, access.visible(actor)).where(
        models.c.name.in_(names), models.c.deleted_at_ms.is_(None)
    )
    seen = {name: bool(visible) for name, visible in session.execute(living)}
    # Whether a model that is hidden has such a version is told to nobody.
    for name in sorted(names):
        if name not in seen:
            raise no_such_model(name)
        access.require_visible(actor, name, seen=seen[name])
    there = select(models.c.name, versions.c.version, versions.c.id).select_from(_READ)
    there = there.where(
        tuple_(models.c.name, versions.c.version).in_(list(wanted)),
        models.c.deleted_at_ms.is_(None),
        true() if trashed else versions.c.deleted_at_ms.is_(None),
    )
    found = {(name, number): row_id for name, number, row_id in session.execute(there)}
    for name, number in wanted:
        if (name, number) not in found:
            raise no_such_version(name, number)
    return [found[each] for each in dict.fromkeys(wanted)]


_READ = versions.join(models, models.c.id == versions.c.model_id)


def _columns(actor: Actor, rule: Rule) -> list[ColumnElement[Any]]:
    made: dict[str, ColumnElement[Any]] = {
        "version_id": versions.c.id,
        "version_public_id": versions.c.public_id,
        "model_name": models.c.name,
        "size_bytes": func.coalesce(versions.c.size_bytes, 0),
        "deleted": versions.c.deleted_at_ms.is_not(None),
        "model_deleted": models.c.deleted_at_ms.is_not(None),
        "purging": or_(versions.c.purging_at_ms.is_not(None), models.c.purging_at_ms.is_not(None)),
        "pinned": _is_pinned(),
        "aliased": exists().where(aliases.c.version_id == versions.c.id),
        "requested": has_open_request(),
        "stored": versions.c.manifest_digest.is_not(None),
        "tagged": _is_tagged(rule),
        "permitted": permitted(actor, rule.action),
    }
    return [made[name] if name in made else versions.c[name] for name in Candidate._fields]


def _is_pinned() -> ColumnElement[bool]:
    """Return the condition for versions that bear the pin, or whose model does; somebody may have written True."""

    def pin(tags: Any, owner: ColumnElement[int], owned: ColumnElement[int]) -> ColumnElement[bool]:
        # Written out: parameters that are called like these columns would be taken for a search's own.
        key: ColumnElement[str] = literal_column(f"'{PIN_TAG}'")
        value: ColumnElement[str] = literal_column(f"'{PINNED}'")
        return exists().where(owner == owned, tags.c.key == key, func.lower(tags.c.value) == value)

    return or_(
        pin(version_tags, version_tags.c.version_id, versions.c.id), pin(model_tags, model_tags.c.model_id, models.c.id)
    )


def _is_tagged(rule: Rule) -> ColumnElement[bool]:
    if rule.action is not PlanAction.TAG:
        return false()
    return exists().where(
        version_tags.c.version_id == versions.c.id,
        version_tags.c.key == bindparam("wanted_key", rule.tag_key),
        version_tags.c.value == bindparam("wanted_value", rule.tag_value),
    )


def _has_tag(key: str, value: str) -> ColumnElement[bool]:
    return exists().where(
        and_(model_tags.c.model_id == models.c.id, model_tags.c.key == key, model_tags.c.value == value)
    )
