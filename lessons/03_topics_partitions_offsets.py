# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 03 · Topics, partitions, offsets
#
# After this lesson you can
#
# - say in which partition a key lands before Kafka does, and be right 10,000 times out of 10,000,
# - read offsets for what they are: places in one partition, and no counts,
# - look at an uneven topic and tell what made it uneven.
#
# **Time** 30 minutes.
# **You need** lesson 00.

# %% [markdown]
# ## Why
#
# One log on one machine can be no faster than that machine.
# So Kafka cuts a topic into
# [partitions](https://kafka.apache.org/44/getting-started/introduction/#main-concepts-and-terminology):
# each is a log of its own, and each can be led by another broker.
# Three brokers can then work at the same time, and so can three readers.
#
# The price: there is no longer *one* order of things, but one for each partition.
# Which records share a partition is therefore the first decision you take about a topic, and it is
# hard to take back.

# %% id="start" tags=["setup"]
import pandas as pd
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from eventlab import Cluster, charts
from eventlab.orders import read_orders

cluster = Cluster.start()
address = cluster.client_config
shape = {"partitions": 3, "replication_factor": 3, "min_insync_replicas": 2, "fresh": True}
TOPIC = cluster.create_topic("orders-03", **shape)

# %% [markdown]
# ## Ten thousand orders
#
# Four weeks of a shop, as it wrote them down.
# A few customers order often, many order once.

# %%
orders = list(read_orders())
len(orders), len({order.customer_id for order in orders})
# > (10000, 1604)

# %% [markdown]
# > **Predict.**
# > Each order is sent with its customer's id as key, into three partitions.
# > How many will land in each?
# > Write down three numbers.

# %% id="send-all"
safely = {"acks": "all", "enable_idempotence": True, "linger_ms": 20, "max_block_ms": 10_000}

with KafkaProducer(**address, **safely) as producer:
    promises = [
        producer.send(TOPIC, key=order.customer_id.encode(), value=order.to_json())
        for order in orders
    ]
    producer.flush(timeout=60)

# %% [markdown]
# Sending is quick because nobody waits for single answers here: the promises are kept in a list,
# and `flush` waits for all of them together.
# Each kept promise knows where its record landed:

# %%
acks = [promise.get(timeout=10) for promise in promises]
landed = pd.DataFrame(
    {
        "key": [order.customer_id for order in orders],
        "partition": [ack.partition for ack in acks],
        "offset": [ack.offset for ack in acks],
    }
)
landed.head()

# %%
landed["partition"].value_counts().sort_index().to_dict()
# > {0: 3924, 1: 3520, 2: 2556}

# %% [markdown]
# Not a third each.
# And it is not chance: run the notebook again, and you get the same three numbers.

# %% [markdown]
# ## A picture of it
#
# To draw who leads what, ask the cluster.

# %%
[topic] = cluster.admin.describe_topics([TOPIC])
leaders = {p["partition_index"]: p["leader_id"] for p in topic["partitions"]}

table = landed.groupby("partition").size().rename("records").reset_index()
table["leader"] = table["partition"].map(leaders)
table

# %%
spread = charts.spread(table)
spread

# %%
charts.describe(spread)

# %% [markdown]
# A new topic gets its leaders on different brokers, so the work is shared, though not evenly.
# Leaders can move later, when a broker stops.
# Which partition a record is in never changes.

# %% [markdown]
# ## Who decides?
#
# > **Predict.**
# > Customer `C-00042` has ordered many times.
# > In how many partitions are these orders?

# %%
regular = landed[landed["key"] == "C-00042"]
len(regular), regular["partition"].nunique()
# > (266, 1)

# %% [markdown]
# In one.
# Is that so for every customer?

# %%
int(landed.groupby("key")["partition"].nunique().max())
# > 1

# %% [markdown]
# **The key decides.**
# Not Kafka's brokers: the *producer* computes a number from the bytes of the key, divides it by
# the number of partitions, and takes the remainder.
# The brokers store the record where they are told to.
#
# You can compute it too.
# The number is a hash called *murmur2*, and kafka-python ships it:

# %% id="partition-of"
from kafka.partitioner.default import murmur2


def partition_of(key, partitions=3):
    """The partition that a producer picks for a key: its hash, made positive, modulo the count."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


partition_of("C-00042")
# > 0

# %% [markdown]
# `& 0x7FFFFFFF` drops the sign: in Java, where the rule comes from, the hash may be negative
# ([`BuiltInPartitioner.partitionForKey`](https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/clients/producer/internals/BuiltInPartitioner.java)).
#
# > **Predict.**
# > Compute the partition of all 10,000 orders by hand, so to speak, and compare.
# > In how many cases do you and the cluster disagree?

# %%
computed = landed["key"].map(partition_of)
int((computed != landed["partition"]).sum())
# > 0

# %% [markdown]
# No magic is left.
# Whoever knows the key and the number of partitions knows the partition, without asking anyone.
#
# Two things follow.
# A producer with another hash puts the same key elsewhere, and
# [librdkafka](https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md)
# has another one unless you set `partitioner=murmur2_random`.
# And when the *number of partitions* changes, keys move: lesson 11 shows the damage.

# %% [markdown]
# ## Why so uneven?
#
# > **Predict.**
# > Is the hash to blame, or are the customers?
# > Count customers for each partition, instead of orders.

# %%
landed.groupby("partition")["key"].nunique().to_dict()
# > {0: 530, 1: 532, 2: 542}

# %% [markdown]
# The hash spreads the *customers* well.
# But look at who orders most, and where that lands:

# %%
landed.groupby(["key", "partition"]).size().nlargest(6).rename("orders").reset_index()

# %% [markdown]
# A few busy customers weigh as much as hundreds of others, and each weighs on one partition.
# Such a partition is called **hot**.
# With the order's id as key nobody would be that busy:

# %%
by_order = pd.Series([partition_of(order.order_id) for order in orders])
by_order.value_counts().sort_index().to_dict()
# > {0: 3344, 1: 3389, 2: 3267}

# %% [markdown]
# Better spread, and worse in another way: the orders of one customer would be in three logs, and
# nobody could tell any more in which order they were placed.
# You choose the key for what has to stay in order.
# The spread comes second.

# %% [markdown]
# ## Offsets
#
# > **Predict.**
# > 10,000 records are in the topic.
# > What is the highest offset?

# %%
int(landed["offset"].max())
# > 3923

# %% [markdown]
# Not 9,999.
# Each partition counts for itself, from 0:

# %%
landed.groupby("partition")["offset"].agg(["min", "max", "count"])

# %% [markdown]
# An offset alone is no address.
# Here are all records at offset 0:

# %%
landed[landed["offset"] == 0]

# %% [markdown]
# The cluster tells where each partition begins, and the offset its next record will get:

# %%
partitions = [TopicPartition(TOPIC, number) for number in sorted(leaders)]


def edges():
    """Where each partition begins, and where its next record will go."""
    with KafkaConsumer(**address, group_id=None) as consumer:
        begin = consumer.beginning_offsets(partitions)
        end = consumer.end_offsets(partitions)
    return {tp.partition: (begin[tp], end[tp]) for tp in partitions}


edges()
# > {0: (0, 3924), 1: (0, 3520), 2: (0, 2556)}

# %% [markdown]
# Every record that was acknowledged is in there, no more and no less:

# %%
sum(end - begin for begin, end in edges().values()), len(acks)
# > (10000, 10000)

# %% [markdown]
# ## Never used twice
#
# Old records get deleted one day, and deleting starts at the oldest.
# We will not wait for the day.
# `delete_records` moves the beginning of a partition to an offset of our choice
# ([KIP-204](https://cwiki.apache.org/confluence/display/KAFKA/KIP-204+%3A+Adding+records+deletion+operation+to+the+new+Admin+Client+API)).
#
# > **Predict.**
# > We delete everything in partition 2, then send one more order there.
# > Which offset does it get?

# %% id="delete-all"
begin, end = edges()[2]
cluster.admin.delete_records({partitions[2]: end}, timeout_ms=10_000)
edges()[2]
# > (2556, 2556)

# %%
key = next(key for key in landed["key"] if partition_of(key) == 2)

with KafkaProducer(**address, **safely) as producer:
    newest = producer.send(TOPIC, key=key.encode(), value=b"one more").get(timeout=10)

newest.partition, newest.offset
# > (2, 2556)

# %% [markdown]
# The log was empty, and still it went on counting where it was.
# **No record gets the offset of an older one**, so whoever wrote down an address can trust it:
# there is this record, or no record any more, but never another one.
#
# It also means that an offset counts nothing.
# What lies there now is the *only* record of its partition.
#
# There is one exception, and lesson 13 provokes it.
# Without `acks="all"`, a leader may die before anyone has copied its last records.
# They are lost, and the next leader gives their offsets to others.

# %% [markdown]
# ## Exercise 1: one record for each partition
#
# Here is an empty topic with three partitions.
# Send records into it until each partition has at least one.
# Choose *keys* for that, and do not pass `partition=` to `send`.

# %% id="ch03-one-each" tags=["exercise"]
EMPTY = cluster.create_topic("exercise-03", **shape)

with KafkaProducer(**address, **safely) as producer:
    ...  # your lines here

# %% id="ch03-one-each-check" tags=["check"]
with KafkaConsumer(
    **address,
    group_id=None,
    auto_offset_reset="earliest",
    consumer_timeout_ms=10_000,
) as consumer:
    consumer.assign([TopicPartition(EMPTY, number) for number in range(3)])
    count = sum(consumer.end_offsets(consumer.assignment()).values())
    records = [next(consumer) for _ in range(count)]

filled = {record.partition for record in records}
keys = [record.key.decode() if record.key else None for record in records]
if not records:
    print("Not attempted yet: the topic exercise-03 is empty.")
else:
    assert None not in keys, "There is a record without a key, and that lands where chance wants."
    placed = all(partition_of(record.key.decode()) == record.partition for record in records)
    assert placed, "There is a record that its key would not have put where it is."
    assert len(filled) == 3, f"Only partitions {sorted(filled)} hold a record."
    print("Correct: your keys reach all three partitions.")
# > Not attempted yet: the topic exercise-03 is empty.

# %% [markdown]
# <details><summary>A hint</summary>
#
# `partition_of` tells of any key where it will land, before you send it.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# Try `key-0`, `key-1`, `key-2` and so on, and keep one key for each partition.
#
# </details>

# %% id="ch03-one-each-keyless" tags=["mutant"]
with KafkaProducer(**address, **safely) as producer:
    for _ in range(100):  # "without a key they go round in turn"
        producer.send(EMPTY, value=b"here I am")
# > There is a record without a key

# %% id="ch03-one-each-forced" tags=["mutant"]
EMPTY = cluster.create_topic("exercise-03", **shape)
with KafkaProducer(**address, **safely) as producer:
    for partition in range(3):
        producer.send(EMPTY, key=b"key", value=b"here I am", partition=partition)
# > There is a record that its key would not have put where it is.

# %% id="ch03-one-each-one-key" tags=["mutant"]
EMPTY = cluster.create_topic("exercise-03", **shape)
with KafkaProducer(**address, **safely) as producer:
    for _ in range(3):  # "a key is only a label"
        producer.send(EMPTY, key=b"key", value=b"here I am")
# > Only partitions

# %% id="ch03-one-each-solution" tags=["solution"]
EMPTY = cluster.create_topic("exercise-03", **shape)
keys = {partition_of(f"key-{n}"): f"key-{n}" for n in range(20)}

with KafkaProducer(**address, **safely) as producer:
    for key in keys.values():
        producer.send(EMPTY, key=key.encode(), value=b"here I am")

# %% [markdown]
# ## Exercise 2: a fourth partition
#
# Suppose that the topic had four partitions instead of three.
# How many of the 10,000 orders would be in *another* partition than now?
# Guess first, then compute it and put the number into `moved`.

# %% id="ch03-moved" tags=["exercise"]
moved = None

# %% id="ch03-moved-check" tags=["check"]
if moved is None:
    print("Not attempted yet: `moved` is None.")
else:
    differ = landed["key"].map(partition_of) != landed["key"].map(lambda key: partition_of(key, 4))
    assert moved != sum(~differ), "That many stay where they are."
    assert moved == sum(differ), f"It is not {moved}. Compare both partitions of each key."
    print(f"Correct: {moved / len(landed):.0%} would move, to gain one partition.")
# > Not attempted yet: `moved` is None.

# %% [markdown]
# <details><summary>A hint</summary>
#
# `partition_of(key, 4)` is where a key would land, `landed["partition"]` is where it is.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `landed["key"].map(lambda key: partition_of(key, 4))` is a column: compare it with the other.
#
# </details>

# %% id="ch03-moved-stayed" tags=["mutant"]
moved = int((landed["key"].map(lambda key: partition_of(key, 4)) == landed["partition"]).sum())
# > That many stay where they are.

# %% id="ch03-moved-a-quarter" tags=["mutant"]
moved = len(landed) // 4  # "only what the new partition gets"
# > It is not 2500.

# %% id="ch03-moved-solution" tags=["solution"]
moved = int((landed["key"].map(lambda key: partition_of(key, 4)) != landed["partition"]).sum())

# %% [markdown]
# ## Exercise 3: by address
#
# Which customer's order lies at offset 1000 of partition 1?
# Ask the *cluster*: `assign` and `seek`, as in lesson 00.
# Put the record into `found`.

# %% id="ch03-address" tags=["exercise"]
found = None

with KafkaConsumer(**address, group_id=None, consumer_timeout_ms=10_000) as consumer:
    ...  # your lines here

# %% id="ch03-address-check" tags=["check"]
if found is None:
    print("Not attempted yet: `found` is None.")
else:
    place = (found.partition, found.offset)
    assert place == (1, 1000), f"This record lies at partition, offset {place}."
    sent = landed[(landed["partition"] == 1) & (landed["offset"] == 1000)]
    assert [found.key.decode()] == list(sent["key"]), "This is not what was acknowledged there."
    print(f"Correct: customer {found.key.decode()}, as the acknowledgement said.")
# > Not attempted yet: `found` is None.

# %% [markdown]
# <details><summary>A hint</summary>
#
# `partitions[1]` is partition 1 of the topic, and the two methods are those of lesson 00.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `consumer.assign([partitions[1]])`, then `consumer.seek(partitions[1], 1000)`.
#
# </details>

# %% id="ch03-address-topic-wide" tags=["mutant"]
with KafkaConsumer(**address, group_id=None, consumer_timeout_ms=10_000) as consumer:
    consumer.assign(partitions)
    for partition in partitions:  # "offset 1000 is one place in the topic"
        consumer.seek(partition, 1000)
    found = next(record for record in consumer if record.partition != 1)
# > This record lies at partition, offset (

# %% id="ch03-address-solution" tags=["solution"]
with KafkaConsumer(**address, group_id=None, consumer_timeout_ms=10_000) as consumer:
    consumer.assign([partitions[1]])
    consumer.seek(partitions[1], 1000)
    found = next(consumer)

# %% [markdown]
# ## Three questions

# %% [markdown]
# **1. Two records have the offset 17.**
#
# <details><summary>One of them is a duplicate.</summary>
#
# No.
# Three records had the offset 0 above, and each was another order.
#
# </details>
# <details><summary>They are in different partitions, or in different topics.</summary>
#
# Yes.
# Only topic, partition and offset together are an address.
#
# </details>
# <details><summary>The later one has replaced the earlier.</summary>
#
# No.
# A log only grows at its end, and each new record gets the next offset.
#
# </details>

# %% [markdown]
# **2. Who chooses the partition of a record that has a key?**
#
# <details><summary>The controller, so that all brokers have the same work.</summary>
#
# No.
# Then the three bars of the chart would be equally high.
#
# </details>
# <details><summary>The leader of the topic.</summary>
#
# No.
# Partitions have leaders, topics do not, and leaders store what they are sent.
#
# </details>
# <details><summary>The producer, from the bytes of the key and the number of partitions.</summary>
#
# Yes.
# That is why you could compute it 10,000 times and be right each time.
#
# </details>

# %% [markdown]
# **3. A partition's next offset is 5,000. How many records are in it?**
#
# <details><summary>5,000.</summary>
#
# Not necessarily.
# Partition 2 was empty above, and its next offset was still far from 0.
#
# </details>
# <details><summary>5,001, since offsets start at 0.</summary>
#
# No.
# The first record has offset 0, and the 5,000th has 4,999.
#
# </details>
# <details><summary>At most 5,000.</summary>
#
# Yes.
# The beginning may have moved, and later lessons leave holes in the middle too.
#
# </details>

# %% [markdown]
# ## What Kafka calls this
#
# | word | what it is | where you met it |
# |---|---|---|
# | key | the bytes that decide the partition | `order.customer_id` |
# | partitioner | the part of a producer that computes it | `partition_of` |
# | offset | a record's place in its partition | `landed["offset"]` |
# | log start offset | where a partition begins now | `beginning_offsets` |
# | log end offset | the offset that the next record gets | `end_offsets` |
# | hot partition | one with far more work than the others | the highest bar |
# | acknowledgement | the answer to a `send`: partition and offset | `acks` |

# %% [markdown]
# ## Clean up
#
# This notebook lets go of the cluster.
# When nobody else holds it, no other notebook and no JupyterLab, the four processes end, and the
# records go with them.

# %% id="cleanup" tags=["cleanup"]
cluster.stop()
cluster
