"""Short store storms, and the control that must be caught; `make chaos-store` runs long ones."""

from uuid import uuid4

import pytest

from tests.store_chaos.storm import crashes, race

pytestmark = pytest.mark.more


def test_processes_that_race_lose_no_byte_and_leave_none_behind(database_url, tmp_path):
    outcome = race(database_url, tmp_path, seconds=5)

    assert outcome.verdict.violations == []
    assert outcome.deeds["register_version SUCCEEDED"] > 0


def test_processes_that_are_killed_lose_no_byte_and_leave_none_behind(database_url, tmp_path):
    outcome = crashes(database_url, tmp_path, kills=8)

    assert outcome.verdict.violations == []
    assert outcome.verdict.jobs.total() > 0


def test_without_leases_bytes_are_lost_and_the_check_says_so(database_url, tmp_path):
    outcome = race(database_url, tmp_path, seconds=10, how="without-leases")

    assert any("lacks" in violation for violation in outcome.verdict.violations)


@pytest.fixture
def bucket(s3):
    """The address of a folder in a bucket, for which the environment of every process holds the credentials."""
    return f"s3://store/storms/{uuid4().hex}"


def test_a_race_over_a_bucket_loses_no_byte_and_leaves_none_behind(database_url, tmp_path, bucket):
    outcome = race(database_url, tmp_path, seconds=8, store_url=bucket)

    assert outcome.verdict.violations == []
    assert outcome.deeds["register_version SUCCEEDED"] > 0


def test_kills_over_a_bucket_lose_no_byte_and_leave_none_behind(database_url, tmp_path, bucket):
    outcome = crashes(database_url, tmp_path, kills=6, store_url=bucket)

    assert outcome.verdict.violations == []
    assert outcome.verdict.jobs.total() > 0
