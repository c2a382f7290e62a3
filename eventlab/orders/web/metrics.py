"""What a Prometheus server reads of the web side, in a registry of its own."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

TEXT = CONTENT_TYPE_LATEST


class Metrics:
    """Requests by method, route and status; events by type; who is connected."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "http_requests",
            "Requests that were answered.",
            ("method", "handler", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            ("method", "handler"),
            registry=registry,
        )
        self.published = Counter(
            "orders_events_published",
            "Events that were accepted: in the topic, or in the outbox.",
            ("type",),
            registry=registry,
        )
        self.failed = Counter(
            "orders_events_failed",
            "Commands that were refused, or did not get through.",
            ("reason",),
            registry=registry,
        )
        self.connected = Gauge(
            "socketio_clients", "Clients that are connected now.", registry=registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; methods and routes are those that there are, so they stay few."""
        method = method if method in _METHODS else "other"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Return all of it, in Prometheus's text format."""
        return generate_latest(self._registry)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
