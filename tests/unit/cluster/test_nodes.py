"""Which nodes a cluster has and where they listen."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as some

from eventlab import Cluster
from eventlab.cluster import nodes, registry
from eventlab.cluster.settings import MOST_BROKERS, Settings
from eventlab.errors import InvalidSetting, NotSupported, PortInUse
from tests.conftest import marked_processes
from tests.unit.refusals import refused


@pytest.fixture
def listener():
    """Return a port of the usual range that this process listens on."""
    port = next(nodes.free_ports(Settings()))
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        yield port


def all_ports(settings: Settings) -> list[int]:
    """Return every port of a layout."""
    told = nodes.layout(settings.resolved())
    return [port for node in told for at in node.listeners for port in (at.port, at.behind)]


@given(brokers=some.integers(1, MOST_BROKERS), profile=some.sampled_from(["lab", "stock"]))
def test_a_controller_of_its_own_comes_before_the_brokers(brokers, profile):
    """Two brokers can be killed without the quorum; brokers are numbered from 1."""
    told = nodes.layout(Settings(brokers=brokers, profile=profile).resolved())
    assert [node.node_id for node in told] == [100, *range(1, brokers + 1)]
    assert [node.role for node in told] == ["controller", *["broker"] * brokers]


def test_a_small_cluster_is_one_node_in_both_roles():
    """The profile for machines with little memory."""
    (node,) = nodes.layout(Settings(profile="small").resolved())
    assert (node.node_id, node.role) == (1, "broker+controller")


@given(
    brokers=some.integers(1, MOST_BROKERS),
    profile=some.sampled_from(["lab", "small"]),
    asked=some.booleans(),
)
def test_ports_differ_and_are_of_the_range(brokers, profile, asked):
    """Two listeners on one port would leave one node without any."""
    brokers = 1 if profile == "small" else brokers
    port = next(nodes.free_ports(Settings())) if asked else None
    if port and not all(nodes.is_free(port + more) for more in range(brokers)):
        return  # a neighbour is taken by somebody else
    ports = all_ports(Settings(brokers=brokers, profile=profile, port=port))
    assert (
        len(set(ports)) == len(ports) == 4 * brokers + 2
    )  # each listener has a proxy's port and its own
    assert all(20_000 <= number <= 29_999 + MOST_BROKERS for number in ports)
    assert not asked or set(range(port, port + brokers)) <= set(ports)


def test_a_range_with_room_for_the_asked_ports_alone_is_full(monkeypatch):
    """Item 20: the controller is never given a broker's port, though nobody listens there yet."""
    port = next(nodes.free_ports(Settings()))
    monkeypatch.setenv("EVENTLAB_PORTS", f"{port}-{port}")
    with refused(PortInUse, port, "EVENTLAB_PORTS"):
        all_ports(Settings(brokers=1, port=port))


def test_a_taken_port_names_the_process(listener, name):
    """Item 17: whoever asked for a port wants to know who has it."""
    with refused(PortInUse, listener, f"Process {os.getpid()}"):
        Cluster.start(name, port=listener)
    assert not registry.folder(name).exists()
    assert not marked_processes(name)


def test_the_second_brokers_port_is_looked_at_too(listener, name):
    """Item 17: brokers take the ports that follow the one asked for."""
    with refused(PortInUse, listener):
        Cluster.start(name, port=listener - 1, brokers=2)
    assert not registry.folder(name).exists()


def test_a_taken_port_is_avoided_where_none_was_asked_for(listener, monkeypatch):
    """Item 17: a free one is found beside the one that is taken."""
    monkeypatch.setenv("EVENTLAB_PORTS", f"{listener}-{listener + 60}")
    assert listener not in all_ports(Settings(brokers=3))


def test_a_range_without_a_free_port_is_named(listener, name, monkeypatch):
    """Item 20: every port of the range is taken."""
    monkeypatch.setenv("EVENTLAB_PORTS", f"{listener}-{listener}")
    with refused(PortInUse, listener, "EVENTLAB_PORTS"):
        Cluster.start(name)
    assert not registry.folder(name).exists()


@pytest.mark.parametrize("text", ["abc", "20000", "-1", "1e99", "nan"])
def test_a_range_that_is_none_starts_nothing(text, name, monkeypatch):
    """Item 9: EVENTLAB_PORTS is not a range."""
    monkeypatch.setenv("EVENTLAB_PORTS", text)
    with refused(InvalidSetting, text):
        Cluster.start(name)
    assert not registry.folder(name).exists()


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_a_machine_without_ipv4_loopback_is_told_so(number, name, monkeypatch):
    """Item 34: an IPv6-only loopback, or none."""

    def bind(self: socket.socket, address: tuple[str, int]) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", bind)
    with refused(NotSupported, "127.0.0.1"):
        Cluster.start(name)
    monkeypatch.undo()
    assert not registry.folder(name).exists()
