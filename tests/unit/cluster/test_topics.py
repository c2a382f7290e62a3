"""What a topic may be, refused before the cluster is asked."""

from __future__ import annotations

import pytest

from eventlab.cluster import topics
from eventlab.errors import InvalidSetting
from tests.unit.refusals import refused

GOOD = {"name": "orders", "partitions": 3, "replicas": 3, "in_sync": 2, "brokers": 3}


@pytest.mark.parametrize(
    ("bad", "seen"),
    [
        ({"replicas": 4}, "there are 3 brokers"),
        ({"replicas": 2, "brokers": 1}, "there are 1 brokers"),
        ({"in_sync": 4}, "it cannot exceed replication_factor"),
        ({"replicas": 1, "in_sync": 2}, "from 1 to 1"),
        ({"replicas": 0}, "You gave 0"),
        ({"in_sync": 0}, "You gave 0"),
        ({"replicas": "3"}, "You gave '3'"),
        ({"partitions": 0}, "You gave 0"),
        ({"partitions": -1}, "You gave -1"),
        ({"partitions": 1001}, "from 1 to 1000"),
        ({"partitions": 2.0}, "You gave 2.0"),
        ({"partitions": True}, "You gave True"),
        ({"partitions": 10**5000}, "something of type int"),
    ],
)
def test_numbers_that_no_topic_can_have(bad, seen):
    """Item 22: more replicas than brokers, more in sync than replicas."""
    with refused(InvalidSetting, seen):
        topics.check(**(GOOD | bad))


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "é", "a/b", "x" * 250, None, 5, "a\n"])
def test_names_that_no_topic_can_have(name):
    """Kafka's own rule, told before Kafka is asked."""
    with refused(InvalidSetting, "You gave"):
        topics.check(**(GOOD | {"name": name}))


def test_what_kafka_takes_is_taken():
    """The edges of the rules are inside."""
    topics.check(**GOOD)
    topics.check("x" * 249, 1000, 1, 1, 1)
    topics.check("A.b_c-9", 1, 3, 3, 3)
