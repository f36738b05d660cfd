"""How one worker serves both queues: copies never take its last child, so a short job never waits behind them.

One Celery main for both queues is 28 MiB smaller than a worker each, but left alone it gives every child to copies.
So copies come over a channel of their own, which listens only while another copy may begin. (Leaving the queue out of
the one channel's BRPOP holds back a waiting copy for up to a second after a child has become free.)
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from celery import Celery, bootsteps
from celery.worker import state
from celery.worker.consumer.tasks import Tasks
from kombu import common, messaging

from modelyard.rules.jobs import QUEUES

FAST, COPY = QUEUES

# kombu's own types are not complete.
_new_consumer: Final[Any] = messaging.Consumer
_ignore_errors: Final[Any] = common.ignore_errors


def share_children(app: Celery, queues: Sequence[str], concurrency: int) -> list[str]:
    """Prepare `app` for a worker of `queues`; return those that Celery's own consumer is to listen to."""
    if set(queues) != {FAST, COPY} or concurrency < 2:
        return list(queues)
    app.steps["consumer"].add(_copy_step(most_copies=concurrency - 1, concurrency=concurrency))
    return [FAST]


def _copy_step(*, most_copies: int, concurrency: int) -> type:
    """Return a part of Celery's consumer that listens to the queue of copies while one more may begin."""

    class Copies(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = (Tasks,)

        def start(self, consumer: Any) -> None:
            channel = consumer.connection.channel()
            channel.qos.can_consume = _gate(most_copies, concurrency)
            self._copies = _new_consumer(
                channel,
                queues=[consumer.app.amqp.queues[COPY]],
                accept=["json"],
                on_message=consumer.create_task_handler(),
            )
            self._copies.consume()

        def stop(self, consumer: Any) -> None:
            # The connection may be gone, which is often why this is called.
            _ignore_errors(consumer, self._copies.close)

    return Copies


def _gate(most_copies: int, concurrency: int) -> Callable[[], bool]:
    """Return the answer to "may one more copy be taken from the broker?"; kombu asks before each BRPOP."""

    def can_consume() -> bool:
        running = list(state.reserved_requests)
        copies = sum(request.delivery_info.get("routing_key") == COPY for request in running)
        return len(running) < concurrency and copies < most_copies

    return can_consume
