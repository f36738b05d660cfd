"""Policies: what the registry archives and deletes by itself. Administrators enter, change, pause and run them.

A policy has a schedule of its own, which makes a job for each of its slots; the job makes a plan, and executes it if
the policy's mode and caps allow that. Two policies stand ready, switched off.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from modelyard.database.session import current_ms
from modelyard.database.tables import Plan, Policy, Schedule, public_id
from modelyard.errors import AlreadyExists, InvalidValue, NotFound
from modelyard.jobs.queue import Enqueued, JobQueue
from modelyard.jobs.schedules import subject_of
from modelyard.registry import access, audit
from modelyard.registry.access import Actor
from modelyard.registry.candidates import Selection
from modelyard.registry.schedules import CREATED_BY, ScheduleChange, change_schedule
from modelyard.rules.audit import Action
from modelyard.rules.jobs import JobKind
from modelyard.rules.plans import PlanAction
from modelyard.rules.policies import (
    Caps,
    Conditions,
    Mode,
    check_caps,
    check_conditions,
    check_policy_name,
)
from modelyard.rules.schedules import Rule as Times
from modelyard.rules.schedules import RuleKind
from modelyard.rules.sources import shown

_DOING = "changing policies"


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """What a policy is entered with. `times` says when it runs, `everything` that its conditions may be empty."""

    name: str
    action: PlanAction
    conditions: Conditions
    times: Times
    mode: Mode = Mode.PROPOSE
    caps: Caps = field(default_factory=Caps)
    enabled: bool = True
    everything: bool = False


# What an installation has from the beginning, switched off.
READY_MADE = (
    NewPolicy(
        "archive-idle",
        PlanAction.ARCHIVE,
        Conditions(registered_days=90, moved_days=90, downloaded_days=90, keep_newest=5),
        Times(RuleKind.CRON, "0 4 * * 1"),
        enabled=False,
    ),
    NewPolicy(
        "delete-archived",
        PlanAction.DELETE,
        Conditions(moved_days=365),
        Times(RuleKind.CRON, "30 4 1 * *"),
        enabled=False,
    ),
)


@dataclass(frozen=True, slots=True)
class FoundPolicy:
    """A policy with its schedule, and the plan of its last run, None before the first."""

    policy: Policy
    schedule: Schedule
    last: Plan | None

    @property
    def action(self) -> PlanAction:
        """What it does."""
        return PlanAction(self.policy.action)

    @property
    def conditions(self) -> Conditions:
        """Which versions it is about."""
        return Conditions(**self.policy.conditions)

    @property
    def caps(self) -> Caps:
        """How far one run may go."""
        return Caps(self.policy.max_percent, self.policy.max_versions)


def ensure_ready_made(session: Session) -> None:
    """Enter the policies that an installation has from the beginning, unless they were ever there.

    The caller holds a lock under which only one process does this.
    """
    names = [wish.name for wish in READY_MADE]
    known = set(session.exec(select(Policy.name).where(col(Policy.name).in_(names))))
    for wish in READY_MADE:
        if wish.name not in known:
            _enter(session, wish, by=CREATED_BY)


def create_policy(session: Session, actor: Actor, wish: NewPolicy) -> FoundPolicy:
    """Enter a policy; it runs at its schedule's first slot after now.

    Raises PermissionDenied, InvalidValue naming the field, AlreadyExists.
    """
    access.require_admin(actor, _DOING)
    check_policy_name(wish.name)
    check_conditions(wish.conditions, everything=wish.everything)
    check_caps(wish.caps)
    try:
        with session.begin_nested():
            policy, schedule = _enter(session, wish, by=actor.name)
    except IntegrityError as error:
        raise AlreadyExists(f"There is a policy {wish.name!r} already. Give this one a name of its own.") from error
    audit.record(session, actor, Action.CREATE_POLICY, after=_told(policy, schedule))
    return FoundPolicy(policy, schedule, None)


def list_policies(session: Session, actor: Actor) -> list[FoundPolicy]:
    """Return every policy, by name. Raises PermissionDenied: a policy may name models."""
    access.require_admin(actor, "seeing policies")
    rows = session.exec(
        select(Policy, Schedule).join(Schedule, col(Schedule.id) == col(Policy.schedule_id)).order_by(col(Policy.name))
    )
    return [FoundPolicy(policy, schedule, _last_plan(session, policy)) for policy, schedule in rows]


def find_policy(session: Session, actor: Actor, name: str, *, lock: bool = False) -> FoundPolicy:
    """Return the policy called `name`, its row locked if so asked. Raises NotFound, PermissionDenied."""
    access.require_admin(actor, "seeing policies")
    statement = select(Policy).where(col(Policy.name) == name)
    policy = session.exec(statement.with_for_update() if lock else statement).one_or_none()
    if policy is None:
        raise NotFound(f"There is no policy {shown(name)}; `modelyard policy list` shows those that there are.")
    return _with_schedule(session, policy)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What to change of a policy; None leaves a part as it is."""

    conditions: Conditions | None = None
    mode: Mode | None = None
    caps: Caps | None = None
    schedule: ScheduleChange | None = None
    everything: bool = False


def change_policy(session: Session, actor: Actor, name: str, change: PolicyChange) -> FoundPolicy:
    """Change a policy; plans that it has made stay as they are. Raises as `create_policy` does, and NotFound."""
    access.require_admin(actor, _DOING)
    if change == PolicyChange(everything=change.everything):
        raise InvalidValue("Nothing to change; give a condition, a cap, mode, cron, time_zone or enabled: false.")
    found = find_policy(session, actor, name, lock=True)
    policy = found.policy
    before = _told(policy, found.schedule)
    if change.conditions is not None:
        check_conditions(change.conditions, everything=change.everything)
        policy.conditions = change.conditions.as_json()
    if change.caps is not None:
        check_caps(change.caps)
        policy.max_percent, policy.max_versions = change.caps.max_percent, change.caps.max_versions
    if change.mode is not None:
        policy.mode = change.mode
    session.add(policy)
    session.flush()
    if change.schedule is not None:
        change_schedule(session, actor, found.schedule.name, change.schedule)
    changed = _with_schedule(session, policy)
    audit.record(session, actor, Action.CHANGE_POLICY, before=before, after=_told(policy, changed.schedule))
    return changed


def run_policy(session: Session, actor: Actor, name: str, *, propose: bool, queue: JobQueue) -> Enqueued:
    """Have a policy run now, after whatever run of it is under way; with `propose` it only makes a plan.

    Raises NotFound, PermissionDenied.
    """
    access.require_admin(actor, "running policies")
    found = find_policy(session, actor, name)
    audit.record(session, actor, Action.RUN_POLICY, after={"policy": name, "propose": propose})
    return queue.enqueue(
        session,
        JobKind.RUN_POLICY,
        requested_by=actor.name,
        arguments={"policy": found.policy.public_id, "propose": propose},
        subject=subject_of(found.schedule.public_id),
    )


def selection_of_policy(policy: Policy) -> Selection:
    """Return which versions the plans of a policy look at."""
    return Selection(policy=Conditions(**policy.conditions))


def schedule_name(policy_name: str) -> str:
    """Return the name of a policy's schedule."""
    return f"policy {policy_name}"


def _enter(session: Session, wish: NewPolicy, *, by: str) -> tuple[Policy, Schedule]:
    identity = public_id()
    schedule = Schedule(
        name=schedule_name(wish.name),
        kind=JobKind.RUN_POLICY,
        arguments={"policy": identity},
        rule=wish.times.kind,
        expression=wish.times.expression,
        time_zone=wish.times.time_zone,
        enabled=wish.enabled,
        next_at_ms=wish.times.next_after(current_ms(session)),
        created_by=by,
    )
    session.add(schedule)
    session.flush()
    policy = Policy(
        public_id=identity,
        name=wish.name,
        action=wish.action,
        conditions=wish.conditions.as_json(),
        mode=wish.mode,
        max_percent=wish.caps.max_percent,
        max_versions=wish.caps.max_versions,
        schedule_id=schedule.id,
        created_by=by,
    )
    session.add(policy)
    session.flush()
    return policy, schedule


def _told(policy: Policy, schedule: Schedule) -> dict[str, Any]:
    """Return what the audit log holds of a policy."""
    caps = {"max_percent": policy.max_percent, "max_versions": policy.max_versions}
    about = {"policy": policy.name, "action": policy.action, "mode": policy.mode, "enabled": schedule.enabled}
    return about | caps | policy.conditions


def _with_schedule(session: Session, policy: Policy) -> FoundPolicy:
    schedule = session.exec(select(Schedule).where(col(Schedule.id) == policy.schedule_id)).one()
    return FoundPolicy(policy, schedule, _last_plan(session, policy))


def _last_plan(session: Session, policy: Policy) -> Plan | None:
    newest_first = select(Plan).where(col(Plan.policy_id) == policy.id).order_by(col(Plan.id).desc())
    return session.exec(newest_first.limit(1)).first()
