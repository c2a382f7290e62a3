"""The Dockerfile, Binder, the development container and the PaaS: what can be held without them."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from eventlab import environment
from eventlab.cli.parser import parser

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def steps(word: str) -> list[str]:
    """Return what follows an instruction of the Dockerfile, on one line each."""
    whole = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return re.findall(rf"^{word} (.*)$", whole, re.MULTILINE)


def test_the_base_is_pinned_and_has_the_python_that_binder_has():
    """By version and system, and it can be another one; no line that fetches a frontend."""
    [base] = [line for line in steps("ARG") if line.startswith("BASE=")]
    version = re.fullmatch(r"BASE=python:(3\.\d+)-slim-\w+", base)[1]
    assert Requirement("python" + PROJECT["project"]["requires-python"]).specifier.contains(version)
    assert f"python={version}" in (ROOT / "environment.yml").read_text()
    assert all(line.startswith("${BASE}") for line in steps("FROM"))
    assert "# syntax" not in DOCKERFILE


def test_the_image_runs_as_a_user():
    """By number, so that Kubernetes can see that it is not root; what is asked of it needs none."""
    assert steps("USER") == ["1000:1000"]
    assert DOCKERFILE.index("USER 1000") < DOCKERFILE.index("RUN eventlab fetch")


def test_an_init_is_first_and_a_command_can_be_given_whole():
    """`docker run IMAGE eventlab orders ...`; without one JupyterLab, at the exposed port."""
    assert steps("ENTRYPOINT") == ['["dumb-init", "--"]']
    [command] = steps("CMD")[-1:]
    program, *arguments = json.loads(command)
    options = parser().parse_args(arguments)
    assert (program, options.host, options.no_browser) == ("eventlab", "0.0.0.0", True)
    assert steps("EXPOSE") == [str(options.port)]
    assert f"127.0.0.1:{options.port}/api" in steps("HEALTHCHECK")[0]


def test_what_is_copied_is_let_through_and_no_more():
    """The wheel has what it needs, and neither .git nor .venv reaches the engine."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {
        word
        for line in steps("COPY")
        if not line.startswith("--from")
        for word in line.split()[:-1]
    }
    assert copied == let_in
    assert ignored[1] == "*"
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], PROJECT["project"]["readme"]}
    assert needed | set(PROJECT["project"]["license-files"]) <= copied


def test_what_is_beside_the_lock_has_hashes():
    """The init of the image, for both processors."""
    lock = (ROOT / "deploy" / "init.lock").read_text()
    assert re.search(r"^dumb-init==[\w.]+ ", lock, re.MULTILINE)
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", lock)) == 2


def test_binder_has_the_environment_of_everybody():
    """It looks into its folder alone, from where the lock is a level higher."""
    mine, theirs = (
        (ROOT / folder / "environment.yml").read_text("utf-8") for folder in (".binder", ".")
    )
    assert yaml.safe_load(mine.replace("../requirements", "requirements")) == yaml.safe_load(theirs)
    assert (ROOT / ".binder" / "../requirements.lock").exists()


@pytest.mark.parametrize("script", ["postBuild", "start"])
def test_binder_can_run_its_scripts(script):
    """Both can be executed; `start` becomes what it is given, and sets what eventlab knows."""
    path = ROOT / ".binder" / script
    assert path.stat().st_mode & stat.S_IXUSR
    text = path.read_text()
    assert text.startswith("#!/bin/bash\n")
    assert set(re.findall(r"\b(EVENTLAB_\w+)=", text)) <= environment.KNOWN.keys()
    if script == "start":
        assert text.endswith('\nexec "$@"\n')


def test_the_development_container_is_made_by_the_one_command():
    """`./lab fetch` as on a laptop; a pinned image."""
    told = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert told["postCreateCommand"] == "./lab fetch"
    assert re.search(r":\d+-3\.\d+-\w+$", told["image"])


def test_a_paas_starts_what_there_is(monkeypatch):
    """Each line of the Procfile is a command of eventlab; Heroku's file says the same."""
    procfile = (ROOT / "deploy" / "paas" / "Procfile").read_text().splitlines()
    processes = dict(line.split(": ", 1) for line in procfile)
    for variable in [key for key in os.environ if key.startswith("EVENTLAB_")]:
        monkeypatch.delenv(variable)
    for command in processes.values():
        arguments = shlex.split(command.replace("$PORT", "5000").rpartition("exec eventlab ")[2])
        assert parser().parse_args(arguments).log == "json"
    heroku = yaml.safe_load((ROOT / "deploy" / "paas" / "heroku.yml").read_text())["run"]
    told = {
        name: run if isinstance(run, str) else run["command"][0] for name, run in heroku.items()
    }
    assert told == processes
