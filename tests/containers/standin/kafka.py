"""A stand-in for Kafka's image: our jars and Java with its paths, user, volumes and command.

Kafka's classes are the same, and so is its `KafkaDockerWrapper`, which makes properties of the
KAFKA_... variables. The C library, the version of Java, TLS and JMX are not. The paths and the
user are those of docker/jvm/Dockerfile in Kafka's sources.
"""

from __future__ import annotations

from pathlib import Path

from eventlab.cluster import jars, java, prepare
from tests.containers.standin import system
from tests.containers.standin.layer import Layer, array, image

USER = 1000
VOLUMES = ("/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config")
COMMAND = ["/etc/kafka/docker/run"]
SCRIPTS = Path(__file__).with_name("scripts")


def build(tag: str) -> None:
    """Build it into the engine of DOCKER_HOST; Kafka is fetched and prepared if it is not."""
    changes = ("USER appuser", f"VOLUME {array(VOLUMES)}", f"CMD {array(COMMAND)}")
    with image(tag, "ENV PATH=/usr/bin:/bin", *changes) as layer:
        system.add(layer, "appuser", USER)
        _kafka(layer)


def _kafka(layer: Layer) -> None:
    kafka, runtime = jars.fetch(), java.find()
    cache = prepare.prepared(runtime, kafka).cache
    for part in ("bin/java", "lib/server/libjvm.so"):
        layer.libraries(runtime.home / part)
    layer.copy(runtime.home, "/opt/java")
    for jar in kafka.jars:
        layer.copy(jar, f"/opt/kafka/libs/{jar.name}")
    layer.text("/opt/kafka/classpath", ":".join(f"/opt/kafka/libs/{j.name}" for j in kafka.jars))
    if cache:
        layer.copy(cache, "/opt/kafka/kafka.aot")
    for folder in ("/opt/kafka/config", *VOLUMES):
        layer.folder(folder, USER)
    for name in ("run", "server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
        layer.copy(SCRIPTS / name, f"/etc/kafka/docker/{name}")
