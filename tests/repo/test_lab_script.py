"""The `lab` script installs once, says what is missing in one breath, and otherwise hands over.

Every test runs a copy of it in a folder with spaces and non-ASCII letters, under a home folder that
is empty, against a folder of hand-made wheels instead of a network.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LAB = Path(__file__).parents[2] / "lab"
PATIENCE = 60 * float(os.environ.get("EVENTLAB_PATIENCE") or 1)

# What the stand-in for eventlab's command line says of how it was started.
CLI = """
import json, os, sys, lesson_one, eventlab
print(json.dumps({"arguments": sys.argv[1:], "prefix": sys.prefix, "file": eventlab.__file__,
    "path": os.environ["PATH"],
    "leaks": [n for n in os.environ if n in ("PYTHONPATH", "PIP_TARGET")]}))
"""

# It notes how it was called, waits at the gate if there is one, and leaves the work to pip.
UV = """#!/bin/sh
'''exec' "$(dirname "$0")/python" "$0" "$@"
' '''
import json, os, sys
from pathlib import Path
with open(os.environ["UV_CALLS"], "a") as calls:
    seen = {n: v for n, v in os.environ.items() if n.startswith(("UV_", "SSL_", "ALL_"))}
    calls.write(json.dumps([sys.argv[1:], seen]) + "\\n")
if os.environ.get("UV_GATE"):
    open(os.environ["UV_GATE"]).read()
if os.environ.get("UV_FAILS"):
    sys.exit("error: no such wheel")
assert sys.argv[1:4] == ["pip", "install", "--python"], sys.argv
os.execv(sys.executable, [sys.executable, "-m", "pip", "install", *sys.argv[5:]])
"""


def make_wheel(folder: Path, name: str, files: dict[str, str]) -> str:
    """Write a wheel of version 1 and return its line for a lock."""
    info = f"{name}-1.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    wheel = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        rows = [f"{info}/RECORD,,"]
        for path, text in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16  # pip keeps this for scripts
            archive.writestr(entry, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
            rows.append(f"{path},sha256={digest.decode()},{len(text.encode())}")
        archive.writestr(f"{info}/RECORD", "\n".join(rows) + "\n")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{name}==1 \\\n    --hash=sha256:{digest}\n    # via eventlab (pyproject.toml)\n"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty virtual environment; copying it is much quicker than making another."""
    folder = tmp_path_factory.mktemp("template") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


class Checkout:
    """A copy of `lab` with a lock of two hand-made wheels and a home of its own."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder, self.home = folder / "Kåfka läb ☕" / "check out", folder / "home"
        self.wheels, self.calls = folder / "wheels", folder / "uv-calls"
        self.venv = self.folder / ".venv"
        for made in (self.home, self.wheels, self.folder / "eventlab"):
            made.mkdir(parents=True)
        shutil.copy(LAB, self.folder / "lab")
        (self.folder / "eventlab/__init__.py").touch()
        (self.folder / "eventlab/__main__.py").write_text(CLI)
        uv = make_wheel(self.wheels, "uv", {"uv-1.data/scripts/uv": UV})
        self.lock = make_wheel(self.wheels, "lesson_one", {"lesson_one.py": ""}) + uv
        (self.folder / "requirements.lock").write_text(self.lock)
        self.python = folder / "python"  # its `-m venv FOLDER` copies the template
        self.python.write_text(f'#!/bin/sh\nexec cp -R "{template}" "$3"\n')
        self.python.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        settings = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
            "UV_CALLS": str(self.calls),
        }
        return settings | more

    def start(self, *arguments: str, before: str = "", **more: str) -> subprocess.Popen[str]:
        """Start `lab` in a Python where `before` was run."""
        lab = str(self.folder / "lab")
        code = f"""
            import importlib.util, os, runpy, shutil, sys
            sys._base_executable = {str(self.python)!r}
            sys.argv = {[lab, *arguments]!r}
            {before}
            runpy.run_path({lab!r}, run_name="__main__")
        """
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            env=self.environment(**more),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, before: str = "", **more: str) -> tuple[int, str, str]:
        """Run `lab` and return its exit code, its output and its messages."""
        process = self.start(*arguments, before=before, **more)
        out, messages = process.communicate(timeout=PATIENCE)
        return process.returncode, out, messages


@pytest.fixture
def checkout(tmp_path: Path, template: Path) -> Checkout:
    return Checkout(tmp_path, template)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """Return a pipe at which the stand-in for uv waits until somebody writes to it."""
    pipe = tmp_path / "gate"
    os.mkfifo(pipe)
    return pipe


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.01)


def uv_calls(checkout: Checkout) -> list[list]:
    return [json.loads(line) for line in checkout.calls.read_text().splitlines()]


def assert_one_breath(messages: str) -> None:
    """Three short sentences on one line, and no traceback."""
    last = messages.strip().splitlines()[-1]
    assert "Traceback" not in messages
    assert 2 <= len(re.findall(r"[.:] [A-Z]|\.$", last)) <= 5, last


def installed_pythons(*names: str) -> list[Path]:
    roots = (Path.home() / ".pyenv/versions").glob("*/bin")
    return [root / "python" for root in roots if root.parent.name.startswith(names)]


def test_a_first_run_installs_and_hands_over_and_a_second_run_only_hands_over(checkout):
    """The learner's one command works twice, and the second time nothing is made or fetched."""
    code, out, messages = checkout.run("up", "--brokers", "3")
    assert (code, json.loads(out)["arguments"]) == (0, ["up", "--brokers", "3"]), messages
    stages = dict.fromkeys(re.findall(r"^\[./.\]", messages, re.MULTILINE))
    assert list(stages) == ["[1/3]", "[2/3]", "[3/3]"]
    assert "\r" not in messages
    assert "\x1b" not in messages
    shutil.rmtree(checkout.wheels)
    code, out, messages = checkout.run()
    assert (code, messages, json.loads(out)["arguments"]) == (0, "", ["lab"])
    assert len(uv_calls(checkout)) == 1


def test_it_starts_from_any_folder_through_a_link_and_after_a_move(checkout, tmp_path):
    """Neither the folder it is started from, nor a link, nor moving the checkout matters."""
    checkout.run("up")
    moved = tmp_path / "moved elsewhere ÄÖ"
    checkout.folder.rename(moved)
    link = tmp_path / "my lab"
    link.symlink_to(moved / "lab")
    (tmp_path / "eventlab.py").write_text("raise SystemExit('the wrong eventlab')")
    for script in (link, moved / ".venv/bin/eventlab"):
        settings = checkout.environment()
        seen = subprocess.run(script, cwd=tmp_path, env=settings, capture_output=True, check=True)
        assert json.loads(seen.stdout)["file"] == str(moved / "eventlab/__init__.py")
        assert json.loads(seen.stdout)["prefix"] == str(moved / ".venv")


def test_nothing_in_the_environment_leads_out_of_it(checkout, tmp_path):
    """Variables for another Python or another folder of packages do not reach eventlab."""
    (tmp_path / "eventlab.py").write_text("raise SystemExit('the wrong eventlab')")
    outside = {"PYTHONPATH": str(tmp_path), "PIP_TARGET": str(tmp_path), "PIP_USER": "1"}
    code, out, messages = checkout.run("up", **outside)
    assert code == 0, messages
    assert json.loads(out)["leaks"] == []
    assert json.loads(out)["path"].startswith(str(checkout.venv / "bin") + ":")


def test_when_all_is_there_it_starts_nothing_else(checkout):
    """Handing over costs no process and no check of packages: it works where neither can be had."""
    checkout.run("up")
    missing = "sys.modules.update(subprocess=None, fcntl=None)"
    assert checkout.run("up", before=missing)[::2] == (0, "")


def test_without_uv_pip_installs_the_same_lock(checkout):
    """A platform that has no uv, or where uv fails, still gets the packages."""
    code, out, messages = checkout.run("up", UV_FAILS="1")
    assert (code, json.loads(out)["arguments"]) == (0, ["up"]), messages


def test_uv_uses_the_mirror_and_the_certificates_that_pip_was_told(checkout):
    """Who has set up pip for a mirror does not have to set up uv as well."""
    settings = checkout.home / ".config/pip/pip.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("[global]\ncert = /certs.pem\nindex-url = http://mirror.test/simple\n")
    code, _, messages = checkout.run("up", PIP_INDEX_URL="http://other.test/simple")
    assert code == 0, messages
    seen = uv_calls(checkout)[0][1]
    assert seen["UV_DEFAULT_INDEX"] == "http://other.test/simple"
    assert seen["SSL_CERT_FILE"] == "/certs.pem"


def test_a_wheel_that_is_not_the_locked_one_is_refused(checkout):
    """The hashes of the lock are checked: a changed file is never installed."""
    make_wheel(checkout.wheels, "lesson_one", {"lesson_one.py": "print('another')"})
    code, _, messages = checkout.run("up")
    assert code == 1
    assert "failed. The log ends in" in messages
    assert_one_breath(messages)
    assert not (checkout.venv / "installed").exists()


def test_without_a_network_it_says_so(checkout):
    """No network and nothing installed: one breath, with what the network said."""
    settings = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/"}  # nobody listens
    code, out, messages = checkout.run("up", **settings, PIP_FIND_LINKS=str(checkout.home))
    assert (code, out) == (1, "")
    assert "could not be fetched. The network says: Connection refused. Connect" in messages
    assert_one_breath(messages)


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (
            "shutil.disk_usage = lambda path: type('Usage', (), {'free': 5 * 10**8})",
            "500 MB are free",
        ),
        ("importlib.util.find_spec = lambda name: None", "has no module named ensurepip"),
        ("os.access = lambda *unused: False", "cannot be written to"),
        ("sys.platform = 'cygwin'", "inside WSL2"),
        ("sys.version_info = (3, 10, 1); os.environ['PATH'] = ''", "This is Python 3.10.1"),
    ],
)
def test_what_is_missing_is_said_in_one_breath(checkout, before, says):
    """A full disk, no venv module, a read-only folder, Windows, an old Python: no traceback."""
    code, out, messages = checkout.run("up", before=before)
    assert (code, out) == (1, "")
    assert says in messages
    assert_one_breath(messages)
    assert not checkout.venv.exists()


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8", "3.10"])
def test_an_old_python_reads_the_script_and_says_that_it_is_old(checkout, version):
    """Python 2.7 and 3.6 cannot read today's syntax, and still get as far as the message."""
    old = installed_pythons(version + ".")
    if not old:
        pytest.skip(f"Python {version} is not installed with pyenv")
    command = [old[0], checkout.folder / "lab"]
    settings = checkout.environment(PATH=str(checkout.home))
    seen = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert (seen.returncode, seen.stdout) == (1, "")
    assert f"needs Python 3.11 or newer. This is Python {version}." in seen.stderr
    assert_one_breath(seen.stderr)
    helped = subprocess.run([*command, "--help"], env=settings, capture_output=True, check=False)
    assert helped.returncode == 0


def test_an_old_python_starts_the_installed_one(checkout):
    """Once installed, an old `python3` at the front of the PATH does no harm."""
    old = installed_pythons("2.7.", "3.6.", "3.8.", "3.10.")
    if not old:
        pytest.skip("no Python older than 3.11 is installed with pyenv")
    checkout.run("up")
    settings = checkout.environment(PATH=str(checkout.home))
    for python in old:
        command = [python, checkout.folder / "lab", "up"]
        seen = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
        assert (seen.returncode, seen.stderr) == (0, "")


def test_a_second_lab_waits_for_the_first(checkout, gate):
    """Two at once install once: the second says that it waits, and then starts too."""
    first = checkout.start("up", UV_GATE=str(gate))
    wait_for(checkout.calls.exists, "the installation's start")
    second = checkout.start("up")
    assert (
        second.stderr.readline() == "Another ./lab is installing here. Waiting for it to finish.\n"
    )
    gate.write_text("")
    for process in (first, second):
        assert json.loads(process.communicate(timeout=PATIENCE)[0])["arguments"] == ["up"]
    assert len(uv_calls(checkout)) == 1


def test_after_a_kill_the_next_run_completes_the_installation(checkout, gate):
    """Pulling the plug in the first run leaves nothing that a second run cannot mend."""
    first = checkout.start("up", UV_GATE=str(gate))
    wait_for(checkout.calls.exists, "the installation's start")
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=PATIENCE)
    assert checkout.run("status")[1].startswith("Nothing is installed yet.")
    code, out, messages = checkout.run("up")
    assert (code, json.loads(out)["arguments"]) == (0, ["up"]), messages


def test_an_orphan_of_a_killed_lab_is_waited_for(checkout, gate):
    """A pip that outlives its `lab` still writes to .venv, so the next run must not."""
    first = checkout.start("up", UV_GATE=str(gate))
    wait_for(checkout.calls.exists, "the installation's start")
    first.kill()
    first.communicate(timeout=PATIENCE)
    second = checkout.start("up")
    assert second.stderr.readline().startswith("Another ./lab is installing here.")
    gate.write_text("")
    assert json.loads(second.communicate(timeout=PATIENCE)[0])["arguments"] == ["up"]


def test_an_interruption_is_one_line(checkout, gate):
    """Ctrl-C in the middle prints one line, exits with 130 and leaves no child behind."""
    process = checkout.start("up", UV_GATE=str(gate))
    wait_for(checkout.calls.exists, "the installation's start")
    process.send_signal(signal.SIGINT)
    messages = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130
    assert messages.splitlines()[-1] == "Interrupted. Type ./lab to go on."
    assert "Traceback" not in messages
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_failed_update_leaves_the_old_installation_usable(checkout):
    """After `git pull` without a network one can still go back to what was installed."""
    checkout.run("up")
    lock = checkout.folder / "requirements.lock"
    lock.write_text(checkout.lock.replace("lesson_one==1", "lesson_one==2"))
    code, _, messages = checkout.run("up")
    assert code == 1
    assert_one_breath(messages)
    assert json.loads(checkout.run("status")[1])["arguments"] == ["status"]
    lock.write_text(checkout.lock)
    assert checkout.run("up")[::2] == (0, "")


def test_a_killed_update_is_made_again_from_the_old_installation(checkout, gate):
    """A kill in the middle of an update costs neither the old installation nor the update."""
    checkout.run("up")
    lock = checkout.folder / "requirements.lock"
    lock.write_text("# changed\n" + checkout.lock)
    checkout.calls.unlink()
    update = checkout.start("up", UV_GATE=str(gate))
    wait_for(checkout.calls.exists, "the update's start")
    os.killpg(update.pid, signal.SIGKILL)
    update.communicate(timeout=PATIENCE)
    lock.write_text(checkout.lock)
    code, out, messages = checkout.run("up")
    assert (code, json.loads(out)["arguments"]) == (0, ["up"]), messages
    assert "[1/3]" not in messages, "the old installation was not used"


def test_a_removed_base_python_is_replaced(checkout, template):
    """When the system's Python went away, .venv is made again instead of failing for ever."""
    checkout.run("up")
    python = checkout.venv / "bin/python"
    python.unlink()
    python.symlink_to("gone")
    assert checkout.run("status")[1].startswith("Nothing is installed yet.")
    code, out, messages = checkout.run("up")
    assert (code, json.loads(out)["arguments"]) == (0, ["up"]), messages


def test_a_foreign_venv_is_not_touched(checkout):
    """A .venv that somebody made otherwise is theirs, and stays."""
    mine = checkout.venv / "mine"
    mine.parent.mkdir()
    mine.touch()
    code, _, messages = checkout.run("up")
    assert (code, mine.exists()) == (1, True)
    assert "not made by ./lab" in messages
    assert_one_breath(messages)


@pytest.mark.parametrize(
    ("command", "code"), [("doctor", 0), ("status", 0), ("down", 0), ("logs", 1)]
)
def test_a_look_at_what_is_there_installs_nothing(checkout, command, code):
    """Looking costs nothing: one sentence, and no file is written."""
    before = sorted(checkout.folder.rglob("*"))
    said = "Nothing is installed yet. Type ./lab to install and start.\n"
    assert checkout.run(command) == (code, said, "")
    assert sorted(checkout.folder.rglob("*")) == before


def test_status_for_programs_says_not_installed(checkout):
    """A script that asks gets JSON in every state."""
    assert json.loads(checkout.run("status", "--json")[1]) == {"state": "not installed"}


@pytest.mark.parametrize(
    "command", ["", "lab", "fetch", "up", "down", "status", "logs", "test", "bench", "doctor"]
)
def test_help_needs_no_installation(checkout, command):
    """Every command explains itself on a machine where nothing is installed."""
    code, out, messages = checkout.run(*filter(None, [command]), "--help")
    assert (code, messages) == (0, "")
    assert f"./lab {command}".strip() in out
    assert not checkout.venv.exists()
