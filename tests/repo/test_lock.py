"""`requirements.lock` holds exactly what pyproject.toml asks for, each file of it by its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
# A requirement begins a line; its hashes, and a comment on who wants it, are indented below it.
BLOCKS = re.findall(r"^[a-z0-9].*\n(?:[ ].*\n?)*", LOCK, re.MULTILINE | re.IGNORECASE)
EXTRAS = PROJECT["optional-dependencies"].values()
WANTED = PROJECT["dependencies"] + [text for extra in EXTRAS for text in extra]


def locked() -> dict[str, list[Requirement]]:
    """Return the locked requirements by name; some have one version for each range of Pythons."""
    found: dict[str, list[Requirement]] = {}
    for block in BLOCKS:
        requirement = Requirement(block.partition("\\")[0].strip())
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def environment(version: str, platform: str) -> dict[str, str]:
    return {
        "python_version": version,
        "python_full_version": version + ".9",
        "sys_platform": platform,
        "os_name": "posix",
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[platform],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("==")[0])
def test_every_requirement_is_pinned_and_has_hashes(block):
    """A file that changed after it was locked is never installed."""
    assert re.match(r"\S+==[^\s;]+ (; .* )?\\\n", block)
    assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block)


def test_the_lock_names_no_host():
    """Whoever uses a mirror uses it for everything: the lock does not say where files are."""
    assert "://" not in LOCK
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links)\b", LOCK, re.M)


@pytest.mark.parametrize("text", WANTED)
def test_every_dependency_is_locked_at_a_version_that_it_allows(text):
    """A dependency changed in pyproject.toml is locked again before it is committed."""
    wanted = Requirement(text)
    found = locked().get(canonicalize_name(wanted.name), [])
    assert found, f"{wanted.name} is not in requirements.lock; lock it again"
    for requirement in found:
        version = str(requirement.specifier).removeprefix("==")
        assert wanted.specifier.contains(version), f"{requirement} is locked, {wanted} is wanted"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_on_every_python_and_system_one_version_of_each_package_applies(version, platform):
    """No Python is left without one of the packages, and none is given two versions of one."""
    here = environment(version, platform)
    for name, requirements in locked().items():
        chosen = [r for r in requirements if r.marker is None or r.marker.evaluate(here)]
        assert len(chosen) <= 1, name
        if any(canonicalize_name(Requirement(text).name) == name for text in WANTED):
            assert len(chosen) == 1, name


def test_the_header_says_how_to_lock_again():
    """The command that made the lock is in its first lines; it covers all extras and systems."""
    command = LOCK.splitlines()[1]
    for option in ("uv pip compile", "--all-extras", "--universal", "--generate-hashes"):
        assert option in command
    assert f"--python-version {PROJECT['requires-python'].removeprefix('>=')} " in command


def test_conda_and_binder_install_the_same_lock():
    """environment.yml brings a Python that is allowed and leaves the packages to the lock."""
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    plain = [entry for entry in dependencies if isinstance(entry, str)]
    python = next(entry.split("=")[1] for entry in plain if entry.startswith("python="))
    assert Requirement("python" + PROJECT["requires-python"]).specifier.contains(python)
    assert "pip" in plain
    [from_pip] = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    assert "--requirement requirements.lock" in from_pip
    conda_only = {entry.split("=")[0] for entry in plain} - {"python", "pip"}
    assert not conda_only & locked().keys(), "two sources for one package"
