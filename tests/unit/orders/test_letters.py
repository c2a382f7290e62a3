"""The headers of a dead letter are Spring's, byte for byte; one that comes again counts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from eventlab.orders import letters
from eventlab.orders.errors import StepNotAllowed

ERROR = StepNotAllowed("OrderPaid cannot follow here.", "It is paid.", "Look.")


def a_record(**more):
    told = {"topic": "orders", "partition": 2, "offset": 258, "timestamp": 1 << 33}
    told |= {"timestamp_type": 0, "headers": [("content-type", b"x"), ("mine", None)]}
    return SimpleNamespace(**{**told, **more})


def raised():
    try:
        raise ERROR
    except StepNotAllowed as error:
        return error


def test_the_headers_are_those_of_spring():
    """Of its DeadLetterPublishingRecoverer: putInt and putLong are big-endian, text is UTF-8."""
    told = dict(letters.headers(a_record(), raised(), "billing"))
    trace = told.pop("kafka_dlt-exception-stacktrace").decode()
    assert "in raised" in trace
    assert told == {
        "content-type": b"x",
        "mine": None,
        "kafka_dlt-original-topic": b"orders",
        "kafka_dlt-original-partition": b"\0\0\0\2",
        "kafka_dlt-original-offset": b"\0\0\0\0\0\0\1\2",
        "kafka_dlt-original-timestamp": b"\0\0\0\2\0\0\0\0",
        "kafka_dlt-original-timestamp-type": b"CreateTime",
        "kafka_dlt-original-consumer-group": b"billing",
        "kafka_dlt-exception-fqcn": b"eventlab.orders.errors.StepNotAllowed",
        "kafka_dlt-exception-message": b"OrderPaid cannot follow here. It is paid. Look.",
        "retry_topic-attempts": b"\0\0\0\1",
    }


def test_what_fails_again_keeps_its_first_place_and_counts():
    """Its own headers go back as they were, the error does not; the next letter has it anew."""
    record = a_record()
    for tries in (1, 2, 3):
        record = a_record(
            offset=900 + tries, headers=letters.headers(record, KeyError("x"), "billing")
        )
        assert (letters.place(record), letters.attempts(record)) == ((2, 258), tries)
        assert letters.text(record.headers, letters.EXCEPTION) == "builtins.KeyError"
        record = a_record(offset=500 + tries, headers=letters.replayed(record))
        assert letters.own(record) == [("content-type", b"x"), ("mine", None)]
        assert letters.text(record.headers, letters.EXCEPTION) == ""


@pytest.mark.parametrize("bad", [b"", b"\1", b"x" * 9, None])
def test_headers_that_anybody_can_send_do_no_harm(bad):
    """A number that is none is no number; the record is where it is."""
    names = (letters.PARTITION, letters.OFFSET, letters.ATTEMPTS)
    record = a_record(headers=[(name, bad) for name in names])
    assert (letters.place(record), letters.attempts(record)) == ((2, 258), 1)


def test_a_long_stack_trace_is_cut():
    """The letter has to fit into its topic."""
    told = dict(letters.headers(a_record(), ValueError("x" * 100_000), "billing"))
    assert len(told["kafka_dlt-exception-stacktrace"]) <= 8_000
    assert len(told["kafka_dlt-exception-message"]) <= 8_000


def test_a_letter_of_another_program_may_leave_headers_out():
    """What it has goes back with it, and what it has not is no reason to stop the others."""
    told = letters.replayed(a_record(headers=[("kafka_dlt-original-topic", b"orders"), ("x", b"")]))
    assert told == [
        ("x", b""),
        ("kafka_dlt-original-topic", b"orders"),
        ("retry_topic-attempts", b"\0\0\0\2"),
    ]
