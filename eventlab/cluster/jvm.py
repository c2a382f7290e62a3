"""The command line and the environment of one Kafka JVM.

`java` is started directly, not through Kafka's scripts: those read KAFKA_OPTS, JMX_PORT and the
like from a learner's shell, where JMX_PORT alone opens JMX without a password on four nodes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from eventlab.cluster.jars import Kafka
from eventlab.cluster.java import Java

MAIN = "kafka.Kafka"
LOG4J2 = Path(__file__).with_name("log4j2.properties")

_FLAGS = (
    "-XX:+UseSerialGC",  # the smallest collector, and the one an AOT cache maps fastest
    "-XX:TieredStopAtLevel=1",  # C1 alone: half the CPU at start, the same throughput in a lab
    # Most methods of a start run a few times only: compiling them later saves CPU.
    "-XX:CompileThresholdScaling=4",
    "-Xms16m",
    "-XX:-UsePerfData",
    "-XX:+DisableAttachMechanism",
    "-XX:+ExitOnOutOfMemoryError",  # a broker that lost its memory must be seen to end
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:ErrorFile=hs_err.log",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
)

_SIMPLE = "-Dorg.slf4j.simpleLogger"
_LOGGING = (
    # Kafka's log-level endpoint wakes Log4j 2 though nothing logs through it.
    "-Dlog4j.provider=org.apache.logging.log4j.simple.internal.SimpleProvider",
    f"{_SIMPLE}.showDateTime=true",
    f"{_SIMPLE}.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
    f"{_SIMPLE}.showThreadName=false",
    # 300 lines of configuration at each start say less than the node's server.properties.
    f"{_SIMPLE}.log.org.apache.kafka.common.config.AbstractConfig=warn",
)


def flags(java: Java, heap: str) -> list[str]:
    """Return the flags that every node and the training of the start-up cache share."""
    chosen = [*_FLAGS, f"-Xmx{heap}"]
    chosen.append("-XX:ArchiveRelocationMode=0")  # shared pages stay shared: 75 MB in four nodes
    if java.major >= 24:  # Kafka uses both; each start would warn of it
        chosen += ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
    return chosen


def command(java: Java, kafka: Kafka, heap: str, cache: Path | None, *extra: str) -> list[str]:
    """Return what starts the node whose server.properties is in the working folder."""
    # Its log level: what of the cache a JVM cannot use costs time, and is no news to a learner.
    cached = [f"-XX:AOTCache={cache}", "-Xlog:aot*=error"] if cache else []
    return [
        str(java.executable),
        *flags(java, heap),
        *cached,
        *extra,
        *_logging(kafka),
        "-cp",
        os.pathsep.join(map(str, kafka.jars)),
        MAIN,
        "server.properties",
    ]


def _logging(kafka: Kafka) -> list[str]:
    """Return the settings of the SLF4J provider on the class path."""
    if any(jar.name.startswith("slf4j-simple") for jar in kafka.jars):
        return list(_LOGGING)
    return [f"-Dlog4j2.configurationFile={LOG4J2}"]  # an unpacked distribution brings Log4j 2


def environ(**marks: str) -> dict[str, str]:
    """Return an environment with nothing of the learner's shell that a JVM or Kafka reads."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "TZ") if name in os.environ
    }
    # Without a UTF-8 locale Java cannot name a file with a letter outside ASCII.
    return kept | ({} if sys.platform == "darwin" else {"LC_ALL": "C.UTF-8"}) | marks
