"""A stand-in for PostgreSQL's image: this machine's server with its paths, user and variables.

The version is Debian's, not the one that docker-compose.yaml pins; of the official image's
variables it knows POSTGRES_USER and POSTGRES_PASSWORD_FILE.
"""

from __future__ import annotations

from pathlib import Path

from tests import postgres
from tests.containers.standin import system
from tests.containers.standin.layer import Layer, array, image

USER = 999
DATA = "/var/lib/postgresql/data"
RUN = Path(__file__).with_name("scripts") / "postgres"


def build(tag: str) -> None:
    """Build it into the engine of DOCKER_HOST."""
    programs = postgres.programs()
    assert programs, "PostgreSQL is missing: apt-get install postgresql"
    changes = (f"ENV PATH={programs}:/bin PGDATA={DATA}", f"VOLUME {array([DATA])}")
    with image(tag, *changes, f"CMD {array(['/usr/local/bin/run'])}") as layer:
        system.add(layer, "postgres", USER)
        _server(layer, programs)


def _server(layer: Layer, programs: Path) -> None:
    for name in ("initdb", "postgres", "psql", "pg_isready"):
        layer.program(programs / name, str(programs / name))
    version = programs.parent.name
    for folder in (programs.parent / "lib", Path("/usr/share/postgresql") / version):
        layer.copy(folder, str(folder))
    layer.copy(Path("/usr/share/zoneinfo"), "/usr/share/zoneinfo")
    layer.folder(DATA, USER, mode=0o700)
    layer.folder("/run/postgresql", USER)
    layer.copy(RUN, "/usr/local/bin/run")
