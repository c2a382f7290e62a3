# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 00 · First light
#
# After this lesson you can
#
# - start a Kafka cluster, and say what each of its processes is for,
# - send a record, read it back, and point to the files that hold it,
# - explain why a client that is told one address ends up talking to another.
#
# **Time** 20 minutes.
# **You need** a little Python, and no Kafka at all.
#
# Run the cells from top to bottom with Shift+Enter.
# Where you see **Predict**, settle on an answer before you run the next cell.
# A guess that turns out wrong teaches more than a cell that just runs.

# %% [markdown]
# ## Why
#
# A shop takes an order.
# The warehouse, the bank and the newsletter all want to know.
#
# The shop could call each of them, one after the other.
# Then it waits for the slowest, fails with the weakest, and has to be changed for each newcomer.
#
# Or it writes down, once, what happened, in a place where everyone can read at their own pace.
# **Kafka is that place**: a log that several machines keep together, so that one of them may die.

# %% [markdown]
# ## A cluster of your own
#
# The next cell starts one, or joins the one that is running already.
# The first time ever this takes half a minute, later a few seconds.

# %% id="start" tags=["setup"]
from eventlab import Cluster

cluster = Cluster.start()
cluster

# %% [markdown]
# Four processes run now, each a real Kafka on a port of your machine, closed to the outside.
#
# - Three **brokers** keep records and answer clients.
# - One **controller** keeps the books: which brokers are alive, and who is in charge of what.
#
# Clients never need to know the controller.
# What they are told are the brokers:

# %%
cluster.bootstrap_servers.split(",")

# %% [markdown]
# ## A place to write
#
# Records live in **topics**.
# A topic is a name, and behind the name are **partitions**: the logs in which records really lie.
# This one has three, and each is kept on three brokers.

# %%
shape = {"partitions": 3, "replication_factor": 3, "min_insync_replicas": 2}
TOPIC = cluster.create_topic("first-light", **shape, fresh=True)
cluster.topics()

# %% [markdown]
# `fresh=True` deletes an older topic of that name first, so you can run this notebook again.
# Do leave it out at work.
#
# `create_topic` returns the topic's name: on a cluster that you share with others, yours begins
# with who you are.

# %% [markdown]
# ## Something to say
#
# The workbook comes with 10,000 orders of a small shop.
# Here is the first, as the bytes that will travel:

# %%
from eventlab.orders import read_orders

order = next(read_orders())
order.to_json()

# %% [markdown]
# Kafka does not know what an order is.
# To Kafka a record has a **key** and a **value**, and both are just bytes.
# What the bytes mean is between those who write and those who read.

# %% [markdown]
# ## Send it
#
# > **Predict.**
# > The topic is empty, and you send one record.
# > Kafka answers with three things that tell where the record lies.
# > The first is the topic; what might the other two be?

# %% id="first-send"
from kafka import KafkaProducer

address = cluster.client_config  # {"bootstrap_servers": ...}, and how to log in where one has to
safely = {"acks": "all", "enable_idempotence": True, "max_block_ms": 10_000}

with KafkaProducer(**address, **safely) as producer:
    key = order.customer_id.encode()
    sent = producer.send(TOPIC, key=key, value=order.to_json()).get(timeout=10)

sent.topic, sent.partition, sent.offset
# > ('first-light', 1, 0)

# %% [markdown]
# The **partition** says in which of the three logs, the **offset** at which place in that log.
# Logs are counted from 0, so yours is the first record there.
# Topic, partition and offset together are the record's address, for as long as it exists.
#
# What else happened in these lines:
#
# - `send()` only hands the record to a thread in the background.
#   It returns a promise, and `.get(timeout=10)` waits until the promise is kept.
# - `acks="all"` asks for the answer to come when all brokers that keep up with this partition have
#   the record, not just one
#   ([`acks`](https://kafka.apache.org/44/configuration/producer-configs/#producerconfigs_acks)).
# - `with` closes the producer, and closing sends whatever is still waiting.

# %% [markdown]
# ## Read it back
#
# A consumer that has never read a topic begins, unless told otherwise, with what comes *next*.
# `auto_offset_reset="earliest"` makes it begin with what is there.
# `consumer_timeout_ms` makes it give up instead of waiting for ever.

# %%
from kafka import KafkaConsumer

from_the_start = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "consumer_timeout_ms": 10_000,
}

# %% id="first-read"
with KafkaConsumer(TOPIC, **address, **from_the_start) as consumer:
    record = next(consumer)

record.partition, record.offset, record.key.decode()

# %% [markdown]
# The same address, the same key.
# And the value is, byte for byte, the order:

# %%
print("the same bytes:", record.value == order.to_json())
# > the same bytes: True

# %% [markdown]
# > **Predict.**
# > You have read the record.
# > What will a second consumer get: the record again, or nothing?

# %%
with KafkaConsumer(TOPIC, **address, **from_the_start) as consumer:
    second = next(consumer, None)

print("the record again:", second is not None and second.value == record.value)
# > the record again: True

# %% [markdown]
# **Reading takes nothing away.**
# Kafka is a log, not a queue: each reader keeps its own place in it, and the log does not care.
# Records go when they get too old, or when the log gets too large
# ([`retention.ms` and `retention.bytes`](https://kafka.apache.org/44/configuration/topic-configs/#topicconfigs_retention.ms)).

# %% [markdown]
# ## One address in, another one out
#
# For each partition, one broker is the **leader**: it alone takes what producers write
# ([replication](https://kafka.apache.org/44/design/design/#replication)).
# Ask the cluster who leads what, and pick a broker that does *not* lead our record's partition:

# %%
[topic] = cluster.admin.describe_topics([TOPIC])
leaders = {p["partition_index"]: p["leader_id"] for p in topic["partitions"]}
leader = cluster.brokers[leaders[sent.partition]]
other = next(b for b in cluster.brokers.values() if b.node_id != leader.node_id)
{"partition": sent.partition, "leader": leader.node_id, "we will tell the client": other.node_id}

# %% [markdown]
# > **Predict.**
# > A new producer is told the address of that one broker and no other.
# > To which address will it send the record?
#
# The operating system knows, since it keeps a list of all connections of this notebook:

# %%
import psutil


def connections():
    """The TCP connections of this notebook: the port at our end, the address at the other."""
    tcp = psutil.Process().net_connections("tcp")
    return {(c.laddr.port, f"{c.raddr.ip}:{c.raddr.port}") for c in tcp if c.raddr}


# %%
before = connections()
with KafkaProducer(**(address | {"bootstrap_servers": other.address}), **safely) as producer:
    producer.send(TOPIC, key=key, value=b"Is anybody there?").get(timeout=10)
    opened = {there for _, there in connections() - before}

print("told:  ", other.address)
print("leader:", leader.address)
print("opened:", ", ".join(sorted(opened)))

# %%
print("it went to the leader:", leader.address in opened)
# > it went to the leader: True

# %% [markdown]
# Nobody told the producer the leader's address, and there it is.
# The one you give is only for the first question: *who is in this cluster?*
# That is why the setting is called **bootstrap** servers.
# The answer is a list of addresses that the brokers themselves **advertise**:

# %%
import pandas as pd

pd.DataFrame(cluster.admin.describe_cluster()["brokers"])[["broker_id", "host", "port"]]

# %% [markdown]
# Remember this table when Kafka runs in a container and your client says that it cannot connect.
# The bootstrap address was right, or there would have been no answer.
# But the brokers advertised a name that means something only inside the container.
# The setting to look at is
# [`advertised.listeners`](https://kafka.apache.org/44/configuration/broker-configs/#brokerconfigs_advertised.listeners).

# %% [markdown]
# ## Where Kafka put it
#
# Each broker can tell in which folder it keeps its logs, on your disk or in its container.
#
# > **Predict.**
# > The record went to one broker, the leader.
# > In the folders of how many brokers is it now?

# %%
if cluster.backend == "external":
    print("The brokers' files are on machines of others: read on.")
for told in cluster.admin.describe_log_dirs([TOPIC]) if cluster.can else ():
    folder = f"{told['log_dirs'][0]['log_dir']}/{TOPIC}-{sent.partition}"
    log = cluster.brokers[told["broker"]].read(f"{folder}/{0:020}.log")
    print("broker", told["broker"], "has the order:", order.to_json() in log)
# > broker 1 has the order: True
# > broker 2 has the order: True
# > broker 3 has the order: True

# %% [markdown]
# All three: the other two **follow** the leader and copy what it writes.
# That is what `replication_factor=3` asked for, and what `acks="all"` waited for.
#
# And there is no magic in the file.
# It is named after the first offset in it, and our order stands there in plain text.

# %% [markdown]
# ## A picture
#
# One number for each partition says how far its log has got: the offset that the *next* record
# will have.

# %%
from kafka import TopicPartition

from eventlab import charts

with KafkaConsumer(**address, **from_the_start) as consumer:
    ends = consumer.end_offsets([TopicPartition(TOPIC, p) for p in leaders])

rows = [(tp.partition, leaders[tp.partition], end) for tp, end in ends.items()]
spread = charts.spread(pd.DataFrame(rows, columns=["partition", "leader", "records"]))
spread

# %%
charts.describe(spread)

# %% [markdown]
# Two records, both with the same key, both in the same partition.
# Chance, or a rule?
# Lesson 03 gets to the bottom of it, with all 10,000 orders.

# %% [markdown]
# ## Exercise 1: a record of your own
#
# Send a record to `first-light` with the key `b"me"` and a value of your choice.

# %% id="ch00-own-record" tags=["exercise"]
with KafkaProducer(**address, **safely) as producer:
    ...  # your line here

# %% [markdown]
# The next cell looks into the topic, not into your code.

# %% id="ch00-own-record-check" tags=["check"]
with KafkaConsumer(**address, **from_the_start) as consumer:
    consumer.assign([TopicPartition(TOPIC, p) for p in leaders])
    count = sum(consumer.end_offsets(consumer.assignment()).values())
    keys = [next(consumer).key for _ in range(count)]

if len(keys) <= 2:
    print("Not attempted yet: the topic holds what the lesson sent, and nothing else.")
else:
    assert b"me" in keys, f"There is a new record, but no key b'me': the keys are {set(keys)}."
    print("Correct: your record is in the log, and stays there.")
# > Not attempted yet: the topic holds what the lesson sent, and nothing else.

# %% [markdown]
# <details><summary>A hint</summary>
#
# `send` is what you need, as in *Send it*, and there it was told a topic, a key and a value.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `producer.send(TOPIC, key=..., value=...)`, and both are bytes: `b"..."`.
# The end of the `with` block waits until it has been sent.
#
# </details>

# %% id="ch00-own-record-swapped" tags=["mutant"]
with KafkaProducer(**address, **safely) as producer:
    producer.send(TOPIC, key=b"hello", value=b"me").get(timeout=10)
# > There is a new record, but no key b'me'

# %% id="ch00-own-record-solution" tags=["solution"]
with KafkaProducer(**address, **safely) as producer:
    producer.send(TOPIC, key=b"me", value=b"hello").get(timeout=10)

# %% [markdown]
# ## Exercise 2: straight to an address
#
# Whoever knows a record's address can go there without reading what lies before it.
# Read the record at offset 1 of the partition `sent.partition`, and put it into `found`.
#
# Two methods of the consumer do it:
# `assign([partition])` chooses what to read, and `seek(partition, offset)` where to begin.

# %% id="ch00-seek" tags=["exercise"]
found = None
partition = TopicPartition(TOPIC, sent.partition)

with KafkaConsumer(**address, **from_the_start) as consumer:
    ...  # your lines here

# %% id="ch00-seek-check" tags=["check"]
if found is None:
    print("Not attempted yet: `found` is None.")
else:
    assert found.partition == sent.partition, f"This is from partition {found.partition}."
    assert found.offset == 1, f"This is the record at offset {found.offset}, not at 1."
    print("Correct. It says:", found.value.decode())
# > Not attempted yet: `found` is None.

# %% [markdown]
# <details><summary>A hint</summary>
#
# A consumer that has been told with `assign` what to read can be told with `seek` where to go on.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `consumer.assign([partition])`, then `consumer.seek(partition, 1)`, then `next(consumer)`.
#
# </details>

# %% id="ch00-seek-from-one" tags=["mutant"]
partition = TopicPartition(TOPIC, sent.partition)

with KafkaConsumer(**address, **from_the_start) as consumer:
    consumer.assign([partition])
    found = next(consumer)  # "the first is number 1"
# > This is the record at offset 0, not at 1.

# %% id="ch00-seek-solution" tags=["solution"]
partition = TopicPartition(TOPIC, sent.partition)

with KafkaConsumer(**address, **from_the_start) as consumer:
    consumer.assign([partition])
    consumer.seek(partition, 1)
    found = next(consumer)

# %% [markdown]
# ## Three questions

# %% [markdown]
# **1. A consumer has read a record. Who can read it now?**
#
# <details><summary>Nobody: it has been delivered.</summary>
#
# No.
# That is how a queue works.
# You read the same record twice, above.
#
# </details>
# <details><summary>Everybody, until it is too old or the log too large.</summary>
#
# Yes.
# Reading changes nothing in the log.
#
# </details>
# <details><summary>The same consumer only.</summary>
#
# No.
# The second consumer knew nothing of the first, and got the record.
#
# </details>

# %% [markdown]
# **2. A client is told one address out of three, connects, and *then* this broker dies.**
#
# <details><summary>The client is cut off: it knows no other address.</summary>
#
# No.
# It knew all three as soon as the first question was answered.
#
# </details>
# <details><summary>The client goes on with the addresses that the brokers advertise.</summary>
#
# Yes.
# The address you give is
# [for the first question only](https://kafka.apache.org/44/configuration/producer-configs/#producerconfigs_bootstrap.servers).
# Give two or three all the same: with only one, and that one down when the client *starts*, there
# is nobody to ask.
#
# </details>
# <details><summary>The client asks the controller.</summary>
#
# No.
# Clients talk to brokers, and the controller was not in the table of advertised addresses.
#
# </details>

# %% [markdown]
# **3. `send()` has returned. Is the record stored?**
#
# <details><summary>Yes, that is what send means.</summary>
#
# No.
# It was handed to a thread in this process.
# If the process ended now, it would be gone.
#
# </details>
# <details><summary>Not yet: only when the promise that send returned is kept.</summary>
#
# Yes.
# `.get(timeout=10)` waits for it, and so do `flush()` and the end of the `with` block.
#
# </details>
# <details><summary>Yes, if acks is "all".</summary>
#
# No.
# `acks` says what the promise means, not that you have waited for it.
#
# </details>

# %% [markdown]
# ## What Kafka calls this
#
# | word | what it is | where you met it |
# |---|---|---|
# | broker | a process that keeps records and answers clients | nodes 1, 2 and 3 |
# | controller | the process that knows who is alive and who leads | node 100 |
# | record | key, value and a timestamp, at an address | `sent`, `record` |
# | topic | a name for some partitions | `first-light` |
# | partition | one log | `first-light-1`, a folder on disk |
# | offset | a record's place in its partition | `sent.offset` |
# | producer | the client that writes | `KafkaProducer` |
# | consumer | the client that reads | `KafkaConsumer` |
# | leader, follower | the broker that takes writes, the ones that copy | `leaders` |
# | bootstrap servers | the addresses for the first question | `cluster.bootstrap_servers` |
# | advertised listeners | the addresses in the answer | `describe_cluster()` |

# %% [markdown]
# ## Clean up
#
# This notebook lets go of the cluster.
# When nobody else holds it, no other notebook and no JupyterLab, the four processes end, and the
# records go with them.

# %% id="cleanup" tags=["cleanup"]
cluster.stop()
cluster
