"""Figures that only grow: whenever they are folded, and whoever folds them, each attempt is counted once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import delete, select, update

from modelyard.database.session import snapshot, transaction
from modelyard.jobs import counters
from modelyard.jobs.attempts import attempts
from modelyard.jobs.counters import ENDED, count, fold_attempts, read_figures
from modelyard.jobs.guards import jobs


def fold(job_house):
    with transaction(job_house.engine) as session:
        return fold_attempts(session, ENDED)


def figures(job_house):
    with snapshot(job_house.engine) as session:
        return dict(read_figures(session))


def end_some(job_house):
    """End a job at its second attempt, fail one, and leave one running."""
    retried = job_house.claimed()
    job_house.lifecycle.give_back(retried, delay_ms=0, error_code="X", message="away")
    job_house.lifecycle.finish(job_house.claimed(retried.job_id), None)
    job_house.lifecycle.fail(job_house.claimed(job_house.add(subject=None)), "X", "no")
    return job_house.claimed(job_house.add(subject=None))


def test_folding_changes_nothing_that_is_read(job_house):
    end_some(job_house)
    before = figures(job_house)

    assert fold(job_house) == 3
    assert fold(job_house) == 0

    assert figures(job_house) == before
    assert before["job_attempts", "register_version,RETRIED"] == 1
    assert before["job_retries", "register_version"] == 1


def test_an_attempt_that_runs_is_folded_when_it_has_ended(job_house):
    running = end_some(job_house)
    fold(job_house)
    began = figures(job_house)

    job_house.lifecycle.finish(running, None)
    ended = figures(job_house)

    assert fold(job_house) == 1
    assert figures(job_house) == ended
    assert ended["job_attempts", "register_version,SUCCEEDED"] == 2
    assert all(ended[figure] >= amount for figure, amount in began.items())


def test_a_fold_takes_no_more_than_a_batch(job_house, monkeypatch):
    monkeypatch.setattr(counters, "BATCH", 2)
    end_some(job_house)
    before = figures(job_house)

    assert [fold(job_house) for _ in range(3)] == [2, 1, 0]
    assert figures(job_house) == before


def test_two_folds_at_once_count_once(job_house):
    for _ in range(20):
        job_house.lifecycle.finish(job_house.claimed(job_house.add(subject=None)), None)
    before = figures(job_house)
    barrier = Barrier(3)

    def begin(_):
        barrier.wait(10)
        return fold(job_house)

    with ThreadPoolExecutor(3) as pool:
        folded = list(pool.map(begin, range(3)))

    assert sorted(folded) == [0, 0, 20]
    assert figures(job_house) == before


def test_a_fold_that_is_rolled_back_counts_nothing(job_house):
    end_some(job_house)
    before = figures(job_house)

    with transaction(job_house.engine) as session:
        fold_attempts(session)
        session.rollback()

    assert figures(job_house) == before
    assert fold(job_house) == 3


def test_who_deletes_attempts_folds_them_first(job_house):
    end_some(job_house)
    before = figures(job_house)

    with transaction(job_house.engine) as session:
        assert fold_attempts(session, attempts.c.job_id > 0) == 4
        session.execute(delete(attempts))
        session.execute(delete(jobs))

    assert figures(job_house) == before


def test_a_reader_never_sees_a_figure_in_two_places_or_in_none(job_house):
    for _ in range(30):
        job_house.lifecycle.finish(job_house.claimed(job_house.add(subject=None)), None)
    expected = figures(job_house)

    with ThreadPoolExecutor(1) as pool:
        folding = pool.submit(lambda: [fold_one(job_house, job_id) for job_id in job_ids(job_house)])
        seen = [figures(job_house)]
        while not folding.done():
            seen.append(figures(job_house))
        folding.result()

    assert [found for found in seen if found != expected] == []


def test_what_no_row_tells_is_added_up(job_house):
    for _ in range(2):
        count(job_house.engine, {("sweeps", ""): 1, ("reaps", ""): 0, ("copied_bytes", "register_version"): 10**15})

    assert figures(job_house) == {("sweeps", ""): 2, ("copied_bytes", "register_version"): 2 * 10**15}


def test_a_clock_that_was_set_back_lets_no_figure_fall(job_house):
    running = job_house.claimed()
    with transaction(job_house.engine) as session:
        session.execute(update(attempts).values(started_at_ms=attempts.c.started_at_ms + 60_000))
    job_house.lifecycle.finish(running, None)

    found = figures(job_house)

    assert found["job_run_ms_sum", "register_version"] == 0
    assert found["job_run_ms_bucket", "register_version,50"] == 1


def fold_one(job_house, job_id):
    with transaction(job_house.engine) as session:
        fold_attempts(session, attempts.c.job_id == job_id)


def job_ids(job_house):
    with transaction(job_house.engine) as session:
        return session.scalars(select(jobs.c.id)).all()
