"""/metrics and /health of a process: on loopback, quick, and gone with their block."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client.core import GaugeMetricFamily

from eventlab.errors import PortInUse
from eventlab.orders.processes.figures import counts, registry
from eventlab.orders.processes.operations import Operations
from eventlab.orders.publisher import KafkaAway
from tests.unit.refusals import refused


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_figures_are_asked_for_when_they_are_read():
    """A count that grows is seen as it is now."""
    done = {"done": 1}
    figures = registry(counts("orders_events_handled", "What.", "outcome", lambda: done))
    with Operations(0, figures, {}) as serving:
        assert 'outcome="done"} 1.0' in get(serving.port, "/metrics")[1]
        done["done"] = 2
        assert 'outcome="done"} 2.0' in get(serving.port, "/metrics")[1]


def test_what_is_away_hides_its_own_figures_alone():
    """While Kafka does not answer, the database's figures are still told."""

    def away():
        raise KafkaAway("Kafka is away.", "It says nothing.", "Wait.")
        yield

    def there():
        yield GaugeMetricFamily("there", "It is.", value=1)

    with Operations(0, registry(away, there), {}) as serving:
        code, text = get(serving.port, "/metrics")
    assert (code, "there 1.0" in text) == (200, True)


@pytest.mark.parametrize(("well", "code"), [(True, 200), (False, 503)])
def test_ready_is_what_it_needs(well, code):
    """Live is another question: the process answers."""
    with Operations(0, registry(), {"sql": lambda: well}) as serving:
        answered, body = get(serving.port, "/health/ready")
        assert get(serving.port, "/health/live") == (200, '{"status": "pass"}')
        assert get(serving.port, "/nothing")[0] == 404
    assert (answered, json.loads(body)["sql"]) == (code, well)


def test_nothing_is_left_of_it_and_nobody_else_reaches_it():
    """It listens on 127.0.0.1 alone; its thread and port end with the block."""
    before = threading.active_count()
    with Operations(0, registry(), {}) as serving:
        assert serving._server.server_address[0] == "127.0.0.1"
        assert get(serving.port, "/health/live")[0] == 200
    assert threading.active_count() == before
    with socket.create_server(("127.0.0.1", serving.port)):
        pass


def test_other_machines_reach_it_when_somebody_says_so():
    """A container is asked by its own address: by a kubelet for its health, by Prometheus."""
    with Operations(0, registry(), {}, "0.0.0.0") as serving:
        assert serving._server.server_address[0] == "0.0.0.0"
        assert get(serving.port, "/health/live")[0] == 200


def test_a_host_of_somebody_else_is_refused():
    """An address that this machine does not have."""
    with refused(PortInUse, "192.0.2.1"):
        Operations(0, registry(), {}, "192.0.2.1")


def test_a_port_that_is_taken_or_none_is_refused():
    """Before anything begins."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for port in (taken.getsockname()[1], 70_000, -1):
            with refused(PortInUse, str(port)):
                Operations(port, registry(), {})
