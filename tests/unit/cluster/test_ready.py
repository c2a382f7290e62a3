"""What asks a cluster whether it is ready, and gets no answer."""

from __future__ import annotations

import socket

import pytest
from kafka.errors import KafkaTimeoutError

from eventlab.cluster import ready
from eventlab.waiting import Deadline
from tests.unit.leftovers import nothing_left


def test_an_admin_client_that_nobody_answers_leaves_nothing():
    """It gives up in time; its thread and its connection to a silent broker end with it."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent, nothing_left():
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(KafkaTimeoutError, match="Unable to bootstrap"):
            ready.admin_client(address, Deadline(0.5), 0.5)
