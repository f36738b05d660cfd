"""What monitoring collects: every metric is documented, shown from the start, and falls only if it may."""

import re
import shutil
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from modelyard.database.session import transaction
from modelyard.database.tables import metadata
from modelyard.jobs.counters import ENDED, count, fold_attempts
from modelyard.rules.figures import COPIED_BYTES, REAPS, RINGS, SWEEPS
from modelyard.rules.jobs import JobKind, JobStatus
from modelyard.web.metrics import FAMILIES, SPANS, TOTALS
from tests.web.api.test_workforce import report_worker
from tests.web.yards import Yard

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
TYPES = {"Gauge": "gauge", "Total": "counter", "Spans": "histogram"}
jobs = metadata.tables["jobs"]


def scrape(yard: Yard) -> dict[str, float]:
    """Return every sample as it is written -> its value."""
    lines = yard.client.get("/metrics").get_data(as_text=True).splitlines()
    parted = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in parted}


def test_the_page_describes_what_is_shown() -> None:
    rows = re.findall(r"^\| `(modelyard_\w+)` \| (\w+) \| ?(.*?) ?\| (.*) \|$", PAGE.read_text(), re.MULTILINE)

    assert rows == [
        (
            family.name + ("_total" if family in TOTALS else ""),
            TYPES[type(family).__name__],
            ", ".join(f"`{label}`" for label in family.labels),
            family.text,
        )
        for family in FAMILIES
    ]


def test_every_sample_belongs_to_a_family_of_its_type_and_labels(yard: Yard) -> None:
    yard.ready()
    text = yard.client.get("/metrics").get_data(as_text=True)

    shown = {family.name: family for family in text_string_to_metric_families(text)}

    assert {name: family.type for name, family in shown.items()} == {
        family.name: TYPES[type(family).__name__] for family in FAMILIES
    }
    for family in FAMILIES:
        for sample in shown[family.name].samples:
            assert set(sample.labels) - {"le"} == set(family.labels)


def test_counters_are_shown_before_anything_has_happened(yard: Yard) -> None:
    samples = scrape(yard)

    assert samples['modelyard_job_attempts_total{kind="register_version",outcome="LOST"}'] == 0
    assert samples['modelyard_job_run_seconds_bucket{kind="probe",le="+Inf"}'] == 0
    assert samples['modelyard_job_wait_seconds_count{queue="copy"}'] == 0
    assert samples["modelyard_sweeps_total"] == 0


def test_jobs_queues_and_workers_are_shown_as_they_are_now(yard: Yard) -> None:
    yard.ready()
    yard.register()
    report_worker(yard, "one:1", "fast,copy", slots=3)
    report_worker(yard, "two:2", "copy", slots=4)
    report_worker(yard, "gone:3", "copy", seen_ago_ms=60_000)

    samples = scrape(yard)

    assert samples['modelyard_jobs{kind="register_version",status="SUCCEEDED"}'] == 1
    assert samples['modelyard_queue_depth{queue="copy"}'] == 1
    assert samples['modelyard_queue_oldest_age_seconds{queue="fast"}'] == 0
    assert samples["modelyard_workers_alive"] == 2
    assert samples['modelyard_workers{queue="copy"}'] == 2
    assert samples['modelyard_worker_slots{queue="copy"}'] == 7


def test_attempts_are_counted_by_what_became_of_them(yard: Yard) -> None:
    yard.ready()
    folder = yard.model_folder("gone")
    yard.register(source=folder)
    shutil.rmtree(folder)
    yard.work()
    yard.call("POST", f"/api/v1/jobs/{yard.jobs()[-1].id}/retry")
    yard.work()

    samples = scrape(yard)

    assert samples['modelyard_job_attempts_total{kind="register_version",outcome="SUCCEEDED"}'] == 1
    assert samples['modelyard_job_attempts_total{kind="register_version",outcome="FAILED"}'] == 2
    assert samples['modelyard_job_retries_total{kind="register_version"}'] == 1
    assert samples['modelyard_job_run_seconds_count{kind="register_version"}'] == 3
    assert samples['modelyard_job_wait_seconds_count{queue="copy"}'] == 2
    assert samples['modelyard_copied_bytes_total{kind="register_version"}'] == len(b"flavors: {}\n")


def test_what_processes_have_counted_is_shown(yard: Yard) -> None:
    count(yard.engine, {(SWEEPS, ""): 4, (REAPS, ""): 2, (RINGS, ""): 3, (COPIED_BYTES, "of_another_release"): 7})

    samples = scrape(yard)

    assert samples["modelyard_sweeps_total"] == 4
    assert samples["modelyard_reaps_total"] == 2
    assert samples["modelyard_rings_total"] == 3
    assert samples['modelyard_copied_bytes_total{kind="of_another_release"}'] == 7


def test_nothing_that_only_grows_ever_falls(yard: Yard) -> None:
    steps: list[Callable[[], object]] = [yard.ready, yard.register, partial(lose_a_worker, yard), partial(fold, yard)]
    steps += [yard.work, partial(fold, yard), partial(prune, yard)]
    growing = tuple(family.name for family in [*TOTALS, *SPANS])

    seen = [scrape(yard)]
    for step in steps:
        step()
        seen.append(scrape(yard))

    for before, after in pairwise(seen):
        assert {name for name in before if name.startswith(growing) and after[name] < before[name]} == set()
    assert [job.kind for job in yard.jobs()] == ["prune_jobs"]
    assert seen[-1]['modelyard_job_attempts_total{kind="register_version",outcome="SUCCEEDED"}'] == 2
    assert seen[-1]['modelyard_job_attempts_total{kind="register_version",outcome="LOST"}'] == 1
    assert seen[-1]['modelyard_job_wait_seconds_count{queue="copy"}'] == 2


def lose_a_worker(yard: Yard) -> None:
    """Have the newest job taken by a worker, and from it."""
    claim = yard.claim(yard.jobs()[-1].id)
    with transaction(yard.engine) as session:
        session.execute(update(jobs).where(jobs.c.id == claim.job_id).values(lease_until_ms=1))
    assert yard.runtime.lifecycle.reap(claim, delay_ms=0) is JobStatus.QUEUED


def fold(yard: Yard) -> None:
    """Do what each sweep does for the counters."""
    with transaction(yard.engine) as session:
        fold_attempts(session, ENDED)


def prune(yard: Yard) -> None:
    """Let a month pass, and a worker remove what ended before."""
    with transaction(yard.engine) as session:
        session.execute(update(jobs).where(jobs.c.finished_at_ms.is_not(None)).values(finished_at_ms=1))
    yard.add_job(kind=JobKind.PRUNE_JOBS)
    yard.work()
