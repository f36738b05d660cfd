"""The embedded broker serves kombu as a Redis would, without a reconnect for each message."""

import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from modelyard.jobs.broker import Bell, create_broker
from modelyard.processes.embedded_broker import EmbeddedBroker, bind_broker, broker_url
from modelyard.processes.valkey_broker import ValkeyBroker
from tests.servers import start_leashed
from tests.waiting import wait_until

MESSAGES = 200


class CountingBroker(EmbeddedBroker):
    connections = 0

    def get_request(self) -> tuple[socket.socket, object]:
        self.connections += 1
        return super().get_request()


@pytest.fixture
def broker() -> Iterator[CountingBroker]:
    server = CountingBroker(bind_broker())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_two_hundred_messages_pass_over_a_handful_of_connections(broker):
    app = create_broker(broker_url(broker.socket))
    bell = Bell(app, quiet_s=60)

    sent = [bell.ring("nothing", "copy", number) for number in range(MESSAGES)]

    received = []
    with app.connection_for_read() as connection, connection.SimpleQueue(app.amqp.queues["copy"]) as queue:
        while len(received) < MESSAGES:
            message = queue.get(timeout=10)
            received.append(message.payload[0][0])
            message.ack()
    app.close()
    assert all(sent)
    assert received == list(range(MESSAGES))
    assert broker.connections <= 4


def test_the_depth_of_a_queue_is_what_waits_in_it(broker):
    app = create_broker(broker_url(broker.socket))
    bell = Bell(app, quiet_s=60)

    bell.ring("nothing", "fast", 1)

    assert (bell.depth("fast"), bell.depth("copy")) == (1, 0)
    app.close()


def test_an_installed_valkey_serves_on_a_socket_in_the_home_folder(tmp_path):
    valkey = ValkeyBroker.for_home(tmp_path)
    assert valkey is not None
    program = "import pathlib, sys; from modelyard.processes.valkey_broker import ValkeyBroker as V;"
    program += "V.for_home(pathlib.Path(sys.argv[1])).serve()"
    process = start_leashed([sys.executable, "-c", program, str(tmp_path)], tmp_path / "log")
    wait_until(valkey.ready)

    app = create_broker(valkey.url)
    rung = Bell(app, quiet_s=60).ring("nothing", "copy", 1)

    app.close()
    process.terminate()
    assert process.wait(5) == 0
    assert rung


def test_a_home_too_deep_for_a_socket_has_no_valkey(tmp_path):
    assert ValkeyBroker.for_home(tmp_path / ("x" * 120)) is None
