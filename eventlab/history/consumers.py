"""Recording a KafkaConsumer: polls, iteration, seeks, commits, and whose partitions are whose.

The object gets a class that is derived from its own, since an iterator's `__next__` is looked up
there, and so does its coordinator: there kafka-python 3.0 sends every commit, automatic ones as
the learner's own, and there its group gives and takes partitions.
"""

from __future__ import annotations

import functools
from time import time_ns
from typing import Any

from kafka.errors import KafkaError, RetriableError

from eventlab.errors import NotSupported
from eventlab.history.names import checksums
from eventlab.history.recorder import BEGINNING, END, Recorder
from eventlab.history.tables import FAIL, INFO, OK

HEARD = (
    "_send_offset_commit_request",
    "_on_join_prepare_async",
    "_on_join_complete_async",
    "_on_close_prepare_async",
)
SETTINGS = ("enable_auto_commit", "auto_offset_reset", "isolation_level")


def settings(consumer: Any) -> dict[str, Any]:
    """Return the settings that what is allowed depends on."""
    return {name: consumer.config[name] for name in SETTINGS}


def record(consumer: Any, recorder: Recorder) -> None:
    """Make a consumer record what it reads, commits and owns from now on."""
    _require(consumer)
    coordinator = consumer._coordinator
    committing = _committing(plain(coordinator), recorder)
    coordinator.__class__ = _rebalancing(committing, recorder)
    reading = _reading(plain(consumer), recorder)
    consumer.__class__ = _assigning(_seeking(reading, recorder), recorder)
    recorder.owns(consumer.assignment(), consumer.group_metadata().generation_id)


def _require(consumer: Any) -> None:
    from kafka import __version__

    if not all(hasattr(getattr(consumer, "_coordinator", None), name) for name in HEARD):
        raise NotSupported(
            "This kafka-python cannot be recorded.",
            f"It is version {__version__}.",
            "Install kafka-python>=3.0.12,<3.1, or record by hand with run.recorder(...).",
        )


def _reading(base: Any, recorder: Recorder) -> Any:
    def poll(
        self: Any, timeout_ms: Any = 0, max_records: Any = None, update_offsets: bool = True
    ) -> Any:
        polled = base.poll(self, timeout_ms, max_records, update_offsets)
        if update_offsets:  # not when it is the iterator that polls: it delivers one by one
            for (topic, partition), records in polled.items():
                offsets = [record[3] for record in records]
                recorder._poll(topic, partition, offsets, checksums(records), None)
        return polled

    def __next__(self: Any) -> Any:  # noqa: N807
        record = base.__next__(self)
        recorder._read(record)
        return record

    return derived(base, poll=poll, __next__=__next__)


def _seeking(base: Any, recorder: Recorder) -> Any:
    def seek(self: Any, partition: Any, offset: Any) -> None:
        base.seek(self, partition, offset)
        recorder.sought(partition.topic, partition.partition, offset)

    def seek_to_beginning(self: Any, *partitions: Any) -> None:
        base.seek_to_beginning(self, *partitions)
        for topic, partition in partitions or self.assignment():
            recorder.sought(topic, partition, BEGINNING)

    def seek_to_end(self: Any, *partitions: Any) -> None:
        base.seek_to_end(self, *partitions)
        for topic, partition in partitions or self.assignment():
            recorder.sought(topic, partition, END)

    return derived(base, seek=seek, seek_to_beginning=seek_to_beginning, seek_to_end=seek_to_end)


def _assigning(base: Any, recorder: Recorder) -> Any:
    """Return a class that notes what a consumer assigns itself, and what it gives up."""

    def assign(self: Any, partitions: Any) -> None:
        base.assign(self, partitions)
        recorder.owns(self.assignment())

    def unsubscribe(self: Any) -> None:
        base.unsubscribe(self)
        recorder.owns(())

    def close(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            base.close(self, *args, **kwargs)
        finally:
            recorder.owns(())

    return derived(base, assign=assign, unsubscribe=unsubscribe, close=close)


def _rebalancing(base: Any, recorder: Recorder) -> Any:
    """Return a coordinator that notes what its group gives to a consumer, and takes.

    Not by a listener: a consumer of kafka-python 3.0.12 that has one may never finish its first
    join, and a recorded consumer shall behave as it does without. The learner's listener is called
    within: a commit in it comes before the revocation, a seek before the assignment.
    """
    from kafka.coordinator.assignors.abstract import RebalanceProtocol

    async def _on_join_prepare_async(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            await base._on_join_prepare_async(self, *args, **kwargs)
        finally:
            eager = self._rebalance_protocol == RebalanceProtocol.EAGER
            recorder.owns(() if eager else self._subscription.assigned_partitions())

    async def _on_join_complete_async(self: Any, generation: int, *args: Any) -> None:
        try:
            await base._on_join_complete_async(self, generation, *args)
        finally:
            recorder.owns(self._subscription.assigned_partitions(), generation)

    async def _on_close_prepare_async(self: Any) -> None:
        try:
            await base._on_close_prepare_async(self)
        finally:
            recorder.owns(())

    return derived(
        base,
        _on_join_prepare_async=_on_join_prepare_async,
        _on_join_complete_async=_on_join_complete_async,
        _on_close_prepare_async=_on_close_prepare_async,
    )


def _committing(base: Any, recorder: Recorder) -> Any:
    """Return a coordinator whose commits are noted, whoever asked for them."""

    async def _send_offset_commit_request(self: Any, offsets: Any) -> Any:
        begun = time_ns()
        plain = {tuple(part): committed.offset for part, committed in offsets.items()}
        try:
            answer = await base._send_offset_commit_request(self, offsets)
        except BaseException as error:
            recorder.committed(plain, error, begun=begun, outcome=_commit_outcome(error))
            raise
        recorder.committed(plain, begun=begun, outcome=OK)
        return answer

    return derived(base, _send_offset_commit_request=_send_offset_commit_request)


def _commit_outcome(error: BaseException) -> int:
    """Return FAIL for what the broker refused; a broken connection or a timeout tells nothing."""
    told = isinstance(error, KafkaError) and not isinstance(error, RetriableError)
    return FAIL if told else INFO


def derived(base: Any, **methods: Any) -> Any:
    """Return a class with these methods over those of `base`, under its name and with its docs."""
    told = {name: functools.wraps(getattr(base, name))(made) for name, made in methods.items()}
    kept = {"__module__": base.__module__, "_plain": getattr(base, "_plain", base)}
    return type(base.__name__, (base,), {**told, **kept})


def plain(thing: Any) -> Any:
    """Return the class that an object had before it was recorded."""
    return getattr(type(thing), "_plain", type(thing))
