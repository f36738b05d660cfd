"""The bell: rings wake-ups, and never makes its caller wait for a broker that is not there."""

import time

import pytest

from modelyard.jobs.broker import Bell, create_broker
from tests.servers import Valkey, free_port
from tests.waiting import wait_until


def seconds_of(call) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.fixture
def bell(valkey: Valkey) -> Bell:
    return Bell(create_broker(valkey.url), quiet_s=0.3)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("task_acks_late", False),
        ("task_ignore_result", True),
        ("task_publish_retry", False),
        ("result_backend", None),
        ("accept_content", ["json"]),
        ("worker_prefetch_multiplier", 1),
        ("worker_disable_prefetch", True),
        ("worker_soft_shutdown_timeout", 0),
        ("broker_connection_max_retries", None),
    ],
)
def test_celery_is_configured_to_carry_wake_ups_and_nothing_else(setting, value):
    assert create_broker("redis://127.0.0.1:1/0").conf[setting] == value


def test_the_application_knows_no_task_of_ours():
    tasks = create_broker("redis://127.0.0.1:1/0").tasks

    assert [name for name in tasks if not name.startswith("celery.")] == []


@pytest.mark.parametrize("queue", ["fast", "copy"])
def test_a_ring_puts_one_message_into_the_queue_named(bell, queue):
    other = {"fast": "copy", "copy": "fast"}[queue]

    assert bell.ring("register_version", queue, 7)

    assert (bell.depth(queue), bell.depth(other)) == (1, 0)


def test_a_flushed_broker_is_rung_like_a_new_one(bell, valkey):
    bell.ring("register_version", "copy", 1)
    valkey.flush()

    assert bell.ring("register_version", "copy", 2)

    assert bell.depth("copy") == 1


def test_ringing_for_a_broker_that_is_gone_is_tried_once_and_raises_nothing():
    bell = Bell(create_broker(f"redis://127.0.0.1:{free_port()}/0"), quiet_s=60)

    waited_s = seconds_of(lambda: bell.ring("register_version", "copy", 1))

    # Kombu left alone looks for a lost broker for minutes.
    assert waited_s < 30
    assert bell.depth("copy") is None


def test_a_broker_that_hangs_is_waited_for_once_and_then_left_alone(valkey):
    bell = Bell(create_broker(valkey.url), quiet_s=60)
    bell.ring("register_version", "copy", 1)
    valkey.freeze()

    first_s, second_s = (seconds_of(lambda: bell.ring("register_version", "copy", 2)) for _ in range(2))

    valkey.thaw()
    assert 0.5 < first_s < 30
    assert second_s < 0.5
    assert bell.quiet


def test_a_broker_that_comes_back_is_rung_again_after_the_quiet_time(bell, valkey):
    valkey.kill()
    assert not bell.ring("register_version", "copy", 1)
    valkey.start()

    wait_until(lambda: bell.ring("register_version", "copy", 2))

    assert bell.depth("copy") == 1
