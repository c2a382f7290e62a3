"""What is broken is mended, whoever broke it and whatever became of them; tried without JVMs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from eventlab.cluster import control, launch, process, registry
from eventlab.cluster.supervisor.fault import Faults
from eventlab.cluster.supervisor.link import Links, together
from eventlab.errors import ClusterNotRunning, NeverHappened
from eventlab.faults.fault import Fault
from eventlab.waiting import wait_until
from tests.unit.cluster.supervised import Supervised
from tests.unit.refusals import refused


@pytest.fixture
def lab(name):
    """Return a supervisor with its nodes."""
    return Supervised(name)


@contextlib.contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Expect the block to be interrupted, as by Ctrl-C, before it ends by itself."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, GeneratorExit])
def test_a_block_that_ends_by_an_error_mends(lab, error):
    """Frozen in the block, running after it, and the error goes on."""

    def block() -> None:
        with lab.fault({1: "freeze"}):
            assert lab.states()[1] == "frozen"
            raise error

    with pytest.raises(error):
        block()
    assert lab.states()[1] == "running"
    assert lab.on() == []


def test_an_interrupt_while_something_is_being_broken_leaves_nothing_broken(lab):
    """The node was told to end and takes its time: nobody holds what mends it, and yet it is."""
    lab.note(1, "slow")
    before = lab.status()["nodes"][1]["pid"]
    with interrupted_after(0.2):
        lab.fault({1: "stop"})
    wait_until(lambda: lab.status()["nodes"][1]["pid"] not in (before, None), 30, "Not started.")
    lab.await_whole()


def test_who_hangs_up_before_it_is_broken_leaves_nothing_broken(lab):
    """The request was sent, its answer has nobody to go to."""
    told = {"name": "x", "target": "y", "verbs": {"1": "freeze"}, "token": "t"}
    control.tell(lab.folder, "fault", pid=os.getpid(), fault=told)
    wait_until(lambda: lab.status()["faults"], 10, "It was not heard.")
    lab.await_whole()


def test_an_interrupt_while_something_is_mended_does_not_stop_that(lab):
    """The start takes long; whoever waits for it gives up."""
    fault = lab.fault({1: "kill"})
    held = lab.note(1, "held")
    with interrupted_after(0.2):
        fault.mend()
    held.unlink()
    lab.await_whole()


def test_an_interrupt_before_the_request_to_mend_is_sent_does_not_stop_that(lab, monkeypatch):
    """The socket could not even be opened; another request is, and the interrupt goes on."""
    fault = lab.fault({1: "freeze"})

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(control, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fault.mend()
    monkeypatch.undo()
    lab.await_whole()


def test_a_generator_that_holds_a_fault_mends_when_it_is_let_go(lab):
    """One that never began has broken nothing; one that is dropped half way mends."""

    def breaks() -> Iterator[None]:
        with lab.fault({1: "freeze"}):
            yield

    held = breaks()
    assert lab.on() == []
    next(held)
    assert lab.states()[1] == "frozen"
    held.close()
    assert lab.states()[1] == "running"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("verbs", [("freeze", "freeze"), ("freeze", "kill"), ("stop", "freeze")])
def test_two_faults_of_one_node_end_with_the_last(lab, verbs, order):
    """Whatever they are and whichever is mended first: broken until then, whole after it."""
    both = [lab.fault({2: verb}) for verb in verbs]
    both[order[0]].mend()
    assert lab.states()[2] in ("frozen", "killed", "stopped")
    both[order[1]].mend()
    assert lab.states()[2] == "running"
    assert lab.on() == []


def test_a_slow_link_within_a_lost_one_stays_lost(lab):
    """The inner fault makes the outer one no weaker, and ends without mending it."""
    links = {"verbs": {}, "links": [("1", other) for other in ("2", "3", "100")]}
    with Fault(lab, "isolated", "1", links | {"rule": {"mode": "lost"}}):
        with Fault(lab, "slow", "1", links | {"rule": {"seconds": 0.1}}):
            assert not lab.reachable(1)
        assert not lab.reachable(1)
    assert lab.reachable(1)


def test_rules_of_a_link_add_up():
    """Lost before refused before open; latencies one after the other; the lowest rate."""
    assert together([]) == {"mode": "open", "seconds": 0, "rate": 0}
    assert together([{"mode": "lost"}, {"mode": "refused"}])["mode"] == "lost"
    assert together([{"mode": "refused"}, {"seconds": 1.0}]) == {
        "mode": "refused", "seconds": 1.0, "rate": 0,
    }  # fmt: skip
    assert together([{"seconds": 1.0, "rate": 0.0}, {"seconds": 0.5, "rate": 9}]) == {
        "mode": "open", "seconds": 1.5, "rate": 9,
    }  # fmt: skip


def test_a_node_that_is_thawed_by_hand_ends_its_fault_links_included(lab):
    """`followers_frozen` cuts links too: with `cluster.brokers[1].thaw()` they are whole again."""
    fault = lab.fault({1: "freeze"}, cut=True, rule={"mode": "lost"})
    assert fault.on
    assert not lab.reachable(1)
    lab.do(1, "thaw")
    assert not fault.on
    assert lab.reachable(1)


def test_what_a_process_broke_that_never_owned_the_cluster_is_mended_when_it_is_gone(lab):
    """A child of a kernel, say: not before it ends, and then soon."""
    code = (
        "import os, sys; from pathlib import Path; from eventlab.cluster import control\n"
        "told = {'name': 'x', 'target': 'y', 'verbs': {'1': 'freeze'}, 'token': 't'}\n"
        "control.ask(Path(sys.argv[1]), 'fault', pid=os.getpid(), fault=told)\n"
        "print('broken', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(lab.folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "broken\n"
        assert lab.states()[1] == "frozen"
        assert lab.status()["owners"] == [os.getpid()]
        child.kill()
    lab.await_whole()


def test_what_an_owner_broke_is_mended_when_it_gives_the_cluster_up(lab):
    """Others hold it still, and get it whole."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        control.ask(lab.folder, "hold", pid=other.pid)
        fault = lab.fault({1: "kill"})
        control.ask(lab.folder, "release", pid=os.getpid())
        lab.await_whole()
        fault.mend()
    finally:
        other.kill()
        other.communicate()


def test_faults_from_many_threads_at_once_leave_a_whole_cluster(lab):
    """On one node and on others, all kinds, in any order."""

    def act(number: int) -> None:
        verb = ("freeze", "kill", "stop")[number % 3]
        with lab.fault({1 + number % 2: verb}), lab.fault({2: "freeze"}, cut=True):
            pass

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(act, range(24)))
    lab.await_whole()
    assert len(lab.status()["faults"]) == 48
    assert all(lab.reachable(node) for node in (1, 2, 3))


def test_a_broker_without_a_controller_is_started_and_not_waited_for(lab):
    """The inner block ends first: it would wait for what only the outer one brings back."""
    held = lab.note(1, "held")
    with lab.fault({100: "kill"}):
        fault = lab.fault({1: "kill"})
        begun = time.monotonic()
        fault.mend()
        assert time.monotonic() - begun < 15
        assert lab.states()[1] == "starting"
    held.unlink()
    lab.await_whole()


def test_a_node_that_does_not_come_back_is_told(lab):
    """Not a block that ends as if all were well: which node, its state, where to look."""
    fault = lab.fault({1: "kill"})
    broken = lab.note(1, "broken")
    with refused(NeverHappened, "Node 1", "failed", "eventlab logs 1", within=30):
        fault.mend()
    broken.unlink()
    lab.do(1, "start")
    lab.await_whole()


def test_a_fault_is_mended_quietly_when_its_cluster_is_gone(lab):
    """With it went what was broken; a block within a block of the cluster's ends in order."""
    with lab.fault({1: "freeze"}) as fault:
        launch.end(lab.name)
        assert not fault.on
        assert "mended" in repr(fault)
    with refused(ClusterNotRunning, lab.name):
        lab.fault({1: "freeze"})


def test_a_fault_is_mended_quietly_when_its_supervisor_was_killed(lab):
    """Its nodes end with it, frozen ones too (Linux)."""
    pids = [node["pid"] for node in lab.status()["nodes"]]
    with lab.fault({1: "freeze"}):
        os.kill(lab.status()["supervisor"], signal.SIGKILL)
        wait_until(lambda: registry.running(lab.name) is None, 10, "It answers still.")
    if sys.platform.startswith("linux"):
        wait_until(lambda: not any(map(psutil.pid_exists, pids)), 10, "A node is left.")


def test_a_fault_of_a_cluster_that_is_gone_mends_nothing_of_its_successor(lab):
    """They have the same name, and their first faults the same number."""
    old = lab.fault({1: "freeze"})
    launch.end(lab.name)
    new = Supervised(lab.name)
    fault = new.fault({1: "freeze"})
    assert old.number == fault.number
    old.mend()
    assert fault.on
    assert new.states()[1] == "frozen"


def test_a_cluster_that_ends_while_it_is_mended_leaves_no_process(lab):
    """A start that is under way starts nothing any more."""
    lab.note(1, "slow")
    with ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            threads.submit(lambda: lab.fault({1: "stop"}).mend())
        wait_until(lab.on, 10, "Nothing was broken.")
        launch.end(lab.name)
    mark = str(lab.folder)
    left = [p for p in psutil.process_iter(["environ"]) if _marked(p.info["environ"], mark)]
    assert left == []
    assert not lab.folder.exists()


def _marked(environ: dict[str, str] | None, mark: str) -> bool:
    return (environ or {}).get(process.MARK) == mark


def test_a_frozen_supervisor_is_told_as_such_in_time(lab):
    """Nobody hangs, and the message does not say that the cluster does not run."""
    pid = lab.status()["supervisor"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with refused(ClusterNotRunning, "does not answer", "0.5 seconds", within=5):
            control.ask(lab.folder, "status", 0.5)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_what_cannot_be_broken_in_full_is_not_broken_at_all(lab):
    """A node that there is not, among some: nothing stays broken, and the supervisor lives."""
    with pytest.raises(ClusterNotRunning):
        lab.fault({1: "freeze", 77: "freeze"})
    lab.await_whole()


@pytest.mark.parametrize(
    "junk",
    [b"x" * 2**20 + b"\n", b"x" * 2**20, b"[]\n", b"7\n", b'{"do": []}\n', b'{"do": "fault"}\n',
     b'{"do": "mend"}\n', b'{"do": "status", "more": 1}\n' * 1000, b"\0" * 5000 + b"\n"],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_request_harms_nobody(lab, junk, monkeypatch):
    """Oversized, of another shape, a thousand at once and no answer read: the next one is."""
    before = lab.status()["supervisor"]
    monkeypatch.chdir(lab.folder)
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.settimeout(5)
        connection.connect("control")
        connection.sendall(junk)
    assert lab.status()["supervisor"] == before
    assert set(lab.states().values()) == {"running"}


def test_a_fault_that_is_on_is_never_forgotten():
    """A thousand that are over are remembered; those that are on are too, however old."""

    async def test() -> None:
        faults, told = Faults({}, Links()), {"name": "x", "target": "y", "verbs": {}}
        first = await faults.inject(os.getpid(), told | {"token": "first"})
        for number in range(1200):
            await faults.mend([await faults.inject(os.getpid(), told | {"token": str(number)})])
        assert faults.active() == [first] == faults.known(["first"])
        assert 1000 <= len(faults.describe()) <= 1002

    asyncio.run(test())


def test_a_log_is_cut_however_full_the_disk_is(tmp_path, monkeypatch):
    """The copy fails, and whoever looks after the cluster goes on doing so."""
    log = tmp_path / "supervisor.log"
    log.write_bytes(b"x" * (process._LOG_CAP + 1))
    process.cap_log(log)
    assert (log.stat().st_size, (tmp_path / "supervisor.1.log").stat().st_size) == (
        0, process._LOG_CAP + 1,
    )  # fmt: skip

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(process.shutil, "copyfile", full)
    log.write_bytes(b"x" * (process._LOG_CAP + 1))
    process.cap_log(log)
    assert log.stat().st_size == 0
    process.cap_log(tmp_path / "missing.log")
