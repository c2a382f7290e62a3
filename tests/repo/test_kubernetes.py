"""deploy/kubernetes: every manifest fits the schemas, and the parts of all fit each other.

Nothing here is applied to a cluster; `deploy/README.md` says so.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from eventlab import environment
from eventlab.cli import lab
from eventlab.cli.parser import parser
from eventlab.cluster import properties
from eventlab.cluster.settings import Settings
from eventlab.orders import topics
from eventlab.orders.asyncapi import TOPICS
from eventlab.orders.processes.figures import registry
from eventlab.orders.processes.operations import Operations
from eventlab.orders.web import guard, server
from tests.repo import schemas
from tests.unit.orders.processes.test_operations import get

ROOT = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("v1", "v2")
Document = dict[str, Any]


def read(path: Path) -> list[Document]:
    """Return the documents of a file."""
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def built(folder: Path) -> list[Document]:
    """Return what `kubectl kustomize` makes of a folder: its resources, namespace and images."""
    [kustomization] = read(folder / "kustomization.yaml")
    assert kustomization.keys() <= {"apiVersion", "kind", "namespace", "resources", "images"}
    paths = [(folder / name).resolve() for name in kustomization["resources"]]
    found = [doc for path in paths for doc in (built(path) if path.is_dir() else read(path))]
    for document in found:
        if "namespace" in kustomization:
            document["metadata"]["namespace"] = kustomization["namespace"]
        for container in containers(document):
            for image in kustomization.get("images", ()):
                if container["image"] == image["name"]:
                    container["image"] += f":{image['newTag']}"
    return found


def pod(document: Document) -> Document:
    """Return the template of the pods of a workload, or nothing."""
    has_pods = document["kind"] in ("Deployment", "StatefulSet", "Job")
    return document["spec"]["template"] if has_pods else {}


def containers(document: Document) -> list[Document]:
    return pod(document).get("spec", {}).get("containers", [])


def labels(document: Document) -> dict[str, str]:
    return pod(document).get("metadata", {}).get("labels", {})


KAFKA = built(ROOT / "kafka")
SHOP = built(ROOT / "orders" / "v1")
LOAD = read(ROOT / "orders" / "load.yaml")
ALL = [*KAFKA, *SHOP, *LOAD]
WORKLOADS = [document for document in [*SHOP, *LOAD] if pod(document)]
OURS = [document for document in WORKLOADS if "eventlab" in containers(document)[0]["image"]]


_LISTENING = {"http": ("host", "port"), "metrics": ("metrics_host", "metrics_port")}


def name(document: Document) -> str:
    return f"{document['kind']}-{document['metadata']['name']}"


def of_kind(kind: str, documents: list[Document] = ALL) -> list[Document]:
    found = [document for document in documents if document["kind"] == kind]
    assert found, kind
    return found


@pytest.mark.parametrize("document", ALL, ids=name)
@pytest.mark.parametrize("version", schemas.KUBERNETES)
def test_a_manifest_fits_its_schema(document, version):
    """No field that nobody knows, no value of another type: of Kubernetes, or of Strimzi."""
    assert schemas.faults(document, version) == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", "spec.replica", 3),
        ("Deployment", "spec.template.spec.containers.0.readinessProbe.httpGet.port", None),
        ("KafkaTopic", "spec.partitions", "three"),
        ("Kafka", "spec.kafka.listeners.0.type", "internet"),
        ("Kafka", "spec.zookeeper", {}),
    ],
)
def test_a_schema_refuses_what_is_wrong(kind, path, value):
    """The schemas are strict, or a typo would be found by a user."""
    document = copy.deepcopy(of_kind(kind)[0])
    *way, last = path.split(".")
    place: Any = document
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    assert schemas.faults(document)


def test_every_file_is_part_of_something():
    """What nobody applies is no deployment; the load and the values of the chart are by hand."""
    by_hand = {"kustomization.yaml", "load.yaml", "jupyterhub-values.yaml", "prometheus.yaml"}
    for path in ROOT.rglob("*.yaml"):
        if path.name not in by_hand:
            [told] = read(path.parent / "kustomization.yaml")
            assert path.name in told["resources"]


@pytest.mark.parametrize("folder", ["kafka", "orders/v1", "orders/v2"])
def test_kubectl_builds_the_same(folder):
    """Our reading of a kustomization is kubectl's."""
    if not shutil.which("kubectl"):
        pytest.skip("There is no kubectl to compare with; that of Debian 12 is too old for it.")
    command = ["kubectl", "kustomize", str(ROOT / folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    theirs = {name(document): document for document in yaml.safe_load_all(done.stdout)}
    assert theirs == {name(document): document for document in built(ROOT / folder)}


def test_versions_differ_in_the_image_alone():
    """So an update and its rollback are the exercise, and nothing else."""
    one, two = (yaml.safe_dump_all(built(ROOT / "orders" / version)) for version in OVERLAYS)
    assert one != two
    assert one.replace("eventlab:0.1.0", "eventlab:0.2.0") == two


@pytest.mark.parametrize("document", WORKLOADS, ids=name)
def test_images_are_pinned(document):
    """By a tag that says a version."""
    for container in containers(document):
        assert re.fullmatch(r"[a-z0-9./-]+:\d+\.\d[\w.-]*", container["image"])


@pytest.mark.parametrize("document", WORKLOADS, ids=name)
def test_a_pod_may_do_little(document):
    """No root, no other rights, a read-only disk, no token of Kubernetes; a bound on memory."""
    spec = pod(document)["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        claims = document["spec"].get("volumeClaimTemplates", [])
        known = {v["name"] for v in spec["volumes"]} | {c["metadata"]["name"] for c in claims}
        assert mounted == known


def test_no_secret_is_in_a_file():
    """Passwords and tokens come from Secrets that people make; no URL has a password."""
    assert not [document for document in ALL if document["kind"] == "Secret"]
    for container in (container for document in WORKLOADS for container in containers(document)):
        for variable in container.get("env", ()):
            if re.search("PASSWORD|TOKEN|SECRET|STORE", variable["name"]):
                assert variable["valueFrom"].keys() == {"secretKeyRef"}
    for path in ROOT.parent.rglob("*"):
        if path.is_file():
            assert not re.search(r"://[^\s/:@$]+:[^\s/@$]+@", path.read_text("utf-8")), path


def test_selectors_match_what_they_are_for():
    """A workload its own pods; services, budgets and policies somebody's."""
    pods = [labels(document) for document in WORKLOADS]

    def matched(selector: Document) -> list[dict[str, str]]:
        wanted = selector.get("matchLabels", {}).items()
        return [found for found in pods if wanted <= found.items() and _in(found, selector)]

    for document in SHOP:
        spec = document.get("spec", {})
        if document["kind"] in ("Deployment", "StatefulSet"):
            assert matched(spec["selector"]) == [labels(document)]
        if document["kind"] == "Service":
            assert len(matched({"matchLabels": spec["selector"]})) == 1
        if document["kind"] == "PodDisruptionBudget":
            assert len(matched(spec["selector"])) == 1
        if document["kind"] == "NetworkPolicy":
            assert matched(spec["podSelector"])
            for peer in (p for rule in spec.get("ingress", ()) for p in rule.get("from", ())):
                assert "podSelector" not in peer or matched(peer["podSelector"])


def _in(found: dict[str, str], selector: Document) -> bool:
    rules = selector.get("matchExpressions", ())
    return all(found.get(rule["key"]) in rule["values"] for rule in rules)


def test_ports_are_ports_of_the_pods():
    """By name: of probes, services and policies."""
    named = {
        labels(document)["app.kubernetes.io/name"]: {
            port["name"] for c in containers(document) for port in c.get("ports", ())
        }
        for document in WORKLOADS
    }
    for document in WORKLOADS:
        for container in containers(document):
            for probe in (value for key, value in container.items() if key.endswith("Probe")):
                port = probe.get("httpGet", {"port": "postgres"})["port"]
                assert port in {port["name"] for port in container["ports"]}
    for service in of_kind("Service"):
        known = named[service["spec"]["selector"]["app.kubernetes.io/name"]]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= known
    for policy in of_kind("NetworkPolicy"):
        every = set().union(*named.values())
        for rule in policy["spec"].get("ingress", ()):
            assert {port["port"] for port in rule["ports"]} <= every


def variables(container: Document) -> dict[str, str]:
    """Return the environment of a container; what comes from elsewhere has a value made up."""
    [settings] = of_kind("ConfigMap")
    assert container["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
    own = {variable["name"]: "10.0.0.7" for variable in container.get("env", ())}
    return settings["data"] | own


def understood(document: Document, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the options that a container's command reads from its arguments and variables."""
    [container] = containers(document)
    for variable in [key for key in os.environ if key.startswith("EVENTLAB_")]:
        monkeypatch.delenv(variable)
    for variable, text in variables(container).items():
        monkeypatch.setenv(variable, text)
    assert container["args"][0] == "eventlab"
    return parser().parse_args(container["args"][1:])


@pytest.mark.parametrize("document", OURS, ids=name)
def test_a_command_understands_its_settings(document, monkeypatch):
    """It listens where the pod says, for others than itself."""
    options = understood(document, monkeypatch)
    [container] = containers(document)
    assert options.servers == "lab-kafka-bootstrap:9092"
    for port in container.get("ports", ()):
        host, number = _LISTENING[port["name"]]
        assert getattr(options, host) == "0.0.0.0"
        assert getattr(options, number) == port["containerPort"]


def test_every_variable_means_something():
    """To eventlab, or to one of the commands that are run."""
    commands = [containers(document)[0]["args"][1:3] for document in OURS]
    options = {variable for command in commands for variable in _variables(*command)}
    for container in (containers(document)[0] for document in OURS):
        assert not variables(container).keys() - environment.KNOWN.keys() - options


def _variables(*command: str) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for variable in [key for key in os.environ if key.startswith("EVENTLAB_")]:
            patch.delenv(variable)
        for option in vars(parser().parse_args(command)):
            yield environment.ORDERS + option.upper()


@pytest.mark.parametrize("document", of_kind("Deployment"), ids=name)
def test_probes_ask_what_is_served(document):
    """Live by liveness, ready by readiness; the API tells both without a token."""
    [container] = containers(document)
    asked = {key: p["httpGet"]["path"] for key, p in container.items() if key.endswith("Probe")}
    assert asked == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }
    if "api" in container["args"]:
        assert set(asked.values()) <= guard.OPEN
        return
    with Operations(0, registry(), {}) as serving:
        assert {get(serving.port, path)[0] for path in asked.values()} == {200}


@pytest.mark.parametrize("document", of_kind("Deployment"), ids=name)
def test_an_update_takes_nobody_away_and_ends_in_order(document):
    """A new pod is ready first; an old one has the time that its process takes at most to end."""
    rolling = document["spec"]["strategy"]["rollingUpdate"]
    assert (rolling["maxUnavailable"], rolling["maxSurge"]) == (0, 1)
    given = pod(document)["spec"]["terminationGracePeriodSeconds"]
    assert given >= server._STOP_WITHIN


def test_kafka_is_what_the_lab_is():
    """Three brokers; internal topics survive the same losses; a typo makes no topic."""
    [kafka] = of_kind("Kafka")
    pools = {p["metadata"]["name"]: p["spec"] for p in of_kind("KafkaNodePool")}
    assert pools["broker"]["replicas"] == Settings().resolved().brokers
    assert pools["controller"]["replicas"] % 2 == 1
    config = {key: str(value).lower() for key, value in kafka["spec"]["kafka"]["config"].items()}
    wanted = properties._internal_topics(3) | {"auto.create.topics.enable": "false"}
    assert wanted.items() <= config.items()
    assert (config["default.replication.factor"], config["min.insync.replicas"]) == ("3", "2")


def test_topics_are_those_of_the_shop():
    """As `eventlab orders` makes them, and dead letters that keep the partition of a key."""
    found = {topic["metadata"]["name"]: topic["spec"] for topic in of_kind("KafkaTopic")}
    assert found.keys() == {f"{topic}{end}" for topic in TOPICS.values() for end in ("", "-dlt")}
    for spec in found.values():
        assert (spec["partitions"], spec["replicas"]) == (topics.PARTITIONS, topics._COPIES)
        assert spec["config"] == {"min.insync.replicas": topics._COPIES - 1}
    [subscriber] = [d for d in OURS if d["metadata"]["name"] == "shop-subscriber"]
    assert subscriber["spec"]["replicas"] == topics.PARTITIONS


def test_the_shop_reaches_kafka():
    """By the Service that Strimzi makes, at the port of a listener that lets its pods in."""
    [kafka], [settings] = of_kind("Kafka"), of_kind("ConfigMap")
    cluster = kafka["metadata"]["name"]
    [plain] = [one for one in kafka["spec"]["kafka"]["listeners"] if not one["tls"]]
    assert plain["type"] == "internal"
    assert settings["data"]["EVENTLAB_SERVERS"] == f"{cluster}-kafka-bootstrap:{plain['port']}"
    [peer] = plain["networkPolicyPeers"]
    for document in OURS:
        assert peer["podSelector"]["matchLabels"].items() <= labels(document).items()
    for document in KAFKA:
        if document["kind"] != "Kafka":
            assert document["metadata"]["labels"]["strimzi.io/cluster"] == cluster
    assert {document["metadata"]["namespace"] for document in [*KAFKA, *SHOP]} == {"shop"}


def test_prometheus_finds_the_jobs_that_alerts_speak_of():
    """By the labels of their pods; each pod has one port, which is the one that tells metrics."""
    [config] = read(ROOT / "prometheus.yaml")
    [example] = read(ROOT.parent / "prometheus" / "prometheus.yaml")
    assert (ROOT / config["rule_files"][0]).exists()
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs.keys() == {job["job_name"] for job in example["scrape_configs"]}
    pods = {labels(document)["app.kubernetes.io/name"]: document for document in OURS}
    for job in jobs.values():
        [pod_discovery], [rule] = job["kubernetes_sd_configs"], job["relabel_configs"]
        assert pod_discovery["namespaces"]["names"] == ["shop"]
        assert rule["action"] == "keep"
        [container] = containers(pods[rule["regex"]])
        assert len(container["ports"]) == 1
    [policy] = [p for p in of_kind("NetworkPolicy") if p["metadata"]["name"] == "shop-metrics"]
    [source] = policy["spec"]["ingress"][0]["from"]
    assert "monitoring" in source["namespaceSelector"]["matchLabels"].values()


# Of https://z2jh.jupyter.org/en/stable/resources/reference.html, for the chart 4.4.0.
VALUES = {
    "hub": {"config", "activeServerLimit", "concurrentSpawnLimit"},
    "singleuser": {
        *("image", "uid", "fsGid", "cpu", "memory", "extraEnv", "storage"),
        *("lifecycleHooks", "defaultUrl", "networkPolicy"),
    },
    "cull": {"enabled", "timeout", "every"},
    "scheduling": {"userPlaceholder"},
    "prePuller": {"continuous"},
    "proxy": {"service"},
}


def test_the_values_of_the_class_are_values_of_the_chart():
    """Names of the chart's reference; the image's user and home; memory that was measured."""
    [values] = read(ROOT / "jupyterhub-values.yaml")
    assert {part: set(value) for part, value in values.items()} == VALUES
    single = values["singleuser"]
    dockerfile = (ROOT.parents[1] / "Dockerfile").read_text()
    assert f"USER {single['uid']}:{single['fsGid']}" in dockerfile
    assert f"WORKDIR {single['storage']['homeMountPath']}" in dockerfile
    assert set(single["extraEnv"]) <= environment.KNOWN.keys()
    assert "jupyterhub==5.5.0" in dockerfile
    assert single["image"]["tag"] != "latest"
    shell = single["lifecycleHooks"]["postStart"]["exec"]["command"][-1]
    assert f"cd {single['storage']['homeMountPath']} && " in shell  # a hook begins in /
    assert f"from {lab.__name__} import {lab.workspace.__name__};" in shell
    notebook = single["defaultUrl"].removeprefix("/lab/tree/")
    assert (ROOT.parents[1] / notebook).exists()
