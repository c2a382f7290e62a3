"""The frames of a history are there for whoever asks first."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eventlab import history
from eventlab.history import names


@pytest.mark.parametrize("frame", ["operations", "sends", "reads", "assignments"])
def test_a_frame_may_be_the_first_thing_that_is_asked_for(frame):
    """Modules that import each other work in one order only, and a learner may choose another."""
    code = f"from eventlab import history; print(len(history.record('new').{frame}()))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.returncode) == ("0\n", 0), ran.stderr


def two_keys(first: object, second: object):
    """Return a run in which each of two keys has gone to a partition of its own."""
    run = history.record("two-keys")
    for client, partition in (("web", 0), ("till", 1)):
        writer = run.recorder(client, enable_idempotence=True)
        for number in range(2):
            send = writer.sent("t", key=(first, second)[partition], value=b"%d" % number)
            writer.acked(send, partition, number)
    return run


def test_a_witness_has_the_key_that_was_sent():
    """It is what a learner looks for, and a hash is not."""
    same = two_keys(b"c1", b"c1").verify(forbid={"key split"})
    assert set(same.witnesses("key split")["key"]) == {b"c1"}
    assert set(same.witnesses("key split")["client"]) == {"till"}


def test_keys_are_two_even_if_half_of_their_hashes_is_the_same(monkeypatch):
    """Of 80,000 keys two share 32 bits, more likely than not; no key is split for that."""
    monkeypatch.setattr(names, "hash", {b"c1": 1, b"c2": 1 + 2**32}.get, raising=False)
    run = two_keys(b"c1", b"c2")
    assert run.sends()["key_id"].tolist() == [0, 0, 1, 1]
    assert run.verify(forbid={"key split"}).count("key split") == 0


def test_a_record_without_a_key_has_none():
    """-1 is no key, also beside others."""
    assert two_keys(None, b"c1").sends()["key_id"].tolist() == [-1, -1, 0, 0]
