"""The three tables in which each kind of job stands."""

from modelyard.registry.job_effects import EFFECTS
from modelyard.rules.jobs import RULES, JobKind
from modelyard.worker.tasks import WORK


def test_every_kind_has_rules_effects_and_work():
    assert set(JobKind) == set(RULES) == set(EFFECTS) == set(WORK)
