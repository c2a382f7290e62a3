# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 10 · Lag
#
# After this lesson you can
#
# - work out the lag of any group from two numbers, and say what it does not count,
# - read a lag curve: keeping up, falling behind, catching up, standing still,
# - tell a group that is busy from a group that is stuck, before somebody calls.
#
# **Time** 30 minutes.
# **You need** lessons 00 and 03.

# %% [markdown]
# ## Why
#
# The shop sells, the orders go into Kafka, and the warehouse reads and packs them.
# One day the warehouse gets slower.
#
# Nothing breaks: no error, no red light, and the shop goes on selling.
# That is what a log in between is for, and it is also how half a day of orders can pile up unseen.
# **Lag** is the number that sees it.

# %% id="start" tags=["setup"]
from hashlib import sha256
from itertools import islice
from time import monotonic

import pandas as pd
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from eventlab import Cluster, charts, observe
from eventlab.orders import read_orders

cluster = Cluster.start()

# %%
TOPIC, GROUP = "orders-10", "warehouse-10"
cluster.create_topic(TOPIC, partitions=3, replication_factor=3, min_insync_replicas=2, fresh=True)
forgotten = cluster.admin.delete_groups([GROUP])

# %% [markdown]
# A group outlives its consumers: the cluster keeps its committed offsets.
# `delete_groups` forgets what the warehouse may have committed when you ran this notebook before.

# %% id="send"
address = {"bootstrap_servers": cluster.bootstrap_servers}
safely = {"acks": "all", "enable_idempotence": True, "linger_ms": 5, "max_block_ms": 10_000}
coming = read_orders()


def send(producer, count):
    """Send the next so many orders."""
    for order in islice(coming, count):
        producer.send(TOPIC, key=order.customer_id.encode(), value=order.to_json())


with KafkaProducer(**address, **safely) as producer:
    send(producer, 600)

# %% [markdown]
# ## Before the first commit
#
# A member of a group reads, and from time to time it **commits**: it writes down, in the cluster,
# up to which offset it has come.
# Here it is told not to do so by itself (`enable_auto_commit`).
#
# > **Predict.**
# > The warehouse reads all 600 orders and commits nothing.
# > What is its lag: 0, 600, or something else?

# %% id="no-commit"
warehouse = {
    "group_id": GROUP,
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "consumer_timeout_ms": 10_000,
    "session_timeout_ms": 6_000,
}

with KafkaConsumer(TOPIC, **address, **warehouse) as consumer:
    batch = [next(consumer) for _ in range(600)]
    never = observe.lag(cluster, GROUP)

# %%
columns = ["partition", "current_offset", "log_end_offset", "lag", "committed"]
never[columns]

# %%
print("committed:", never["committed"].any(), "| lag known:", never["lag"].notna().any())
# > committed: False | lag known: False

# %% [markdown]
# There is none.
# `<NA>` is not 0, and not 600 either: the cluster does not know what the warehouse has *read*, it
# knows what the warehouse has *committed*, and that is nothing.
# Where such a group begins next time is its own choice
# ([`auto.offset.reset`](https://kafka.apache.org/documentation/#consumerconfigs_auto.offset.reset)):
# at the beginning, or with what comes next.
#
# A monitor that draws this as 0 hides a group that has never finished anything.

# %% [markdown]
# > **Predict.**
# > That consumer is closed.
# > The next member of the group asks for 600 orders: does it get any?

# %% id="commit"
with KafkaConsumer(TOPIC, **address, **warehouse) as consumer:
    again = [next(consumer) for _ in range(600)]
    consumer.commit(timeout_ms=10_000)

print("all of them again:", len(again) == len(batch))
observe.lag(cluster, GROUP)[columns]

# %% [markdown]
# All of them, since nobody had written down that they were read.
# This one did: `current_offset` is where the group goes on, and now there is a lag, and it is 0.

# %% [markdown]
# ## Two numbers
#
# > **Predict.**
# > 300 more orders come in, and nobody reads.
# > What is the lag, all in all?
# > Is it the same on each partition?

# %%
with KafkaProducer(**address, **safely) as producer:
    send(producer, 300)

now = observe.lag(cluster, GROUP)
now[columns]

# %%
difference = now["log_end_offset"] - now["current_offset"]
print(int(now["lag"].sum()), "in all, each the difference:", (now["lag"] == difference).all())
# > 300 in all, each the difference: True

# %% [markdown]
# **Lag = log end offset - committed offset**, for each partition.
# The first number grows when producers write, the second when the group commits.
# That is all there is to it, and every tool computes it so: `kafka-consumer-groups --describe`
# [shows the same columns](https://kafka.apache.org/documentation/#basic_ops_consumer_lag).
#
# The partitions differ because the keys do, as in lesson 03.
# So look at the *worst* partition, since the customers in it are the ones who wait.

# %% [markdown]
# ## Lag 0
#
# > **Predict.**
# > The warehouse reads the 300 orders, commits, and then the power fails, before a single one is
# > packed.
# > What is the lag?

# %%
packed = []

with KafkaConsumer(TOPIC, **address, **warehouse) as consumer:
    batch = [next(consumer) for _ in range(300)]
    consumer.commit(timeout_ms=10_000)
    # the power fails here, and `packed` stays empty

lag = int(observe.lag(cluster, GROUP)["lag"].sum())
print("lag:", lag, "| read:", len(batch), "| packed:", len(packed))
# > lag: 0 | read: 300 | packed: 0

# %% [markdown]
# A perfect 0, and 300 customers get nothing: no consumer of the group will ever be given these
# orders again.
# **Lag counts commits, not work.**
# It tells the truth about work only if you commit *after* the work: lesson 09.

# %% [markdown]
# ## A warehouse at work
#
# Time for a real day.
# 50 orders come in each second, and packing takes so many seconds for each.
# The work here is a checksum, over and over until the time is up.


# %%
def pack(seconds):
    """Work on an order for so long."""
    end = monotonic() + seconds
    while monotonic() < end:
        sha256(bytes(100_000))


# %% [markdown]
# Every tenth of a second five more orders are due; until then the warehouse takes one or two at a
# time and packs them, and then it commits.


# %% id="day"
def day(producer, consumer, seconds, for_each):
    """For so long let 50 orders a second come in, and pack them, each in `for_each` seconds."""
    due = monotonic()
    for _ in range(seconds * 10):
        send(producer, 5)
        due += 0.1
        while True:
            polled = consumer.poll(timeout_ms=20, max_records=2)
            pack(for_each * sum(map(len, polled.values())))
            if monotonic() >= due:
                break
        consumer.commit(timeout_ms=10_000)


# %% [markdown]
# The day has three parts: 2 seconds of quick packing (3 ms), 3 seconds of slow packing (40 ms: the
# new tape machine), then 4 seconds of quick packing again.
# Meanwhile `observe.watch` looks at the lag five times a second, in the background.
#
# > **Predict.**
# > 50 orders a second come in, and at 40 ms each at most 25 are packed.
# > How high does the lag get in those 3 seconds?
# > And what happens to it afterwards?
# > Draw the curve.

# %% id="curve"
with (
    KafkaProducer(**address, **safely) as producer,
    KafkaConsumer(TOPIC, **address, **warehouse) as consumer,
    observe.watch(cluster, observe.lag, GROUP, every=0.2) as seen,
):
    day(producer, consumer, 2, for_each=0.003)
    slow = pd.Timestamp.now("UTC")
    day(producer, consumer, 3, for_each=0.04)
    quick = pd.Timestamp.now("UTC")
    day(producer, consumer, 4, for_each=0.003)

# %%
slowed = pd.DataFrame(
    [(slow, quick, "packing slowed", "to 40 ms")], columns=["start", "end", "fault", "target"]
)
curve = charts.lag(seen.frame(), faults=slowed)
curve

# %%
charts.describe(curve)

# %% [markdown]
# Three shapes, which you will see on every dashboard:
#
# - **Keeping up**: a low line of small teeth.
#   A few records are always on their way, since they come one by one and are committed in groups.
#   Such a lag is no backlog.
# - **Falling behind**: a straight slope.
#   Its steepness is what comes in minus what is done, here at least 50 - 25 each second.
# - **Catching up**: a slope down, as steep as the *spare* capacity.
#   At 3 ms there is plenty; a group that is just quick enough never catches up.

# %%
whole = seen.frame().groupby("time")["lag"].sum()
during = whole[(whole.index > slow) & (whole.index < quick + pd.Timedelta(seconds=0.5))]
int(during.max())

# %% [markdown]
# That is the most, of all partitions together.
# (50 - 25) orders a second for 3 seconds would be 75.

# %%
print("at least 50 behind:", during.max() >= 50)
print("caught up to less than half of it:", whole.iloc[-1] < during.max() / 2)
# > at least 50 behind: True
# > caught up to less than half of it: True

# %% [markdown]
# What to do about a slope is another question: quicker work, or more members, up to one for each
# partition (lesson 07).

# %% [markdown]
# ## Records, or seconds?
#
# 75 orders behind: is that much?
# Nobody who waits for a parcel counts records.
# `lag_seconds` says how long ago the record that comes next was written.
# A single look cannot know that, but a watch has seen the log grow, and interpolates.
#
# Here is the worst moment of each partition:

# %%
frame = seen.frame()
frame.loc[frame.groupby("partition")["lag"].idxmax(), ["partition", "lag", "lag_seconds"]]

# %% [markdown]
# The evening comes, and the warehouse first packs what is left.

# %%
left = int(observe.lag(cluster, GROUP)["lag"].sum())

with KafkaConsumer(TOPIC, **address, **warehouse) as consumer:
    rest = [next(consumer) for _ in range(left)]
    consumer.commit(timeout_ms=10_000)

int(observe.lag(cluster, GROUP)["lag"].sum())
# > 0

# %% [markdown]
# Then it closes.
# The shop takes 60 more orders, and closes as well.
#
# > **Predict.**
# > Nobody writes any more, and nobody reads.
# > What becomes of the lag in records, and what of the lag in seconds?

# %% id="closed"
with observe.watch(cluster, observe.lag, GROUP, every=0.2) as closed:
    with KafkaProducer(**address, **safely) as producer:
        send(producer, 60)
    first = closed.wait_until(lambda now: now["lag"].sum() == 60)
    last = closed.wait_until(lambda now: now["lag_seconds"].max() > 2)

both = {"just written": first, "later": last}
pd.concat({when: look[["partition", "lag", "lag_seconds"]] for when, look in both.items()})

# %%
print("lag:", int(first["lag"].sum()), "then", int(last["lag"].sum()))
print("seconds behind grew:", last["lag_seconds"].max() > first["lag_seconds"].max())
# > lag: 60 then 60
# > seconds behind grew: True

# %%
flat = charts.lag(closed.frame())
flat

# %%
charts.describe(flat)

# %% [markdown]
# A step, then a flat line: 60 records, and 60 for ever.
# **A flat line above zero is worse than a high peak.**
# During the day the lag was higher, and the group worked.
# Now it is lower, and nobody comes.
#
# So an alarm on "more than 70 records" would have rung at the wrong time, and be silent now.
# Watch the seconds, or whether the committed offset *moves*.

# %% [markdown]
# ## What lag does not tell
#
# - **0**: all is done, or only committed.
# - **Nothing**, `-`, `<NA>`: a group that never committed.
# - **A small number that never gets 0**: some offsets are no records.
#   The end of a transaction
#   [takes one too](https://github.com/spring-projects/spring-kafka/issues/1587).
# - **A large number**: many records, or few with holes between them.
#   A compacted topic drops records, and
#   [the offsets of the others stay](https://kafka.apache.org/documentation/#design_compactionbasics).
# - **Below 0**: records were committed, and then lost (lesson 13).

# %% [markdown]
# ## Exercise 1: with kafka-python alone
#
# Work out the lag of `warehouse-10` without `observe`: a dict from the number of each partition to
# its lag.
# A consumer's `end_offsets([...])` and `committed(partition)` know all you need.

# %% id="ch10-by-hand" tags=["exercise"]
my_lag = None
partitions = [TopicPartition(TOPIC, number) for number in range(3)]

with KafkaConsumer(**address, **warehouse) as consumer:
    ...  # your lines here

# %% id="ch10-by-hand-check" tags=["check"]
if my_lag is None:
    print("Not attempted yet: `my_lag` is None.")
else:
    told = observe.lag(cluster, GROUP).set_index("partition")["lag"].to_dict()
    assert sorted(my_lag) == sorted(told), f"Its keys are {sorted(my_lag)}, not {sorted(told)}."
    wrong = {number: lag for number, lag in my_lag.items() if lag != told[number]}
    assert not wrong, f"{wrong} is wrong: the cluster says {told}."
    print(f"Correct: {sum(told.values())} in all.")
# > Not attempted yet: `my_lag` is None.

# %% id="ch10-by-hand-solution" tags=["solution"]
partitions = [TopicPartition(TOPIC, number) for number in range(3)]

with KafkaConsumer(**address, **warehouse) as consumer:
    ends = consumer.end_offsets(partitions)
    my_lag = {tp.partition: ends[tp] - consumer.committed(tp) for tp in partitions}

# %% [markdown]
# ## Exercise 2: an alarm
#
# Write `alarm`: it gets what a watch has seen, and says whether somebody has to be woken.
#
# - `closed.frame()`: a group that stands still with work to do.
#   Ring.
# - `seen.frame()`: a busy day, with more lag than that.
#   Stay silent.
# - `idle`: nothing to do, so nothing moves.
#   Stay silent.

# %% id="ch10-alarm" tags=["exercise"]
idle = closed.frame().query("lag == 0")


def alarm(frame):
    """Say whether a partition has lag and its committed offset does not move."""
    # your lines here


# %% id="ch10-alarm-check" tags=["check"]
rings = {"stuck": alarm(closed.frame()), "busy": alarm(seen.frame()), "idle": alarm(idle)}

if set(rings.values()) == {None}:
    print("Not attempted yet: alarm returns None.")
else:
    assert rings["stuck"], "A group that stands still with a lag of 60, and the alarm is silent."
    assert not rings["busy"], "It rings on a busy day: there is lag, but the group moves on."
    assert not rings["idle"], "It rings while there is nothing to do."
    print("Correct: it rings when the group is stuck, and only then.")
# > Not attempted yet: alarm returns None.

# %% id="ch10-alarm-solution" tags=["solution"]
idle = closed.frame().query("lag == 0")


def alarm(frame):
    """Say whether a partition has lag and its committed offset does not move."""
    partitions = frame.groupby("partition")
    stands = partitions["current_offset"].nunique() == 1
    return bool((stands & (partitions["lag"].last() > 0)).any())


# %% [markdown]
# ## Exercise 3: the dishonest manager
#
# The manager of the warehouse is paid for a lag of 0, and 60 orders are waiting.
# Bring the lag of `warehouse-10` to 0 *without reading a single record*.
#
# You do not need `subscribe`: with `assign` a consumer takes the partitions it wants, and
# `seek_to_end`, `position` and `commit` do the rest.

# %% id="ch10-cheat" tags=["exercise"]
with KafkaConsumer(**address, **warehouse) as consumer:
    consumer.assign([TopicPartition(TOPIC, number) for number in range(3)])
    # your lines here

# %% id="ch10-cheat-check" tags=["check"]
left = observe.lag(cluster, GROUP)["lag"]

if left.sum() == 60:
    print("Not attempted yet: the lag is 60.")
else:
    assert left.notna().all(), "There is a partition for which nothing is committed any more."
    assert (left == 0).all(), f"The lag of the partitions is {left.tolist()}, not 0."
    print("Correct, alas: the lag is 0, and 60 parcels will never be packed.")
# > Not attempted yet: the lag is 60.

# %% id="ch10-cheat-solution" tags=["solution"]
with KafkaConsumer(**address, **warehouse) as consumer:
    partitions = [TopicPartition(TOPIC, number) for number in range(3)]
    consumer.assign(partitions)
    consumer.seek_to_end(*partitions)
    ends = [consumer.position(partition) for partition in partitions]
    consumer.commit(timeout_ms=10_000)

# %% [markdown]
# There is an honest use for it: to leave a backlog behind that nobody needs any more.

# %% [markdown]
# ## Three questions

# %% [markdown]
# **1. A group's lag is 0. What do you know?**
#
# <details><summary>All records have been processed.</summary>
#
# No.
# 300 were read and committed above, and not one was packed.
#
# </details>
# <details><summary>The group has committed the end of each partition.</summary>
#
# Yes.
# No more than that, and exercise 3 did it without reading.
#
# </details>
# <details><summary>The consumers are running.</summary>
#
# No.
# They were closed whenever we looked between two cells, and the lag was 0 all the same.
#
# </details>

# %% [markdown]
# **2. The lag grows by 50 records each second. What helps?**
#
# <details><summary>More memory for the brokers.</summary>
#
# No.
# The brokers have nothing to do with it: it grows because less is done than comes in.
#
# </details>
# <details><summary>Waiting: it will level off.</summary>
#
# No.
# Nothing in the formula makes it level off, but retention may delete what nobody has read yet.
#
# </details>
# <details><summary>Do at least 50 more each second.</summary>
#
# Yes.
# By quicker work or by more members, and with some to spare, or the backlog stays for ever.
#
# </details>

# %% [markdown]
# **3. Which of these groups needs you at night?**
#
# <details><summary>20,000 records behind, and 4 seconds.</summary>
#
# No.
# A busy topic: whoever waits, waits for 4 seconds.
#
# </details>
# <details><summary>12 records behind, and 3 hours.</summary>
#
# Yes.
# Somebody has been waiting for 3 hours, and the group does not move.
#
# </details>
# <details><summary>0 records behind, and nothing has moved for 3 hours.</summary>
#
# Probably not.
# There was nothing to do, though you might ask why nobody writes.
#
# </details>

# %% [markdown]
# ## What Kafka calls this
#
# | word | what it is | where you met it |
# |---|---|---|
# | consumer group | consumers that share a topic, and what they have committed | `warehouse-10` |
# | committed offset | where the group goes on: that of the next record | `current_offset` |
# | log end offset | the offset that the next record gets | `log_end_offset` |
# | consumer lag | the difference | `lag` |
#
# The metric `records-lag-max` of a
# [consumer](https://kafka.apache.org/documentation/#consumer_fetch_monitoring) is another number:
# it counts from what this consumer has read, not from what the group has committed.
#
# `lag_seconds` is eventlab's word; Kafka itself tells no lag in time.

# %% [markdown]
# ## Clean up
#
# This notebook lets go of the cluster.
# When nobody else holds it, no other notebook and no JupyterLab, the four processes end, and the
# records go with them.

# %% id="cleanup" tags=["cleanup"]
cluster.stop()
cluster
