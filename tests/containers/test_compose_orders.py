"""The profile `orders`: from REST through the outbox and Kafka into PostgreSQL, in containers."""

from __future__ import annotations

import json
import os

import httpx
import pytest

from eventlab.cluster.nodes import free_ports
from eventlab.cluster.settings import Settings
from eventlab.waiting import wait_until
from tests.containers.project import docker

PUBLISH = ("eventlab", "orders", "publish", "--orders", "10")
STATUS = ("eventlab", "orders", "status", "--json")


@pytest.fixture(scope="module")
def shop(project, eventlab_image, postgres_image):
    """Return the project with the order system beside its brokers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENTLAB_POSTGRES_PASSWORD", "for a test")
        patch.setenv("EVENTLAB_API_PORT", str(next(free_ports(Settings()))))
        project.compose("--profile", "orders", "up", "--detach", "--wait")
        try:
            yield project
        finally:
            parts = ("api", "relay", "subscriber", "postgres")
            project.compose("--profile", "orders", "rm", "--force", "--stop", *parts)


def told(shop):
    """Return what `eventlab orders status` says in the API's container."""
    return json.loads(shop.compose("exec", "-T", "api", *STATUS))


def test_an_order_goes_all_the_way(shop):
    """What is placed at the published port is in Kafka, and what is in Kafka is in PostgreSQL."""
    shop.compose("exec", "-T", "api", *PUBLISH)
    wait_until(lambda: sum(told(shop)["orders"].values()) == 10, 60, lambda: f"{told(shop)}")
    url = f"http://127.0.0.1:{os.environ['EVENTLAB_API_PORT']}"
    token = shop.compose("exec", "-T", "api", "cat", "/var/tmp/eventlab/web/8080.token")
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
        product = client.get("/products").json()["products"][0]["product_id"]
        [sale] = client.get("/orders", params={"limit": 1}).json()["orders"]
        order = {
            "customer_id": sale["customer_id"],
            "items": [{"product_id": product, "quantity": 1}],
        }
        assert client.post("/orders", json=order).status_code == 202
    wait_until(lambda: sum(told(shop)["orders"].values()) == 11, 60, lambda: f"{told(shop)}")


def test_its_processes_may_do_little(shop):
    """No root, no capability, and nothing to write to but what is temporary."""
    names = [f"{shop.name}-{name}-1" for name in ("api", "relay", "subscriber")]
    for container in json.loads(docker("inspect", *names)):
        assert container["Config"]["User"] == "1000:1000"
        assert container["HostConfig"]["CapDrop"] == ["ALL"]
        assert container["HostConfig"]["ReadonlyRootfs"]


def test_it_scales_out(shop):
    """A second member shares the partitions with the first."""
    scale = ("--scale", "subscriber=2", "--no-recreate")
    shop.compose("--profile", "orders", "up", "--detach", "--wait", *scale)
    assert len(shop.compose("--profile", "orders", "ps", "--quiet", "subscriber").split()) == 2
