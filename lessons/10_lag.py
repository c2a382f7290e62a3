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
# **Time** 35 minutes.
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
shape = {"partitions": 3, "replication_factor": 3, "min_insync_replicas": 2}
TOPIC = cluster.create_topic("orders-10", **shape, fresh=True)
GROUP = cluster.name_of("warehouse-10")
forgotten = cluster.admin.delete_groups([GROUP])

# %% [markdown]
# A group outlives its consumers: the cluster keeps its committed offsets.
# `delete_groups` forgets what the warehouse may have committed when you ran this notebook before.

# %% id="send"
address = cluster.client_config
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
    "consumer_timeout_ms": 30_000,
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
# ([`auto.offset.reset`](https://kafka.apache.org/44/configuration/consumer-configs/#consumerconfigs_auto.offset.reset)):
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
# [shows the same columns](https://kafka.apache.org/44/operations/basic-kafka-operations/#checking-consumer-position).
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
# Time for a real day, cut into rounds of a tenth of a second.
# In each round 5 orders come in, and the warehouse takes from those that wait, up to the number
# that it can pack in a round.
# The work here is a checksum, over and over until the round is over.


# %%
def pack(batch):
    """Work on these orders for a round."""
    end = monotonic() + 0.1
    while monotonic() < end:
        for record in batch:
            sha256(record.value)


# %% id="day"
def day(producer, consumer, rounds, at_most, waiting=0):
    """In each round let 5 orders come in, and pack at most so many; return how many wait then."""
    for _ in range(rounds):
        send(producer, 5)
        producer.flush(timeout=30)
        batch = [next(consumer) for _ in range(min(waiting + 5, at_most))]
        waiting += 5 - len(batch)
        pack(batch)
        consumer.commit(timeout_ms=10_000)
    return waiting


# %% [markdown]
# The day has three parts: 20 rounds of quick packing (up to 10 orders each), 30 rounds of slow
# packing (up to 2: the new tape machine), then 40 rounds of quick packing again.
# Meanwhile `observe.watch` looks at the lag five times a second, in the background.
#
# > **Predict.**
# > 5 orders come in each round, and at most 2 of them are packed.
# > How high is the lag after those 30 rounds?
# > And what happens to it afterwards?
# > Draw the curve.

# %% id="curve"
with (
    KafkaProducer(**address, **safely) as producer,
    KafkaConsumer(TOPIC, **address, **warehouse) as consumer,
    observe.watch(cluster, observe.lag, GROUP, every=0.2) as seen,
):
    day(producer, consumer, 20, at_most=10)
    slow = pd.Timestamp.now("UTC")
    waiting = day(producer, consumer, 30, at_most=2)
    worst = seen.wait_until(lambda now: now["lag"].sum() >= waiting)
    quick = pd.Timestamp.now("UTC")
    left = day(producer, consumer, 40, at_most=10, waiting=waiting)
    last = seen.wait_until(lambda now: now["lag"].sum() <= left)

# %%
slowed = pd.DataFrame(
    [(slow, quick, "packing slowed", "to 2 a round")], columns=["start", "end", "fault", "target"]
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
#   Its steepness is what comes in minus what is done, here 5 - 2 each round.
# - **Catching up**: a slope down, as steep as the *spare* capacity, here 10 - 5.
#   A group that is just quick enough has none, and never catches up.

# %%
print("after the slow part", waiting, "wait, and the lag is", int(worst["lag"].sum()))
print("in the end", left, "wait, and the lag is", int(last["lag"].sum()))
# > after the slow part 90 wait, and the lag is 90
# > in the end 0 wait, and the lag is 0

# %% [markdown]
# The warehouse and the cluster agree: 30 rounds of 5 - 2 are 90, of all partitions together.
# Going down 5 a round, they were gone after 18 rounds.

# %% [markdown]
# What to do about a slope is another question: quicker work, or more members, up to one for each
# partition (lesson 07).

# %% [markdown]
# ## Records, or seconds?
#
# 90 orders behind: is that much?
# Nobody who waits for a parcel counts records.
# `lag_seconds` says how long ago the record that comes next was written.
# A single look cannot know that, but a watch has seen the log grow, and interpolates.
#
# Here is the worst moment of each partition:

# %%
frame = seen.frame()
frame.loc[frame.groupby("partition")["lag"].idxmax(), ["partition", "lag", "lag_seconds"]]

# %% [markdown]
# In the evening the warehouse closes.
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
# ## Lag, and nothing to read
#
# The till writes 20 orders in a *transaction*, and takes it back (lesson 14 has more of that).
# The books are kept by a group that asks for committed records only.
#
# > **Predict.**
# > None of the 20 will ever be read.
# > What is the lag of the group before it begins: 0, 20, or something else?

# %% id="taken-back"
topic = cluster.create_topic("till-10", **{**shape, "partitions": 1}, fresh=True)
till = TopicPartition(topic, 0)
BOOKS = cluster.name_of("books-10")

with KafkaProducer(**address, **safely, transactional_id=topic) as producer:
    producer.init_transactions()
    producer.begin_transaction()
    for order in islice(coming, 20):
        producer.send(topic, order.to_json())
    producer.flush(timeout=30)
    producer.abort_transaction()

# %%
books = {**warehouse, "group_id": BOOKS, "consumer_timeout_ms": 3_000}

with KafkaConsumer(**address, **books, isolation_level="read_committed") as consumer:
    consumer.assign([till])
    consumer.seek(till, 0)
    consumer.commit(timeout_ms=10_000)
    before = observe.lag(cluster, BOOKS)
    record = next(consumer, None)

print("lag:", int(before["lag"].sum()), "| to read:", record)
# > lag: 21 | to read: None

# %% [markdown]
# 20 records that nobody gets, and one offset more for the mark that says so.
# **Lag counts offsets, not records.**
# A commit brings it to 0, and this group has nothing to commit for.

# %% [markdown]
# ## What lag does not tell
#
# - **0**: all is done, or only committed.
# - **Nothing**, `-`, `<NA>`: a group that never committed.
# - **1, and never 0**: each transaction ends with such a mark.
#   Whoever commits the offset of its last record plus one stays
#   [one behind](https://github.com/spring-projects/spring-kafka/issues/1587).
# - **A large number**: many records, or few with holes between them.
#   A compacted topic drops records, and
#   [the offsets of the others stay](https://kafka.apache.org/44/design/design/#log-compaction-basics).
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

# %% [markdown]
# <details><summary>A hint</summary>
#
# Two numbers for each partition: where it ends, and where the group goes on.
# Lag is the first minus the second.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `ends = consumer.end_offsets(partitions)` is a dict from a partition to its end.
# `consumer.committed(tp)` is a number, and `tp.partition` the key that you need.
#
# </details>

# %% id="ch10-by-hand-end" tags=["mutant"]
with KafkaConsumer(**address, **warehouse) as consumer:  # "lag is what is in the log"
    ends = consumer.end_offsets([TopicPartition(TOPIC, number) for number in range(3)])
    my_lag = {tp.partition: end for tp, end in ends.items()}
# > {0:

# %% id="ch10-by-hand-sum" tags=["mutant"]
with KafkaConsumer(**address, **warehouse) as consumer:  # "a group has one lag"
    ends = consumer.end_offsets([TopicPartition(TOPIC, number) for number in range(3)])
    my_lag = {"orders-10": sum(ends[tp] - consumer.committed(tp) for tp in ends)}
# > Its keys are ['orders-10'], not [0, 1, 2].

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

# %% [markdown]
# <details><summary>A hint</summary>
#
# Two things have to come together: work to do, and a committed offset that stands.
# Look at each partition by itself: `frame.groupby("partition")`.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `partitions["current_offset"].nunique() == 1` says which ones stand still, and
# `partitions["lag"].last() > 0` which ones have work to do.
#
# </details>


# %% id="ch10-alarm-threshold" tags=["mutant"]
def alarm(frame):
    """The lag is high."""
    return bool(frame.groupby("time")["lag"].sum().max() > 70)


# > A group that stands still with a lag of 60, and the alarm is silent.


# %% id="ch10-alarm-any-lag" tags=["mutant"]
def alarm(frame):
    """There is lag."""
    return bool((frame["lag"] > 0).any())


# > It rings on a busy day

# %% id="ch10-alarm-standing" tags=["mutant"]
idle = closed.frame().query("lag == 0")


def alarm(frame):
    """Nothing moves."""
    return bool((frame.groupby("partition")["current_offset"].nunique() == 1).any())


# > It rings while there is nothing to do.

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

# %% [markdown]
# <details><summary>A hint</summary>
#
# The lag is the end minus what is *committed*.
# Nobody says that what is committed has been read.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `consumer.seek_to_end(...)` moves the place where it would read, `consumer.position(...)` makes
# it look up where that is, and `consumer.commit(timeout_ms=10_000)` writes it down.
#
# </details>

# %% id="ch10-cheat-from-the-start" tags=["mutant"]
with KafkaConsumer(**address, **warehouse) as consumer:
    partitions = [TopicPartition(TOPIC, number) for number in range(3)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)  # "forget it all"
    starts = [consumer.position(partition) for partition in partitions]
    consumer.commit(timeout_ms=10_000)
# > The lag of the partitions is [

# %% id="ch10-cheat-one-partition" tags=["mutant"]
with KafkaConsumer(**address, **warehouse) as consumer:
    partition = TopicPartition(TOPIC, 0)  # "a topic has one end"
    consumer.assign([partition])
    consumer.seek_to_end(partition)
    end = consumer.position(partition)
    consumer.commit(timeout_ms=10_000)
# > The lag of the partitions is [0,

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
# The metric `records-lag-max` of a consumer is another number: it counts from what this consumer
# has read, not from what the group has committed
# ([consumer fetch metrics](https://kafka.apache.org/44/operations/monitoring/#consumer-fetch-metrics)).
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
