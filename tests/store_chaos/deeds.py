"""What the processes of a store storm do: register, promote, delete, restore, purge, collect, verify.

Each does the work of its own jobs. What is refused because another process was faster is part of the storm.
"""

import random
from collections import Counter
from collections.abc import Callable

from sqlalchemy import func, select

from modelyard.database.session import reading, repeat_conflicts, transaction
from modelyard.database.tables import Job, ModelVersion, RegisteredModel
from modelyard.errors import AlreadyExists, Damaged, ModelyardError
from modelyard.registry import trash
from modelyard.registry.access import Actor
from modelyard.registry.model_versions import create_model_version, delete_model_version
from modelyard.registry.registered_models import create_registered_model
from modelyard.registry.registration import NewVersion, origin_of
from modelyard.rules.jobs import JobKind
from modelyard.rules.versions import RegistrationMode
from modelyard.worker import runner
from modelyard.worker.tasks import WORK
from tests.store_chaos.house import FOLDERS, MODELS, StormHouse

STORM = Actor("storm", is_admin=True)


class Deeds:
    """One process's deeds in an order that `rng` decides; `done` counts what succeeded, was refused, or must not be."""

    def __init__(self, house: StormHouse, rng: random.Random) -> None:
        self.house = house
        self.rng = rng
        self.done: Counter[str] = Counter()
        self.weighted: list[tuple[Callable[[], None], int]] = [
            (self.register, 6),
            (self.promote, 2),
            (self.delete, 5),
            (self.restore, 2),
            (self.purge, 4),
            (self.collect, 5),
            (self.verify, 1),
        ]

    def one(self) -> None:
        """Do something."""
        deeds, weights = zip(*self.weighted, strict=True)
        deed = self.rng.choices(deeds, weights)[0]
        try:
            deed()
        except Damaged:
            self.done["DAMAGED"] += 1
        except ModelyardError:
            self.done[f"{deed.__name__} refused"] += 1

    def register(self) -> None:
        """Register a folder as a new version, and copy it."""
        source = self.house.folder / "sources" / f"s{self.rng.randrange(FOLDERS)}"
        self._create(str(source))

    def promote(self) -> None:
        """Register a version that is there once more, by its manifest alone."""
        found = self._some_version(ModelVersion.status == "READY", ModelVersion.deleted_at_ms.is_(None))
        if found:
            self._create(f"models:/{found[0]}/{found[1]}")

    def delete(self) -> None:
        """Put a version into the trash, or have it purged at once."""
        found = self._some_version(ModelVersion.deleted_at_ms.is_(None))
        if not found:
            return
        at_once = self.rng.random() < 0.5

        def delete_it() -> None:
            with transaction(self.house.engine) as session:
                delete_model_version(
                    session, STORM, found[0], found[1], lifecycle=self.house.lifecycle, purge_at_once=at_once
                )

        repeat_conflicts(delete_it)
        self.done["delete"] += 1
        self.work_off(JobKind.PURGE_VERSION)

    def restore(self) -> None:
        """Bring a version back from the trash."""
        if public_id := self._something_trashed():

            def restore_it() -> None:
                with transaction(self.house.engine) as session:
                    trash.restore(session, STORM, public_id, lifecycle=self.house.lifecycle)

            repeat_conflicts(restore_it)
            self.done["restore"] += 1

    def purge(self) -> None:
        """Purge something in the trash."""
        if public_id := self._something_trashed():

            def purge_it() -> int:
                with transaction(self.house.engine) as session:
                    return trash.purge_now(session, STORM, public_id, lifecycle=self.house.lifecycle).id

            self._run(JobKind.PURGE_VERSION, repeat_conflicts(purge_it))

    def collect(self) -> None:
        """Collect what nobody refers to."""
        self._enqueue_and_run(JobKind.COLLECT)

    def verify(self) -> None:
        """Read everything again."""
        self._enqueue_and_run(JobKind.VERIFY_STORE)

    def work_off(self, kind: JobKind) -> None:
        """Do jobs of a kind that wait."""
        with reading(self.house.engine) as session:
            waiting = session.scalars(
                select(Job.id).where(Job.kind == kind, Job.status == "QUEUED").order_by(Job.id).limit(3)
            ).all()
        for job_id in waiting:
            self._run(kind, job_id)

    def _create(self, source: str) -> None:
        name = self.rng.choice(MODELS)
        wish = NewVersion(name=name, source=source)
        origin = origin_of(wish, mode=RegistrationMode.COPY, vet=lambda _source: None)

        def create() -> ModelVersion:
            with transaction(self.house.engine) as session:
                return create_model_version(session, STORM, wish, origin, lifecycle=self.house.lifecycle)

        version = repeat_conflicts(create)
        self.done["create"] += 1
        with reading(self.house.engine) as session:
            job_id = session.scalar(
                select(Job.id).where(Job.version_id == version.id, Job.kind == JobKind.REGISTER_VERSION)
            )
        if job_id is not None:
            self._run(JobKind.REGISTER_VERSION, job_id)

    def _enqueue_and_run(self, kind: JobKind) -> None:
        with transaction(self.house.engine) as session:
            job_id = self.house.lifecycle.queue.enqueue(session, kind, requested_by="storm").id
        self._run(kind, job_id)

    def _run(self, kind: JobKind, job_id: int) -> None:
        status = runner.run(self.house.context, WORK[kind], job_id)
        self.done[f"{kind} {status}"] += 1

    def _some_version(self, *conditions: object) -> tuple[str, int] | None:
        statement = (
            select(RegisteredModel.name, ModelVersion.version)
            .join(ModelVersion, ModelVersion.model_id == RegisteredModel.id)
            .where(*conditions)
            .order_by(func.random())
            .limit(1)
        )
        with reading(self.house.engine) as session:
            row = session.execute(statement).one_or_none()
        return (row[0], row[1]) if row else None

    def _something_trashed(self) -> str | None:
        trashed = select(ModelVersion.public_id).where(ModelVersion.deleted_at_ms.is_not(None))
        with reading(self.house.engine) as session:
            return session.scalar(trashed.order_by(func.random()).limit(1))


def make_models(house: StormHouse) -> None:
    """Make the models of the storm."""
    for name in MODELS:
        try:
            with transaction(house.engine) as session:
                create_registered_model(session, STORM, name)
        except AlreadyExists:
            continue
