"""What is an address of a broker, and what is none."""

from __future__ import annotations

import pytest

from eventlab.cluster import addresses
from eventlab.errors import InvalidSetting
from tests.unit.refusals import refused

NONE = ["", "kafka", "kafka:0", "kafka:65536", "kafka:9092,", ":9092", "http://kafka:9092", "a b:1"]


@pytest.mark.parametrize("given", [*NONE, None, [], 9092, ["kafka:9092", 5]], ids=str)
def test_what_is_no_address_is_refused(given):
    """Item 14: a typo is named before anybody waits for an answer."""
    with refused(InvalidSetting, "127.0.0.1:9092"):
        addresses.parse(given)


@pytest.mark.parametrize(
    ("address", "host"),
    [("kafka:9092", "kafka"), ("[::1]:9092", "::1"), ("10.0.0.1:9092", "10.0.0.1")],
)
def test_an_address_is_a_host_and_a_port(address, host):
    """With brackets around an IPv6 host, which has colons of its own."""
    assert addresses.parse(f"{address}, other:1") == [address, "other:1"]
    assert addresses.split(address) == (host, 9092)
    assert addresses.join(host, 9092) == address
