"""An office where plans are made and executed: versions written straight into their tables, and a worker's context."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from modelyard.database.session import current_ms, reading, transaction
from modelyard.database.tables import Activity, Plan, PlanItem, RegisteredModel, metadata
from modelyard.registry import plans
from modelyard.registry.access import Actor
from modelyard.registry.authentication import actor_of_name
from modelyard.registry.candidates import Selection, listed_ids
from modelyard.registry.groups import add_members
from modelyard.registry.principals import find_principal
from modelyard.registry.users import create_user
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.rules.plans import DAY_MS, PlanAction, Rule
from modelyard.rules.principals import PrincipalKind
from modelyard.worker import runner
from modelyard.worker.context import Context
from modelyard.worker.drain import DrainFlag
from modelyard.worker.tasks import WORK
from tests.registry.desks import ANN, Desk

_versions = metadata.tables["model_versions"]
_models = metadata.tables["registered_models"]

CONSOLE = Actor("console", is_admin=True)
ARCHIVE, DELETE = Rule(PlanAction.ARCHIVE), Rule(PlanAction.DELETE)
EVERYTHING = Selection()


@dataclass
class Office(Desk):
    """A desk with many versions and a worker."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.person("ann", "admins")
        parts: Any = None  # Plans touch neither bytes nor sources.
        self.context = Context(
            engine=self.engine,
            lifecycle=self.lifecycle,
            store=parts,
            roots=parts,
            tracking=None,
            limits=parts,
            drain=DrainFlag(),
            stall_s=60,
            trust_ms=DAY_MS,
            owner=parts,
        )

    def person(self, name: str, *groups: str) -> Actor:
        """Enter a user, in groups that are there; return the actor that this makes."""
        with transaction(self.engine) as session:
            person = create_user(session, CONSOLE, name)
            for group in groups:
                found = find_principal(session, PrincipalKind.GROUP, group)
                assert found is not None
                add_members(session, CONSOLE, found, [person])
        return self.actor(name)

    def actor(self, name: str) -> Actor:
        """Return who a user is now."""
        with reading(self.engine) as session:
            actor = actor_of_name(session, name)
        assert actor is not None
        return actor

    def rows(self, table: str, *, by: str = "id") -> Sequence[Any]:
        """Return all rows of a table, in the order of a column."""
        with reading(self.engine) as session:
            return session.execute(select(metadata.tables[table]).order_by(metadata.tables[table].c[by])).all()

    def versions(self, name: str, count: int, *, days: int = 100, **columns: Any) -> None:
        """Give a model so many READY versions, all registered `days` days ago; `columns` are the same for each."""
        with transaction(self.engine) as session:
            now = current_ms(session) - days * DAY_MS
            found = session.scalars(select(_models.c.id).where(_models.c.name == name)).one_or_none()
            if found is None:
                model = RegisteredModel(name=name, created_by="ann")
                session.add(model)
                session.flush()
                found = model.id
            first = session.scalars(select(_models.c.next_version).where(_models.c.id == found)).one()
            base = {
                "model_id": found,
                "stage": "None",
                "status": "READY",
                "status_message": "",
                "description": "",
                "source": "/data",
                "run_id": "",
                "run_link": "",
                "logged_model_id": "",
                "registration_mode": "reference",
                "size_bytes": 10,
                "created_by": "ann",
                "created_at_ms": now,
                "updated_at_ms": now,
                "stage_changed_at_ms": now,
            }
            rows = [
                base | columns | {"version": number, "public_id": f"{found:016x}{number:016x}"}
                for number in range(first, first + count)
            ]
            session.connection().execute(insert(_versions), rows)
            session.execute(update(_models).where(_models.c.id == found).values(next_version=first + count))

    def set(self, name: str, number: int, **columns: Any) -> None:
        """Change columns of a version by the back door."""
        model = select(_models.c.id).where(_models.c.name == name).scalar_subquery()
        with transaction(self.engine) as session:
            session.execute(
                update(_versions).where(_versions.c.model_id == model, _versions.c.version == number).values(**columns)
            )

    def plan(
        self,
        rule: Rule = ARCHIVE,
        selection: Selection = EVERYTHING,
        *,
        actor: Actor = ANN,
        then_execute: bool = False,
    ) -> Plan:
        """Ask for a plan, and return it as it is when whatever jobs it needs have run once."""
        with transaction(self.engine) as session:
            plan = plans.ask_for_plan(session, actor, rule, selection, then_execute=then_execute, queue=self.queue)
        self.work()
        return self.plan_now(plan)

    def listed(self, *wanted: tuple[str, int], trashed: bool = False) -> Selection:
        """Return the selection of these versions."""
        with reading(self.engine) as session:
            return Selection(version_ids=tuple(listed_ids(session, ANN, wanted, trashed=trashed)))

    def execute(self, plan: Plan, *, digest: str | None = None, work: bool = True, actor: Actor = ANN) -> Plan:
        """Have a plan executed, and return it as it is after that."""
        with transaction(self.engine) as session:
            plans.execute(session, actor, plan.public_id, digest or plan.digest or "", queue=self.queue)
        if work:
            self.work()
        return self.plan_now(plan)

    def work(self) -> list[JobStatus | None]:
        """Run every job that waits and is about plans, one attempt each."""
        kinds = (JobKind.MAKE_PLAN, JobKind.EXECUTE_PLAN, JobKind.RUN_POLICY)
        waiting = [job for job in self.jobs() if job.status == JobStatus.QUEUED and job.kind in kinds]
        return [runner.run(self.context, WORK[JobKind(job.kind)], job.id) for job in waiting]

    def plan_now(self, plan: Plan) -> Plan:
        """Return a plan's row as it is now."""
        with reading(self.engine) as session:
            return session.scalars(select(Plan).where(Plan.id == plan.id)).one()

    def items(self, plan: Plan) -> list[PlanItem]:
        """Return all lines of a plan."""
        with reading(self.engine) as session:
            by_plan = select(PlanItem).where(PlanItem.plan_id == plan.id)
            return list(session.scalars(by_plan.order_by(PlanItem.position)))

    def reasons(self, plan: Plan) -> dict[tuple[str, int], str | None]:
        """Return (model, version) -> why a plan keeps it, None where it is touched."""
        return {(item.model_name, item.version): item.reason for item in self.items(plan)}

    def outcomes(self, plan: Plan) -> dict[tuple[str, int], tuple[str | None, str | None]]:
        """Return (model, version) -> outcome and its reason, for the versions that a plan touches."""
        return {
            (item.model_name, item.version): (item.outcome, item.outcome_reason)
            for item in self.items(plan)
            if item.reason is None
        }

    def feed(self, kind: str = "SYSTEM_TRANSITION") -> Sequence[Activity]:
        """Return all activities of a type."""
        return [activity for activity in self.activities() if activity.activity_type == kind]

    def work_off(self) -> None:
        """Run the archival jobs that wait, as a worker would."""
        for job in self.jobs():
            if job.status == JobStatus.QUEUED and job.kind == JobKind.ARCHIVE_VERSIONS:
                runner.run(self.context, WORK[JobKind.ARCHIVE_VERSIONS], job.id)

    def forget_jobs(self) -> None:
        """Remove every job, as pruning does in time."""
        with transaction(self.engine) as session:
            session.execute(delete(metadata.tables["jobs"]))
