"""What can go wrong, in three short sentences: what happened, the value seen, what to type next."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Sequence


class EventlabError(Exception):
    """Anything that eventlab refuses or cannot do; `str()` of it is the three sentences."""

    def __init__(self, what: str, seen: str, fix: str) -> None:
        super().__init__(what, seen, fix)
        self.args = (what, seen, fix)  # a TimeoutError would take the third for a file's name

    def __str__(self) -> str:
        return " ".join(self.args)


def shown(value: object) -> str:
    """Return a value as a message shows it: its repr on one line, cut where it is long."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a whole number of 5000 digits has no repr
        text = f"something of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def instead(name: object, known: Sequence[str], look: str) -> tuple[str, str]:
    """Return two sentences for a name that is none: those that there are, and the nearest one."""
    near = difflib.get_close_matches(str(name), known, 1)
    listed = textwrap.shorten(", ".join(known) or "none", 300, placeholder=" and more")
    return f"This cluster has: {listed}.", f"Did you mean {near[0]!r}?" if near else look


class InvalidSetting(EventlabError, ValueError):
    """An argument, an option or an `EVENTLAB_` variable has a value it cannot have."""


class JavaNotFound(EventlabError):
    """No Java runtime is where it was looked for."""


class JavaTooOld(EventlabError):
    """The Java runtime is older than 17, the oldest that Kafka 4 runs on."""


class KafkaNotFound(EventlabError):
    """Kafka's jars are neither in the cache nor to be fetched, or not the ones of the lock."""


class HomeNotWritable(EventlabError):
    """The folder where eventlab keeps its files cannot be used."""


class DataFolderUnusable(EventlabError):
    """A data folder is not empty, not ours, of another cluster or of another Kafka."""


class NotEnoughRoom(EventlabError):
    """The machine has too little free memory or disk for the cluster asked for."""


class PortInUse(EventlabError):
    """A port that was asked for, or every port of the range, is taken."""


class StartFailed(EventlabError):
    """A node ended while it started; the last lines of its log are in `log`."""

    def __init__(self, what: str, seen: str, fix: str, log: str = "") -> None:
        super().__init__(what, seen, fix)
        self.log = log


class ClusterNotRunning(EventlabError):
    """The cluster, or the node of it that was asked for, is not running."""


class ClusterUnreachable(EventlabError):
    """A cluster that somebody else runs does not answer, or advertises what cannot be reached."""


class AccessRefused(EventlabError):
    """A cluster that somebody else runs does not let this client in."""


class CertificateRefused(EventlabError):
    """The certificate of a broker is expired, of another host, or signed by nobody we trust."""


class NotOurs(EventlabError):
    """Something was left as it is, for it was made by others."""


class ClusterMismatch(EventlabError):
    """A cluster of this name is running with other settings than those asked for."""


class UnknownNode(EventlabError, LookupError):
    """The cluster has no node of this id."""


class UnknownTopic(EventlabError, LookupError):
    """The cluster has no topic of this name."""


class UnknownGroup(EventlabError, LookupError):
    """The cluster has no consumer group of this name."""


class UnreadableRecords(EventlabError):
    """Records of a topic are corrupt, gone meanwhile, or compressed in a way not installed here."""


class TopicMismatch(EventlabError):
    """A topic of this name exists with other settings than those asked for."""


class FaultRefused(EventlabError):
    """A fault was not injected: the cluster is not ours, or the node is not what it should be."""


class HistoryUnreadable(EventlabError):
    """A file is not a history, or it is damaged."""


class HistoryMismatch(EventlabError):
    """A history was recorded on another cluster than the one it should be judged on."""


class NeverHappened(EventlabError, TimeoutError):
    """A condition was awaited and did not come true before its deadline."""


class NotSupported(EventlabError):
    """This machine or backend cannot do what was asked for."""


class EngineAway(EventlabError):
    """No Docker engine that this user may ask, or no Compose for it."""


class ImageMissing(EventlabError):
    """The engine does not have an image, and cannot pull it."""
