"""What attempts add to the figures of /metrics."""

import pytest

from modelyard.rules.figures import RUN_BOUNDS_MS, RUN_MS, WAIT_MS, AttemptFacts, figures_of, histogram


def facts(**changes: object) -> AttemptFacts:
    """Return a first attempt that waited 7 ms and succeeded after 80 ms, but for `changes`."""
    values = {"kind": "k", "queue": "q", "attempt": 1, "waited_ms": 7, "ran_ms": 80, "outcome": "SUCCEEDED"}
    return AttemptFacts(**(values | changes))  # type: ignore[arg-type]


WAITED = {("job_wait_ms_bucket", "q,10"): 1, ("job_wait_ms_sum", "q"): 7}
RAN = {("job_run_ms_bucket", "k,100"): 1, ("job_run_ms_sum", "k"): 80}


@pytest.mark.parametrize(
    ("attempt", "figures"),
    [
        (facts(), {**WAITED, **RAN, ("job_attempts", "k,SUCCEEDED"): 1}),
        (facts(outcome="LOST"), {**WAITED, **RAN, ("job_attempts", "k,LOST"): 1}),
        # While it runs, only its beginning is known.
        (facts(ran_ms=None, outcome=None), WAITED),
        (facts(attempt=2), {**RAN, ("job_attempts", "k,SUCCEEDED"): 1, ("job_retries", "k"): 1}),
        (facts(attempt=9, ran_ms=None, outcome=None), {("job_retries", "k"): 1}),
        # A clock that was set back.
        (facts(waited_ms=-5, ran_ms=None, outcome=None), {("job_wait_ms_bucket", "q,5"): 1}),
    ],
)
def test_an_attempt_is_counted_by_how_it_began_and_ended(attempt: AttemptFacts, figures: dict[object, int]) -> None:
    assert +figures_of([attempt]) == figures


@pytest.mark.parametrize(
    ("ran_ms", "bound"), [(0, "50"), (50, "50"), (51, "100"), (14_400_000, "14400000"), (14_400_001, "+Inf")]
)
def test_a_bound_belongs_to_its_bucket(ran_ms: int, bound: str) -> None:
    assert figures_of([facts(ran_ms=ran_ms)])["job_run_ms_bucket", f"k,{bound}"] == 1


def test_a_histogram_is_cumulated_over_its_buckets() -> None:
    figures = figures_of([facts(ran_ms=ran_ms) for ran_ms in (10, 60, 60, 700, 10**9)])

    found = histogram(figures, RUN_MS, "k", RUN_BOUNDS_MS)

    assert found.buckets[:6] == [("0.05", 1), ("0.1", 3), ("0.25", 3), ("0.5", 3), ("1", 4), ("2.5", 4)]
    assert found.buckets[-2:] == [("14400", 4), ("+Inf", 5)]
    assert found.sum_s == 1_000_000.83


def test_what_another_release_counted_under_other_bounds_is_not_lost() -> None:
    figures = {("job_run_ms_bucket", "k,75"): 2, ("job_run_ms_bucket", "k,99999999"): 1, ("job_run_ms_sum", "k"): 9}

    found = histogram(figures, RUN_MS, "k", (50, 100))

    assert found.buckets == [("0.05", 0), ("0.1", 2), ("+Inf", 3)]


def test_an_empty_histogram_has_all_of_its_buckets() -> None:
    found = histogram({}, WAIT_MS, "q", (50, 100))

    assert (found.buckets, found.sum_s) == ([("0.05", 0), ("0.1", 0), ("+Inf", 0)], 0)
