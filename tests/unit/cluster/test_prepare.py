"""What the start-up cache is kept for: the same JDK and the same jars, as Java compares them."""

from __future__ import annotations

import os

from eventlab.cluster import prepare
from eventlab.cluster.jars import Kafka
from eventlab.cluster.java import find


def test_a_copy_that_keeps_whole_seconds_keeps_the_cache(tmp_path):
    """Layers of an image do; a second more, or another size, is another jar."""
    jar, java = tmp_path / "kafka.jar", find()
    jar.write_bytes(b"four")
    kafka = Kafka("4.4.0", (jar,))

    def key(nanoseconds: int) -> str:
        os.utime(jar, ns=(nanoseconds, nanoseconds))
        return prepare._key(java, kafka)

    second = 1_800_000_000 * 10**9
    assert key(second + 123_456_789) == key(second)
    assert key(second + 10**9) != key(second)
    before = key(second)
    jar.write_bytes(b"fives")
    assert key(second) != before
