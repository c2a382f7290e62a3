"""What a cluster is doing, as plain DataFrames with Kafka's own column words.

    from eventlab import observe

    observe.partitions(cluster, "orders")         # leader, isr, log_end_offset ...
    observe.lag(cluster, "billing")               # current_offset, log_end_offset, lag ...
    observe.records(cluster, "orders")            # partition, offset, time, key, value, headers
    with observe.watch(cluster, "orders") as seen:
        seen.wait_until(lambda now: now.leader[0] == 2)
    seen.frame()                                  # all that it saw, `time` in front

`cluster` is a `Cluster`, the addresses of brokers such as "127.0.0.1:9092", or a dict of what a
client of kafka-python is given to reach them. All brokers are asked at once, and one that does not
answer within a second is not waited for: a warning names it, and what only it knows is NA, or a row
that is missing. Where nobody answers, or not who has to, it is NeverHappened after 5 seconds.
Nothing is created, changed or kept open.
"""

from eventlab.observe.consumers import groups, lag, members, offsets
from eventlab.observe.logs import partitions, topics
from eventlab.observe.nodes import brokers, quorum
from eventlab.observe.reading import records
from eventlab.observe.watching import watch

__all__ = [
    "brokers",
    "groups",
    "lag",
    "members",
    "offsets",
    "partitions",
    "quorum",
    "records",
    "topics",
    "watch",
]


def __dir__() -> list[str]:
    return __all__
