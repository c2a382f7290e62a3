"""What a Prometheus server reads of a relay or a subscriber; each is asked for when it is read.

Lag has the names of Kafka Lag Exporter (lightbend/kafka-lag-exporter), which dashboards know.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eventlab import observe
from eventlab.errors import EventlabError
from eventlab.observe.client import Target
from eventlab.orders.outbox import rows
from eventlab.orders.store import Store

log = logging.getLogger(__name__)

Figures = Callable[[], Iterator[Metric]]


class _Asked(Collector):
    """Some figures; while what they are of is away there are none, and the others stay."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        try:
            yield from list(self._figures())
        except EventlabError as error:
            log.warning("Figures are missing: %s", error)

    def describe(self) -> list[Metric]:
        """Say nothing before anybody asks: it would ask Kafka."""
        return []


def registry(*figures: Figures) -> CollectorRegistry:
    """Return a registry of these figures."""
    made = CollectorRegistry()
    for each in figures:
        made.register(_Asked(each))
    return made


def counts(name: str, what: str, label: str, read: Callable[[], Mapping[str, int]]) -> Figures:
    """Return a counter that has a value for each outcome that `read` tells."""

    def figures() -> Iterator[Metric]:
        found = CounterMetricFamily(name, what, labels=[label])
        for outcome, count in read().items():
            found.add_metric([outcome], count)
        yield found

    return figures


def lag(kafka: Target, group_id: str) -> Figures:
    """Return the lag of a group by partition, in records."""

    def figures() -> Iterator[Metric]:
        labels = ["group", "topic", "partition"]
        what = "Records of a partition that the group has not committed."
        found = GaugeMetricFamily("kafka_consumergroup_group_lag", what, labels=labels)
        behind = observe.lag(kafka, group_id)
        for row in behind[behind["committed"].astype(bool)].to_dict("records"):
            found.add_metric([group_id, row["topic"], str(row["partition"])], float(row["lag"]))
        yield found

    return figures


def waiting(store: Store) -> Figures:
    """Return how many events wait in the outbox of a store, and for how long the first one does."""

    def figures() -> Iterator[Metric]:
        with store.reading() as db:
            count, seconds = rows.waiting(db)
        what = "Events in the outbox that are not in Kafka yet."
        yield GaugeMetricFamily("orders_outbox_waiting", what, value=count)
        what = "How long the first event of the outbox has been there."
        yield GaugeMetricFamily("orders_outbox_waiting_seconds", what, value=seconds)

    return figures
