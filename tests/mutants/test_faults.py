"""Planted faults follow the source: each text that one replaces is there, once."""

import pytest

from tests.mutants.faults import FAULTS
from tests.mutants.planting import ROOT, Fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_planted(fault: Fault) -> None:
    text = (ROOT / "src" / "modelyard" / fault.module).read_text()

    assert text.count(fault.old) == 1
    assert fault.old != fault.new
    assert [test for test in fault.tests if not (ROOT / test).exists()] == []


def test_no_two_faults_have_one_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
