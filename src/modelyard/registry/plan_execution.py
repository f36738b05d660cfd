"""Executing a plan: exactly its versions, or fewer. Each is looked at again under its model's lock, and left alone when
anything has changed that the plan would not have let pass.

A batch is one transaction of at most some 50 ms; the lines say which versions are still waiting.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, update
from sqlmodel import Session

from modelyard.database.clock import now_ms
from modelyard.database.inserts import insert_or
from modelyard.database.session import current_ms
from modelyard.database.tables import Plan, metadata
from modelyard.errors import ModelyardError
from modelyard.jobs.lifecycle import Lifecycle
from modelyard.registry import audit, care, model_versions, tags, trash
from modelyard.registry.access import Actor
from modelyard.registry.candidates import Candidate, as_they_are, newest_from
from modelyard.registry.events import told
from modelyard.registry.shown import READY, models, versions
from modelyard.rules.activities import ActivityType
from modelyard.rules.events import RegistryEvent
from modelyard.rules.jobs import clip_message
from modelyard.rules.plans import WORDS, KeepReason, Outcome, PlanAction, PlanStatus, Rule, why_not
from modelyard.rules.stages import Stage

plans = metadata.tables["plans"]
items = metadata.tables["plan_items"]
activities = metadata.tables["activities"]
outbox = metadata.tables["outbox_events"]

# Versions that are archived together; one statement moves them all.
BATCH = 100
# What is done one by one ends its transaction after so long.
_BATCH_S = 0.03


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a plan that waits for its execution."""

    position: int
    version_id: int
    model_id: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a line; `reason` and `message` say why it was not done."""

    item: Item
    outcome: Outcome
    reason: KeepReason | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """The execution of a plan by a job, in the name of `actor`."""

    plan_id: int
    rule: Rule
    actor: Actor
    job_id: int
    cause: str
    lifecycle: Lifecycle

    def do(self, session: Session, batch: Sequence[Item]) -> int:
        """Do what the plan says to a batch whose models are locked; return how many of its lines are settled.

        The rest of the batch, if any, wants a transaction of its own.
        """
        now = current_ms(session)
        found = as_they_are(session, self.actor, self.rule, [item.version_id for item in batch])
        newest = newest_from(session, self.rule, sorted({item.model_id for item in batch}))
        left: dict[int, KeepReason] = {}
        for item in batch:
            row = found.get(item.version_id)
            reason = why_not(self.rule, row.facts(newest) if row else None, now)
            if reason is not None:
                left[item.position] = reason
        skipped = [
            Result(item, Outcome.SKIPPED, left[item.position], WORDS[left[item.position]])
            for item in batch
            if item.position in left
        ]
        chosen = [(item, found[item.version_id]) for item in batch if item.position not in left]
        if self.rule.action is PlanAction.ARCHIVE:
            results = self._archive(session, chosen, now)
        else:
            results = self._one_by_one(session, chosen)
        self._settle(session, [*skipped, *results])
        return len(skipped) + len(results)

    def _archive(self, session: Session, chosen: Sequence[tuple[Item, Candidate]], at_ms: int) -> list[Result]:
        """Archive versions by one statement, and write each one's activity."""
        if not chosen:
            return []
        moved = session.execute(
            update(versions)
            .where(
                versions.c.id.in_([row.version_id for _, row in chosen]),
                versions.c.stage == Stage.NONE,
                versions.c.status == READY,
                versions.c.deleted_at_ms.is_(None),
            )
            .values(stage=Stage.ARCHIVED, stage_changed_at_ms=at_ms, updated_at_ms=at_ms)
            .returning(versions.c.id)
        )
        archived = set(moved.scalars())
        rows = [row for _, row in chosen if row.version_id in archived]
        if rows:
            self._tell_archived(session, rows, at_ms)
        return [
            Result(item, Outcome.DONE)
            if row.version_id in archived
            else Result(item, Outcome.SKIPPED, KeepReason.OTHER_STAGE, WORDS[KeepReason.OTHER_STAGE])
            for item, row in chosen
        ]

    def _tell_archived(self, session: Session, rows: Sequence[Candidate], at_ms: int) -> None:
        """Write each version's activity, event and line of the audit log, and let the pages of its model know."""
        session.execute(
            insert_or(session, activities).on_conflict_do_nothing(),
            [
                {
                    "model_id": row.model_id,
                    "version_id": row.version_id,
                    "activity_type": ActivityType.SYSTEM_TRANSITION,
                    "actor": self.actor.name,
                    "created_at_ms": at_ms,
                    "updated_at_ms": at_ms,
                    "from_stage": row.stage,
                    "to_stage": Stage.ARCHIVED,
                    "comment": "",
                    "system_comment": self.cause,
                    "job_id": self.job_id,
                }
                for row in rows
            ],
        )
        session.execute(
            insert_or(session, outbox).on_conflict_do_nothing(),
            [
                {
                    "event": RegistryEvent.TRANSITIONED,
                    "model_id": row.model_id,
                    "version_id": row.version_id,
                    "actor": self.actor.name,
                    "payload": told(row.model_name, row.version, from_stage=row.stage, to_stage=Stage.ARCHIVED),
                    "job_id": self.job_id,
                    "created_at_ms": at_ms,
                }
                for row in rows
            ],
        )
        audit.record_archived(
            session, self.actor, [(row.model_id, row.model_name, row.version, row.stage) for row in rows]
        )
        changed = models.c.id.in_({row.model_id for row in rows})
        session.execute(
            update(models).where(changed).values(change_counter=models.c.change_counter + 1, updated_at_ms=at_ms)
        )

    def _one_by_one(self, session: Session, chosen: Sequence[tuple[Item, Candidate]]) -> list[Result]:
        """Do the use-case of the plan's action to each version, until the transaction has lasted long enough."""
        began_s = time.monotonic()
        results: list[Result] = []
        for item, row in chosen:
            if results and time.monotonic() - began_s > _BATCH_S:
                break
            results.append(self._one(session, item, row))
        return results

    def _one(self, session: Session, item: Item, row: Candidate) -> Result:
        try:
            # What one version's refusal leaves half done must not reach the others.
            with session.begin_nested():
                message = _DOING[self.rule.action](self, session, row)
        except ModelyardError as error:
            return Result(item, Outcome.FAILED, KeepReason.REFUSED, clip_message(error.message))
        return Result(item, Outcome.DONE, message=message)

    def _settle(self, session: Session, results: Sequence[Result]) -> None:
        """Write down what became of these lines, and count them."""
        if not results:
            return
        settled = (
            update(items)
            .where(items.c.plan_id == self.plan_id, items.c.position == bindparam("at"), items.c.outcome.is_(None))
            .values(outcome=bindparam("came"), outcome_reason=bindparam("why"), message=bindparam("told"))
        )
        session.connection().execute(
            settled,
            [
                {"at": result.item.position, "came": result.outcome, "why": result.reason, "told": result.message}
                for result in results
            ],
        )
        counts = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
        session.execute(
            update(plans)
            .where(plans.c.id == self.plan_id)
            .values(
                done=plans.c.done + counts[Outcome.DONE],
                skipped=plans.c.skipped + counts[Outcome.SKIPPED],
                failed=plans.c.failed + counts[Outcome.FAILED],
            )
        )


def waiting_items(session: Session, plan_id: int, *, limit: int) -> list[Item]:
    """Return the next lines that wait, in their order."""
    rows = session.execute(
        select(items.c.position, items.c.version_id, items.c.model_id)
        .where(items.c.plan_id == plan_id, items.c.reason.is_(None), items.c.outcome.is_(None))
        .order_by(items.c.position)
        .limit(limit)
    )
    return [Item(*row) for row in rows]


def lock_models(session: Session, batch: Sequence[Item]) -> None:
    """Lock the models of a batch, in the order of their ids: whoever changes a version holds its model."""
    model_ids = {item.model_id for item in batch}
    session.execute(select(models.c.id).where(models.c.id.in_(model_ids)).order_by(models.c.id).with_for_update())


def finish(session: Session, plan_id: int) -> None:
    """Note that nothing of a plan waits any more."""
    session.execute(
        update(plans)
        .where(plans.c.id == plan_id, plans.c.status == PlanStatus.EXECUTING)
        .values(status=PlanStatus.EXECUTED, finished_at_ms=now_ms())
    )


def left_alone(session: Session, plan_id: int) -> Mapping[KeepReason, int]:
    """Return how many lines were left alone in the execution, by the reason."""
    rows = session.execute(
        select(items.c.outcome_reason, func.count())
        .where(items.c.plan_id == plan_id, items.c.outcome_reason.is_not(None))
        .group_by(items.c.outcome_reason)
        .order_by(items.c.outcome_reason)
    )
    return {KeepReason(reason): count for reason, count in rows}


def _delete(execution: Execution, session: Session, row: Candidate) -> str:
    model_versions.delete_model_version(
        session, execution.actor, row.model_name, row.version, lifecycle=execution.lifecycle
    )
    return ""


def _restore(execution: Execution, session: Session, row: Candidate) -> str:
    trash.restore(session, execution.actor, row.version_public_id, lifecycle=execution.lifecycle)
    return ""


def _verify(execution: Execution, session: Session, row: Candidate) -> str:
    job = care.verify_version(session, execution.actor, row.model_name, row.version, queue=execution.lifecycle.queue)
    return f"Job {job.id} verifies it."


def _tag(execution: Execution, session: Session, row: Candidate) -> str:
    rule = execution.rule
    tags.set_model_version_tag(session, execution.actor, row.model_name, row.version, rule.tag_key, rule.tag_value)
    return ""


_DOING: Mapping[PlanAction, Callable[[Execution, Session, Candidate], str]] = {
    PlanAction.DELETE: _delete,
    PlanAction.RESTORE: _restore,
    PlanAction.VERIFY: _verify,
    PlanAction.TAG: _tag,
}


def cause_of(plan: Plan) -> str:
    """Return what the activity of a version says of the plan that moved it."""
    if plan.policy_name is not None:
        return f"Archived by the policy {plan.policy_name!r}, plan {plan.public_id}."
    return f"Archived by the plan {plan.public_id}."
