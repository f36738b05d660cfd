"""What the work of an attempt has copied, and how fast."""

import pytest

from modelyard.worker import meter
from modelyard.worker.meter import Meter


@pytest.fixture
def clock(monkeypatch):
    """The meter's clock: a list whose last item is the time in seconds."""
    seconds = [100.0]
    monkeypatch.setattr(meter.time, "monotonic", lambda: seconds[-1])
    return seconds


def test_work_that_copies_nothing_has_no_speed(clock):
    assert Meter().read() is None


def test_the_clock_starts_when_the_copy_does(clock):
    measured = Meter()
    clock.append(160.0)
    measured.note(0)
    clock.append(162.0)
    measured.note(500)

    assert measured.read() == 250


def test_a_beat_without_new_bytes_lowers_the_speed(clock):
    measured = Meter()
    measured.note(0)
    clock.append(101.0)
    measured.note(900)
    before = measured.read()
    clock.append(103.0)

    assert (before, measured.read()) == (900, pytest.approx(290, abs=20))
    assert measured.copied_bytes == 900
