"""Faults of plans, policies and their schedules: each would touch what must stay, or do something twice."""

from tests.mutants.planting import Fault

RULES, POLICY_RULES = "rules/plans.py", "rules/policies.py"
CANDIDATES, RIGHTS = "registry/candidates.py", "registry/plan_rights.py"
MAKING, EXECUTION, PLANS = "registry/plan_making.py", "registry/plan_execution.py", "registry/plans.py"
WORK, RUNS, EFFECTS = "worker/planning.py", "worker/policy_runs.py", "registry/job_effects.py"
SCHEDULES, TIMES, ROLLBACKS = "jobs/schedules.py", "rules/schedules.py", "registry/rollbacks.py"

RANDOM = ("tests/plans/test_random_plans.py",)
EXAMPLES = ("tests/plans/test_plans.py",)
POLICIES = ("tests/plans/test_policies.py",)
STOPS = ("tests/plans/test_interruptions.py",)
RIGHTS_TESTS = ("tests/plans/test_rights.py",)
BACK = ("tests/plans/test_rollbacks.py",)
SLOTS = ("tests/jobs/test_slots.py", "tests/jobs/test_schedules.py")
CALENDAR = ("tests/rules/test_schedules.py", "tests/jobs/test_schedules.py")

# The property alone has to find these.
UNPROTECTED = [
    Fault(
        "plan: what is in Staging or Production is deleted",
        RULES,
        "    if facts.stage in IN_USE:\n        return KeepReason.IN_USE\n    if facts.pinned:",
        "    if facts.pinned:",
        RANDOM,
    ),
    Fault("plan: a pin holds nothing", RULES, "    if facts.pinned:\n        return KeepReason.PINNED\n", "", RANDOM),
    Fault(
        "plan: an alias holds nothing", RULES, "    if facts.aliased:\n        return KeepReason.ALIASED\n", "", RANDOM
    ),
    Fault(
        "plan: an open request holds nothing",
        RULES,
        "    if facts.requested:\n        return KeepReason.REQUESTED\n",
        "",
        RANDOM,
    ),
    Fault(
        "plan: a request that was answered holds for ever",
        RIGHTS,
        "exists().where(_requests.c.version_id == _versions.c.id, is_open)",
        "exists().where(_requests.c.version_id == _versions.c.id)",
        RANDOM,
    ),
    Fault(
        "plan: a pin on the model holds nothing",
        CANDIDATES,
        "pin(model_tags, model_tags.c.model_id, models.c.id)",
        "pin(model_tags, model_tags.c.model_id, versions.c.id)",
        RANDOM,
    ),
    Fault(
        "plan: the newest are not kept", RULES, "    if facts.newest:\n        return KeepReason.NEWEST\n", "", RANDOM
    ),
    Fault(
        "plan: one fewer is kept",
        CANDIDATES,
        ".offset(rule.keep_newest - 1)",
        ".offset(rule.keep_newest - 2 if rule.keep_newest > 1 else 0)",
        RANDOM,
    ),
    Fault(
        "plan: what was deleted counts among the newest",
        CANDIDATES,
        "versions.c.status == READY, versions.c.deleted_at_ms.is_(None))\n        .order_by(versions.c.version.desc())",
        "versions.c.status == READY)\n        .order_by(versions.c.version.desc())",
        RANDOM,
    ),
    Fault(
        "plan: what was just registered is old enough",
        RULES,
        "    if facts.created_at_ms > now_ms - rule.registered_days * DAY_MS:",
        "    if False:",
        RANDOM,
    ),
    Fault(
        "plan: what was just moved is old enough",
        RULES,
        "    if facts.stage_changed_at_ms > now_ms - rule.moved_days * DAY_MS:",
        "    if False:",
        RANDOM,
    ),
    Fault(
        "plan: what was just downloaded is old enough",
        RULES,
        "(facts.last_downloaded_at_ms or facts.created_at_ms) > now_ms",
        "facts.created_at_ms > now_ms",
        RANDOM,
    ),
    Fault(
        "plan: a version that is being registered is deleted",
        RULES,
        "return KeepReason.PENDING if facts.status is VersionStatus.PENDING else None",
        "return None",
        RANDOM,
    ),
    Fault(
        "execution: nothing is looked at again",
        EXECUTION,
        "            if reason is not None:\n                left[",
        "            if reason is KeepReason.GONE:\n                left[",
        RANDOM,
    ),
    Fault(
        "execution: other versions of the model are done with the planned ones",
        EXECUTION,
        "versions.c.id.in_([row.version_id for _, row in chosen]),",
        "versions.c.model_id.in_([row.model_id for _, row in chosen]),",
        RANDOM,
    ),
    Fault(
        "execution: what was done is not noted",
        EXECUTION,
        'outcome=bindparam("came"), ',
        "",
        RANDOM,
    ),
    Fault(
        "execution: a second one begins when the first is over",
        RULES,
        '    if status is not PlanStatus.READY:\n        raise InvalidState(f"This plan {_NOT_NOW[status]}.")\n',
        "",
        RANDOM,
    ),
]

PROMISES = [
    Fault("execution: any digest will do", RULES, "    if given != digest:", "    if not given:", EXAMPLES),
    Fault(
        "execution: a plan never expires",
        RULES,
        "expires_at_ms is not None and expires_at_ms <= now_ms",
        "expires_at_ms is None",
        ("tests/rules/test_plans.py",),
    ),
    Fault(
        "execution: begins for whoever asks",
        PLANS,
        "_plans.c.id == plan_id, _plans.c.status == PlanStatus.READY, ",
        "_plans.c.id == plan_id, ",
        STOPS,
    ),
    Fault(
        "execution: a batch is not the owner's alone",
        WORK,
        "            plan_execution.lock_models(session, batch)\n            hold(session, self.claim)\n",
        "            plan_execution.lock_models(session, batch)\n",
        STOPS,
    ),
    Fault(
        "execution: a pin that is being set is not waited for",
        WORK,
        "            plan_execution.lock_models(session, batch)\n            hold(session, self.claim)\n",
        "            hold(session, self.claim)\n",
        STOPS,
    ),
    Fault(
        "execution: a run does what somebody else's job does",
        WORK,
        "if self.plan.status == PlanStatus.EXECUTING and self.plan.execute_job_id == self.claim.job_id:",
        "if self.plan.status == PlanStatus.EXECUTING:",
        STOPS,
    ),
    Fault(
        "execution: ends with the job that only made its plan",
        EFFECTS,
        "and_(plans.c.status == PlanStatus.EXECUTING, plans.c.execute_job_id == job_id)",
        "and_(plans.c.status == PlanStatus.EXECUTING, plans.c.plan_job_id == job_id)",
        STOPS,
    ),
    Fault(
        "execution: an expired plan is taken up again",
        EFFECTS,
        "plans.c.execute_job_id == claim.job_id, plans.c.expires_at_ms > now_ms()",
        "plans.c.execute_job_id == claim.job_id",
        STOPS,
    ),
    Fault(
        "execution: a refusal leaves half of a change behind",
        EXECUTION,
        "            with session.begin_nested():\n                message",
        "            if True:\n                message",
        EXAMPLES,
    ),
    Fault(
        "plan: an interrupted one begins again and lists twice",
        MAKING,
        ".values(looked_at=list(looked.until), left_out",
        ".values(left_out",
        STOPS,
    ),
    Fault(
        "policy: a run that comes again makes another plan",
        RUNS,
        "    return found or plan_making.new_plan(",
        "    return plan_making.new_plan(",
        STOPS,
    ),
    Fault("policy: a proposal is applied", RUNS, "    if work.plan.status_message:", "    if False:", POLICIES),
    Fault(
        "policy: there is no cap on the number",
        POLICY_RULES,
        "    if touched > caps.max_versions:",
        "    if False:",
        POLICIES,
    ),
    Fault(
        "policy: there is no cap on the share",
        POLICY_RULES,
        "    if touched * 100 > living * caps.max_percent:",
        "    if False:",
        POLICIES,
    ),
    Fault(
        "policy: an underscore of a pattern is any letter",
        POLICY_RULES,
        '".*".join(map(re.escape, pattern.split("*")))',
        '".*".join(pattern.replace("_", ".").split("*"))',
        ("tests/rules/test_policies.py",),
    ),
    Fault(
        "policy: prompts are archived",
        CANDIDATES,
        '.where(\n        models.c.deleted_at_ms.is_(None), ~_has_tag(PROMPT_TAG, "true")\n    )',
        ".where(models.c.deleted_at_ms.is_(None))",
        POLICIES,
    ),
    Fault(
        "rights: whoever sees a model may archive in it",
        RIGHTS,
        "return access.held_at_least(actor, NEEDED[_ABILITY[action]])",
        "return access.visible(actor)",
        RIGHTS_TESTS,
    ),
    Fault(
        "rights: a plan looks at what its maker does not see",
        CANDIDATES,
        "seen = [there, models.c.deleted_at_ms.is_(None), access.visible(actor)]",
        "seen = [there, models.c.deleted_at_ms.is_(None)]",
        RIGHTS_TESTS,
    ),
    Fault(
        "rights: a job forgets the limits of a token",
        RIGHTS,
        "replace(found, limits=limits_of(limits), via",
        "replace(found, via",
        RIGHTS_TESTS,
    ),
    Fault(
        "rights: somebody who is not let in any more is an administrator",
        RIGHTS,
        "or Actor(name)",
        "or Actor(name, is_admin=True)",
        RIGHTS_TESTS,
    ),
    Fault(
        "rollback: forgets who stepped aside while the job waits",
        ROLLBACKS,
        "if row.told or row.version in fresh}",
        "if row.told}",
        BACK,
    ),
    Fault(
        "rollback: is taken for a part of what it undoes",
        ROLLBACKS,
        "max(current_ms(session), found.undone_at_ms + 1)",
        "found.undone_at_ms",
        BACK,
    ),
    Fault(
        "rollback: brings back what was moved since",
        ROLLBACKS,
        "    if row.stage_changed_at_ms != at_ms:",
        "    if False:",
        BACK,
    ),
]

SLOT_FAULTS = [
    Fault(
        "schedule: a run is named by the moment, not by its slot",
        SCHEDULES,
        'key = f"{subject_of(row.public_id)}:{slot}"',
        'key = f"{subject_of(row.public_id)}:{now}"',
        SLOTS,
    ),
    Fault(
        "schedule: a slot runs again when the clock steps back",
        SCHEDULES,
        "open_one | (jobs.c.dedupe_key == dedupe_key)",
        "open_one",
        SLOTS,
    ),
    Fault(
        "schedule: a run begins while another is under way",
        SCHEDULES,
        "open_one | (jobs.c.dedupe_key == dedupe_key)",
        "jobs.c.dedupe_key == dedupe_key",
        SLOTS,
    ),
    Fault(
        "schedule: a time that autumn repeats is missed",
        TIMES,
        "_BEYOND_AUTUMN_MS = 2 * 3600 * 1000",
        "_BEYOND_AUTUMN_MS = 0",
        CALENDAR,
    ),
    Fault(
        "schedule: a time that autumn repeats comes again",
        TIMES,
        "following = next((slot for slot in slots if slot > moment_ms), None)",
        "following = next(iter(slots), None)",
        CALENDAR,
    ),
]

PLAN_FAULTS = [*UNPROTECTED, *PROMISES, *SLOT_FAULTS]
