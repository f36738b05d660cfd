"""The work of `make_plan` and `execute_plan`: lists what is to be done to many versions, and does what a list says.

Each attempt goes on where the last one stood: the plan's own row and lines are the only memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sqlmodel import Session, col, select

from modelyard.database.session import repeat_conflicts, transaction
from modelyard.database.tables import Plan
from modelyard.jobs.guards import Claim, hold
from modelyard.registry import plan_execution, plan_making
from modelyard.registry.access import Actor
from modelyard.registry.job_effects import Report
from modelyard.registry.plan_execution import BATCH, Execution, Item
from modelyard.registry.plan_making import Seal
from modelyard.registry.plan_rights import acting, acting_for_policy
from modelyard.registry.plans import begin_execution
from modelyard.rules.counts import counted, listed
from modelyard.rules.jobs import JobKind
from modelyard.rules.plans import LIFE_MS, PlanAction, PlanStatus, rule_of
from modelyard.storage import sizes
from modelyard.worker.context import Context, Pulse
from modelyard.worker.fence import fenced, looked_up

# Lines of a plan that are written together.
_PAGE = 500
_FEW = 10


def make_plan(context: Context, claim: Claim, pulse: Pulse) -> Report | None:
    """List what a plan touches, and execute it if that was asked for; None when the plan was removed."""
    work = _work_of_job(context, claim, pulse)
    if work is None:
        return None
    work.make(life_ms=LIFE_MS)
    if not work.plan.then_execute:
        return work.foretell()
    work.begin(by=work.plan.created_by)
    return work.execute()


def execute_plan(context: Context, claim: Claim, pulse: Pulse) -> Report | None:
    """Do what a plan says; None when it was removed."""
    work = _work_of_job(context, claim, pulse)
    return work.execute() if work is not None else None


def _work_of_job(context: Context, claim: Claim, pulse: Pulse) -> "PlanWork | None":
    by_id = select(Plan).where(col(Plan.public_id) == claim.arguments["plan"])
    plan = looked_up(context, lambda session: session.exec(by_id).one_or_none())
    return PlanWork(context, claim, pulse, plan) if plan is not None else None


def nothing_to_say(seal: Seal) -> str:
    """Say nothing of a plan that was just made."""
    return ""


@dataclass(slots=True)
class PlanWork:
    """One attempt of a job to make or execute a plan."""

    context: Context
    claim: Claim
    pulse: Pulse
    plan: Plan
    _looked_at: int = field(default=0)

    def make(self, *, life_ms: int, living: int | None = None, say: Callable[[Seal], str] = nothing_to_say) -> None:
        """Look at everything that is selected, and seal the plan with what `say` says of it."""
        while self.plan.status == PlanStatus.PLANNING:
            look = partial(plan_making.look, actor=self._actor(), plan=self.plan, limit=_PAGE)
            looked = looked_up(self.context, look)
            if looked is not None:
                self._do(partial(plan_making.write, plan=self.plan, looked=looked))
                self._looked_at += len(looked.judged)
                self.pulse(step="Looking at versions", items_done=self._looked_at)
                continue
            found = looked_up(self.context, partial(plan_making.seal_of, plan=self.plan))
            seal = partial(plan_making.seal, found=found, life_ms=life_ms, living=living, message=say(found))
            self._do(partial(seal, plan=self.plan))

    def begin(self, *, by: str) -> None:
        """Begin to execute a plan that this very job has made."""
        if self.plan.status == PlanStatus.READY:
            begin = partial(begin_execution, by=by, job_id=self.claim.job_id, limits=self.plan.limits)
            self._do(partial(begin, plan_id=self.plan.id))

    def execute(self) -> Report:
        """Do what the plan says to each version that waits, batch by batch."""
        total = self.plan.versions
        # Somebody else's job may execute what this one has made.
        if self.plan.status == PlanStatus.EXECUTING and self.plan.execute_job_id == self.claim.job_id:
            execution = self._execution()
            # What is done one by one fills a transaction with a few; to look at more at once would be in vain.
            limit = BATCH if execution.rule.action is PlanAction.ARCHIVE else min(BATCH, _FEW)
            waiting = partial(plan_execution.waiting_items, plan_id=self.plan.id, limit=limit)
            while batch := looked_up(self.context, waiting):
                repeat_conflicts(partial(self._execute_batch, execution, batch))
                self._read_again()
                self.pulse(step=_STEPS[execution.rule.action], items_done=self._settled(), items_total=total)
            self._do(partial(plan_execution.finish, plan_id=self.plan.id))
        return self._tell()

    def foretell(self) -> Report:
        """Say what the plan would do."""
        plan = self.plan
        sentence = f"Plan {plan.public_id}: {plan.action} {counted(plan.versions, 'version')}"
        sentence += f", {sizes.written(plan.size_bytes)}; {plan.kept} kept"
        sentence += f", {plan.left_out} left out for want of permission." if plan.left_out else "."
        if plan.status_message:
            sentence += f" {plan.status_message}"
        self.pulse.say(sentence)
        return Report(sentence, items=plan.versions, size_bytes=plan.size_bytes)

    def _execution(self) -> Execution:
        plan = self.plan
        return Execution(
            plan_id=plan.id,
            rule=rule_of(plan.rule),
            actor=self._actor(),
            job_id=self.claim.job_id,
            cause=plan_execution.cause_of(plan),
            lifecycle=self.context.lifecycle,
        )

    def _actor(self) -> Actor:
        """Return in whose name this is done: whoever had it executed, else whoever had it made."""
        if self.claim.kind == JobKind.RUN_POLICY:
            return acting_for_policy(self.claim.requested_by, job_id=self.claim.job_id)
        name, limits = self.plan.executed_by or self.plan.created_by, self.plan.limits
        who = partial(acting, name=name, limits=limits, job_id=self.claim.job_id)
        return looked_up(self.context, who)

    def _execute_batch(self, execution: Execution, batch: list[Item]) -> None:
        with transaction(self.context.engine) as session:
            plan_execution.lock_models(session, batch)
            hold(session, self.claim)
            execution.do(session, batch)

    def _settled(self) -> int:
        return self.plan.done + self.plan.skipped + self.plan.failed

    def _do(self, work: Callable[[Session], object]) -> None:
        fenced(self.context, self.claim, work)
        self._read_again()

    def _read_again(self) -> None:
        by_id = select(Plan).where(col(Plan.id) == self.plan.id)
        self.plan = looked_up(self.context, lambda session: session.exec(by_id).one())

    def _tell(self) -> Report:
        plan = self.plan
        left = looked_up(self.context, partial(plan_execution.left_alone, plan_id=plan.id))
        reasons = listed([f"{count} {reason}" for reason, count in left.items()], most=20)
        sentence = f"{_DONE[plan.action]} {counted(plan.done, 'version')}"
        sentence += f", left {plan.skipped + plan.failed} alone ({reasons})." if left else "."
        self.pulse.say(sentence)
        return Report(sentence, items=plan.done)


_STEPS = {"archive": "Archiving", "delete": "Deleting", "restore": "Restoring", "verify": "Verifying", "tag": "Tagging"}
_DONE = {
    "archive": "Archived",
    "delete": "Deleted",
    "restore": "Restored",
    "verify": "Had verified",
    "tag": "Tagged",
}
