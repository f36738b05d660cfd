"""Use-cases on a real database, without web and without workers: jobs are enqueued and stay so."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Engine, select, update
from sqlmodel import Session

from modelyard.database.session import autocommit, reading, transaction
from modelyard.database.tables import (
    Activity,
    AuditEntry,
    Job,
    Manifest,
    ModelVersion,
    OutboxEvent,
    RegisteredModel,
    metadata,
)
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.jobs.queue import JobQueue
from modelyard.registry import job_effects
from modelyard.registry.access import Actor
from modelyard.registry.aliases import set_registered_model_alias
from modelyard.registry.authentication import actor_of_name
from modelyard.registry.followers import followers_of
from modelyard.registry.groups import add_members, create_group
from modelyard.registry.model_versions import create_model_version
from modelyard.registry.open_requests import open_requests
from modelyard.registry.permissions import WantedLevel, update_permissions
from modelyard.registry.principals import find_principal
from modelyard.registry.registered_models import create_registered_model, find_registered_model
from modelyard.registry.registration import NewVersion, Origin, origin_of
from modelyard.registry.tags import set_model_version_tag, set_registered_model_tag
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.registry.users import create_user
from modelyard.rules.permissions import Level
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.stages import Stage
from modelyard.rules.versions import RegistrationMode

Answer = TypeVar("Answer")

ANN = Actor("ann", is_admin=True)
# Who runs commands on the server itself.
CONSOLE = Actor("console", is_admin=True)
STRANGER = Actor("stranger")
MANIFEST = "a" * 64


@dataclass
class Desk:
    """A registry, its queue, and short ways to what a test is given."""

    engine: Engine
    rings: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = JobQueue(ring=lambda kind, queue, job_id: self.rings.append(job_id))
        self.lifecycle = Lifecycle(
            self.engine,
            self.queue,
            effects=job_effects.apply,
            retry_effects=job_effects.apply_retry,
            lease_ms=30_000,
        )

    def user(self, name: str, *groups: str) -> Actor:
        """Enter a user, in groups that are made where they are missing; return who comes in as that user."""
        with transaction(self.engine) as session:
            person = create_user(session, CONSOLE, name)
            for group_name in groups:
                found = find_principal(session, PrincipalKind.GROUP, group_name)
                group = found or create_group(session, CONSOLE, group_name)
                add_members(session, CONSOLE, group, [person])
        return self.actor(name)

    def actor(self, name: str) -> Actor:
        """Return a user as somebody who has just come in."""
        with reading(self.engine) as session:
            found = actor_of_name(session, name)
        assert found is not None
        return found

    def grant(self, name: str, level: Level, on: str = "m") -> Actor:
        """Give a user a level on a model, entering the user where one is missing; return who comes in as that user."""
        with reading(self.engine) as session:
            known = find_principal(session, PrincipalKind.USER, name)
        if known is None:
            self.user(name)
        with transaction(self.engine) as session:
            object_id = find_registered_model(session, on).public_id
            update_permissions(session, CONSOLE, object_id, [WantedLevel(PrincipalKind.USER, name, level)])
        return self.actor(name)

    def events(self) -> list[OutboxEvent]:
        """Return everything in the outbox, oldest first."""
        with reading(self.engine) as session:
            return list(session.scalars(select(OutboxEvent).order_by(OutboxEvent.id)))

    def followers(self, name: str = "m", number: int = 1) -> list[str]:
        """Return who follows a version."""
        version = self.version(name, number)
        with reading(self.engine) as session:
            return list(followers_of(session, version.id))

    def open_requests(self, name: str = "m", number: int = 1) -> list[tuple[str, str | None]]:
        """Return (who, target stage) of a version's open requests, oldest first."""
        version = self.version(name, number)
        with reading(self.engine) as session:
            return [(one.actor, one.to_stage) for one in open_requests(session, version.id)]

    def audit(self) -> list[AuditEntry]:
        """Return the audit log, oldest first."""
        with reading(self.engine) as session:
            return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))

    def model(self, name: str = "m", **options: Any) -> RegisteredModel:
        """Create a model."""
        with transaction(self.engine) as session:
            return create_registered_model(session, ANN, name, **options)

    def create(self, session: Session, wish: NewVersion, origin: Origin, **options: Any) -> ModelVersion:
        """Create a version in a transaction of the test's."""
        return create_model_version(session, ANN, wish, origin, lifecycle=self.lifecycle, **options)

    def pending(self, name: str = "m", source: str = "/data/model", **options: Any) -> ModelVersion:
        """Register a version whose copy has not begun."""
        wish = NewVersion(name=name, source=source, **options)
        origin = origin_of(wish, mode=RegistrationMode.COPY, vet=lambda source: None)
        with transaction(self.engine) as session:
            return self.create(session, wish, origin)

    def ready(self, name: str = "m", *, stage: Stage | None = None, **options: Any) -> ModelVersion:
        """Register a version and make it READY, as the end of its job would."""
        version = self.pending(name, **options)
        with transaction(self.engine) as session:
            if session.get(Manifest, MANIFEST) is None:
                session.add(Manifest(digest=MANIFEST, file_count=2, size_bytes=30))
                session.flush()
            session.execute(
                update(ModelVersion)
                .where(ModelVersion.id == version.id)
                .values(status="READY", manifest_digest=MANIFEST, file_count=2, size_bytes=30)
            )
            session.execute(
                update(metadata.tables["jobs"])
                .where(metadata.tables["jobs"].c.version_id == version.id)
                .values(status="SUCCEEDED", finished_at_ms=1)
            )
        return self.move(name, version.version, stage) if stage else self.version(name, version.version)

    def move(self, name: str, number: int, to: Stage, *, archive_existing: bool = False) -> ModelVersion:
        """Move a version to a stage."""
        with transaction(self.engine) as session:
            return transition_model_version_stage(
                session, ANN, name, number, to=to, archive_existing=archive_existing, queue=self.queue
            )

    def alias(self, name: str, alias: str, number: int) -> None:
        """Let an alias point to a version."""
        with transaction(self.engine) as session:
            set_registered_model_alias(session, ANN, name, alias, number)

    def tag(self, name: str, key: str, value: str, *, number: int | None = None) -> None:
        """Set a tag of a model, or of a version of it."""
        with transaction(self.engine) as session:
            if number is None:
                set_registered_model_tag(session, ANN, name, key, value)
            else:
                set_model_version_tag(session, ANN, name, number, key, value)

    def ask(self, question: Callable[..., Answer], *arguments: Any) -> Answer:
        """Return what one of the queries answers to ANN, who may see everything."""
        with autocommit(self.engine) as connection:
            return question(connection, ANN, *arguments)

    def version(self, name: str = "m", number: int = 1) -> ModelVersion:
        """Return a version's row as it is now, deleted or not."""
        statement = select(ModelVersion).join(RegisteredModel, RegisteredModel.id == ModelVersion.model_id)
        with reading(self.engine) as session:
            found = session.scalars(statement.where(RegisteredModel.name == name, ModelVersion.version == number))
            return found.one()

    def change_counter(self, name: str = "m") -> int:
        """Return how often a model has changed."""
        with reading(self.engine) as session:
            return session.scalars(select(RegisteredModel.change_counter).where(RegisteredModel.name == name)).one()

    def stages(self, name: str = "m") -> dict[int, str]:
        """Return number -> stage of a model's versions."""
        with reading(self.engine) as session:
            model = session.scalars(select(RegisteredModel).where(RegisteredModel.name == name)).one()
            versions = session.scalars(select(ModelVersion).where(ModelVersion.model_id == model.id))
            return {version.version: version.stage for version in versions}

    def jobs(self) -> list[Job]:
        """Return every job's row, oldest first."""
        with reading(self.engine) as session:
            return list(session.scalars(select(Job).order_by(Job.id)))

    def activities(self) -> list[Activity]:
        """Return every activity, oldest first."""
        with reading(self.engine) as session:
            return list(session.scalars(select(Activity).order_by(Activity.id)))
