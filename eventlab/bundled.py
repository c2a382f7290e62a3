"""Where the notebooks and the data are: in a checkout beside the package, in a wheel inside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def bundled(name: str) -> Path:
    """Return "notebooks", "data" or "docker-compose.yaml" of this checkout or this wheel."""
    checkout = _PACKAGE.parent
    inside = _PACKAGE / "_bundled" / name
    return (
        inside
        if inside.exists() or not (checkout / "pyproject.toml").is_file()
        else checkout / name
    )
