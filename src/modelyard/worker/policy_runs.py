"""The work of `run_policy`: one run of a policy makes its plan, and executes it where mode and caps allow.

A run that was interrupted finds its plan by its own number and goes on with it.
"""

from functools import partial

from sqlmodel import Session, col, select

from modelyard.database.tables import Plan, Policy
from modelyard.jobs.guards import Claim
from modelyard.registry import candidates, plan_making
from modelyard.registry.job_effects import Report
from modelyard.registry.plan_making import Seal
from modelyard.registry.plan_rights import acting_for_policy
from modelyard.registry.policies import selection_of_policy
from modelyard.rules.plans import PROPOSAL_LIFE_MS, PlanAction
from modelyard.rules.policies import Caps, Conditions, Mode, beyond_caps, policy_rule
from modelyard.worker.context import Context, Pulse
from modelyard.worker.fence import fenced, looked_up
from modelyard.worker.planning import PlanWork


def run_policy(context: Context, claim: Claim, pulse: Pulse) -> Report | None:
    """Make the plan of a run, and execute it if the policy may; None when the policy was removed.

    With the argument `propose` the plan is left to somebody's approval whatever the policy's mode is.
    """
    by_id = select(Policy).where(col(Policy.public_id) == claim.arguments["policy"])
    policy = looked_up(context, lambda session: session.exec(by_id).one_or_none())
    if policy is None:
        return None
    plan = fenced(context, claim, partial(_plan_of_run, policy=policy, claim=claim))
    work = PlanWork(context, claim, pulse, plan)
    living = looked_up(context, partial(candidates.count_living, conditions=Conditions(**policy.conditions)))
    say = partial(_why_it_asks, policy, bool(claim.arguments.get("propose")), living)
    work.make(life_ms=PROPOSAL_LIFE_MS, living=living, say=say)
    # What was said when the plan was sealed is the decision: an attempt that comes later takes none of its own.
    if work.plan.status_message:
        return work.foretell()
    work.begin(by=claim.requested_by)
    return work.execute()


def _plan_of_run(session: Session, policy: Policy, claim: Claim) -> Plan:
    """Return the plan of this run, a new one in its first attempt."""
    found = session.exec(select(Plan).where(col(Plan.plan_job_id) == claim.job_id)).one_or_none()
    return found or plan_making.new_plan(
        session,
        acting_for_policy(claim.requested_by, job_id=claim.job_id),
        policy_rule(PlanAction(policy.action), Conditions(**policy.conditions)),
        selection_of_policy(policy),
        policy_id=policy.id,
        policy_name=policy.name,
        plan_job_id=claim.job_id,
    )


def _why_it_asks(policy: Policy, propose: bool, living: int, seal: Seal) -> str:
    """Return why a run leaves its plan to somebody's approval, "" when it executes the plan itself."""
    beyond = beyond_caps(Caps(policy.max_percent, policy.max_versions), touched=seal.versions, living=living)
    if beyond:
        return f"Stopped: {beyond}. Execute the plan if that is right."
    if seal.versions and (propose or policy.mode == Mode.PROPOSE):
        return "Waits for approval: execute the plan if it is right."
    return ""
