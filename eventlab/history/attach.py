"""Giving kafka-python's clients to a run: what they are called and where they are connected to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventlab.history import consumers, producers

if TYPE_CHECKING:
    from eventlab.history.recorder import Recorder
    from eventlab.history.run import Run

SECURITY = ("security_", "sasl_", "ssl_")


def producer(run: Run, client: Any) -> None:
    """Record a KafkaProducer in this run, and in no other any more."""
    if _recorded_in(run, client):
        return
    name = _name(client, "producer", "kafka-python-producer-")
    recorder = run.recorder(name, **producers.settings(client))
    producers.record(client, recorder)
    client._recorder = recorder
    _meet(run, client.config, client._metadata)


def consumer(run: Run, client: Any) -> None:
    """Record a KafkaConsumer in this run, and in no other any more."""
    if _recorded_in(run, client):
        return
    name = _name(client, "consumer", "kafka-python-")
    recorder = run.recorder(name, client.config["group_id"], **consumers.settings(client))
    consumers.record(client, recorder)
    client._recorder = recorder
    _meet(run, client.config, client._cluster)


def recorder_of(client: Any) -> Recorder | None:
    """Return the recorder of a client that is recorded."""
    return getattr(client, "_recorder", None)


def _recorded_in(run: Run, client: Any) -> bool:
    recorder = recorder_of(client)
    return any(recorder is known for known in run._recorders)


def _name(client: Any, kind: str, default: str) -> str:
    """Return the client id that the learner chose, if one was chosen."""
    chosen = str(client.config["client_id"])
    return kind if chosen.startswith(default) else chosen


def _meet(run: Run, config: dict[str, Any], metadata: Any) -> None:
    """Keep where the final read will be made: at every broker that this client knows."""
    if not run._address:
        given = config["bootstrap_servers"]
        servers = given.split(",") if isinstance(given, str) else list(given)
        servers += [f"{broker.host}:{broker.port}" for broker in metadata.brokers()]
        run._address = {"bootstrap_servers": list(dict.fromkeys(servers))}
        run._address |= {name: value for name, value in config.items() if name.startswith(SECURITY)}
    run._cluster_id = run._cluster_id or metadata.cluster_id or ""
