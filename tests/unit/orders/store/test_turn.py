"""A turn is one process's at a time, and ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text

from eventlab.orders.store import Store
from eventlab.orders.store.errors import StoreAway
from eventlab.orders.store.schema import schema_version
from eventlab.orders.store.turn import Turn
from eventlab.waiting import wait_until


@pytest.fixture
def turns(store, url):
    """Two turns of one name, by two who know nothing of each other."""
    with Store(url) as other:
        first, second = Turn(store, "relay"), Turn(other, "relay")
        yield first, second
        first.give_up()
        second.give_up()


def takes(turn):
    """Wait for the turn: a server ends a session a moment after its client has left."""
    wait_until(turn.take, 10, "The turn was given up, and is not free.")


def test_it_is_one_turn_at_a_time(turns):
    """Taking it again changes nothing; giving it up lets the other one have it."""
    first, second = turns
    assert first.take()
    assert first.take()
    assert not second.take()
    first.give_up()
    takes(second)
    assert not first.take()


def test_another_name_is_another_turn(turns, store):
    first, _ = turns
    timer = Turn(store, "timer")
    assert first.take()
    assert timer.take()
    timer.give_up()


def test_it_does_not_keep_others_from_writing(turns, store):
    """Only those who ask for their turn wait; in SQLite too."""
    first, _ = turns
    assert first.take()
    with store.transaction() as db:
        db.execute(text("DELETE FROM outbox"))


def test_a_turn_that_was_given_up_leaves_no_lock_in_the_pool(turns, store):
    """A connection that goes back keeps its advisory locks, whoever gets it next."""
    first, second = turns
    for _ in range(3):
        takes(first)
        first.give_up()
        with store.transaction() as db:
            takes(second)
            second.give_up()
            db.execute(text("SELECT 1"))


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite has no sessions
def test_whoever_loses_the_session_loses_the_turn(turns, store):
    """The database was started again: the next transaction says so, and others can go on."""
    first, second = turns
    assert first.take()
    with store.transaction() as db:
        others = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        db.execute(text(others))
    wait_until(second.take, 10, "The turn of a session that is gone was not free.")
    with pytest.raises(StoreAway), first.transaction() as db:
        db.execute(text("SELECT 1"))
    assert not first.held
    assert not first.take()
    second.give_up()
    takes(first)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_turn_is_with_the_file_that_is_there(turns, url):
    """It was replaced by another one: what is written afterwards is found in that one."""
    first, _ = turns
    assert first.take()
    with first.transaction() as db:
        db.execute(text("DELETE FROM outbox"))
    for old in Path(url).parent.glob("shop.db*"):
        if old.suffix != ".lock":
            old.unlink()
    with Store(url) as new:
        with first.transaction() as db:
            db.execute(schema_version.update().values(version=7))
        assert new.read(select(schema_version.c.version)).version.tolist() == [7]


HOLD = """
import sys
from eventlab.orders.store import Store
from eventlab.orders.store.turn import Turn
turn = Turn(Store(sys.argv[1]), "relay")
print(turn.take(), flush=True)
sys.stdin.read()
"""


def test_a_killed_process_gives_its_turn_up(turns, url):
    """Nothing is left that somebody would have to remove."""
    first, _ = turns
    command = [sys.executable, "-c", HOLD, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as holder:
        assert holder.stdout.readline() == "True\n"
        assert not first.take()
        os.kill(holder.pid, signal.SIGKILL)
    wait_until(first.take, 10, "The turn of a killed process was not free.")
