"""A stand-in for the base of the project's Dockerfile: Debian 13 with its own Python 3.13.

`python:3.12-slim-bookworm` is Debian 12 with a Python of its own in /usr/local; here that folder
has links to Debian's, which is the version that it says it is. It takes root, and 40 seconds.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from tests.containers.standin.layer import array, image

RELEASE = "trixie"
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
PATH = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Whom this machine trusts, so must what is built on it: a network may have an authority of its own.
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
TOLD = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")


def build(tag: str) -> None:
    """Build it into the engine of DOCKER_HOST, from Debian's packages."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        options = ["--variant=minbase", f"--include={PACKAGES}"]
        subprocess.run(["debootstrap", *options, RELEASE, root], check=True, timeout=600)
        for path in _unwanted(root):
            path.unlink()
        variables = " ".join(f"{name}={TRUSTED}" for name in TOLD)
        environment = f"ENV PATH={PATH} {variables}"
        with image(tag, environment, f"CMD {array(['python3'])}") as layer:
            layer.copy(Path(os.environ.get("SSL_CERT_FILE", TRUSTED)), TRUSTED)
            for program in ("python", "python3"):
                layer.link(f"/usr/local/bin/{program}", "/usr/bin/python3")
            layer.link("/usr/local/bin/pip", "/usr/bin/pip3")
            for folder in ("bin", "lib", "lib64", "sbin"):  # links into /usr
                layer.link(f"/{folder}", f"usr/{folder}")
            for folder in ("etc", "home", "opt", "root", "run", "tmp", "usr", "var"):
                layer.copy(root / folder, f"/{folder}")


def _unwanted(root: Path) -> list[Path]:
    """Return the mark that keeps pip from installing, and the packages that were unpacked."""
    marks = root.glob("usr/lib/python3.*/EXTERNALLY-MANAGED")
    return [*marks, *root.glob("var/cache/apt/archives/*.deb")]
