"""The Celery application and the bell rung on it: how a queued job wakes a worker. Knows no task.

The row in `jobs` is the truth; a message carries a job's id and may be lost, doubled or late (jobs.md). So everything
here gives up after one short try: the sweep rings again.
"""

import time
from typing import Final

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from modelyard.rules.jobs import QUEUES, task_name

_BROKER_AWAY: Final = (OperationalError, RedisError, OSError)

log = structlog.get_logger(__name__)


def create_broker(url: str) -> Celery:
    """Return a Celery application for the broker at `url`; nothing is connected yet.

    Safe to make before a fork, not to use before one.
    """
    app = Celery("modelyard", broker=url, set_as_current=False, fixups=[])
    app.conf.update(
        task_queues={name: {"exchange": "", "routing_key": name} for name in QUEUES},
        task_default_queue=QUEUES[0],
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        # No result backend: -29 % throughput, and producers hang on it when it is away.
        task_ignore_result=True,
        task_acks_late=False,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        # With prefetch a short job waits behind the long one that its child is busy with.
        worker_disable_prefetch=True,
        worker_send_task_events=False,
        # In KiB: a child that grew beyond it is replaced after its job.
        worker_max_memory_per_child=512 * 1024,
        # On a busy machine a new child needs more than Celery's four seconds to report.
        worker_proc_alive_timeout=30,
        worker_soft_shutdown_timeout=0,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Remote control would let whoever reaches Redis stop workers, and costs a fanout subscription.
        worker_enable_remote_control=False,
        # A worker outlives any outage of its broker; Celery's default gives up after 100 tries.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Above any number of threads: a thread that waits for another's connection waits for its time-out too.
        broker_pool_limit=64,
        broker_transport_options={
            "global_keyprefix": "modelyard:",
            # What a worker took and did not begin is rung again by the sweep; kombu would note each message on Redis
            # twice, and find it again after an hour.
            "ack_emulation": False,
            "socket_timeout": 1,
            "socket_connect_timeout": 1,
            "socket_keepalive": True,
            "health_check_interval": 25,
            # Kombu would spend seconds looking for a lost Redis, and a caller is waiting for an HTTP answer.
            "max_retries": 0,
        },
    )
    return app


class Bell:
    """Wakes workers, and stays quiet for `quiet_s` seconds after a try that failed.

    One for each process, made after the fork; threads may share it. A caller never waits above about a second, and
    only once in `quiet_s`, however long the broker hangs.
    """

    def __init__(self, app: Celery, *, quiet_s: float) -> None:
        self._app = app
        self._quiet_s = quiet_s
        self._quiet_until_s = float("-inf")

    @property
    def quiet(self) -> bool:
        """True while the broker is left alone because it did not answer."""
        return time.monotonic() < self._quiet_until_s

    def ring(self, kind: str, queue: str, job_id: int) -> bool:
        """Send one wake-up for a job; False means that the sweep will have to ring for it."""
        if self.quiet:
            return False
        try:
            self._app.send_task(task_name(kind), args=[job_id], queue=queue, retry=False)
        except _BROKER_AWAY as error:
            self._fall_quiet(error)
            return False
        return True

    def depth(self, queue: str) -> int | None:
        """Return how many messages wait in `queue`; None when the broker does not answer.

        The declare is not passive: kombu 5.7 asks EXISTS without the key prefix, so that a passive one finds no queue
        at all. On Redis a declare creates nothing.
        """
        if self.quiet:
            return None
        try:
            with self._app.pool.acquire(block=True) as connection:
                declared = connection.default_channel.queue_declare(queue, passive=False)
        except _BROKER_AWAY as error:
            self._fall_quiet(error)
            return None
        return int(declared.message_count)

    def _fall_quiet(self, error: Exception) -> None:
        self._quiet_until_s = time.monotonic() + self._quiet_s
        log.warning("the broker does not answer; queued jobs wait for the sweep", reason=str(error))
