# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 12 · Replication and acks
#
# After this lesson you can
#
# - say who has a record when it is acknowledged, and who can read it,
# - fill in a table of what works with three, two and one broker alive, and be right,
# - tell what `acks` and `min.insync.replicas` do, and what each of them does not.
#
# **Time** 35 minutes.
# **You need** lessons 00 and 03.

# %% [markdown]
# ## Why
#
# One broker can die, and its disk with it.
# So each partition is kept several times, and one setting of the producer says how many copies
# there have to be before you believe that a record is safe.
#
# Too few, and a record that was acknowledged can be gone.
# Too many, and one lame broker stops the shop.
# Most descriptions of these settings are wrong in one detail or another, so here you try them out.

# %% id="start" tags=["setup"]
import time

import pandas as pd
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from eventlab import Cluster, charts, faults, observe

TOPIC = "orders-12"
cluster = Cluster.start()
if "kill" not in cluster.can:
    print("This cluster is not yours to break: the lesson goes on on one of its own.")
    cluster = Cluster.start("breakable", backend="embedded")
cluster.create_topic(TOPIC, partitions=1, replication_factor=3, min_insync_replicas=2, fresh=True)

# %% [markdown]
# ## One leads, the others follow
#
# A single partition is enough to see everything.

# %%
state = observe.partitions(cluster, TOPIC)
state[["partition", "leader", "replicas", "isr", "log_end_offset"]]

# %% [markdown]
# - The **replicas** are the brokers that keep a copy: all three.
# - The **leader** takes what producers write.
# - The **followers** fetch from the leader, as consumers do, and append what they get.
# - The **ISR**, the in-sync replicas, are those that keep up: the leader, and each follower that
#   is heard of and has caught up with it lately
#   ([`replica.lag.time.max.ms`](https://kafka.apache.org/44/configuration/broker-configs/#brokerconfigs_replica.lag.time.max.ms)).

# %%
leader = state["leader"][0]
following = [node for node in state["replicas"][0] if node != leader]
len(following), len(state["isr"][0])
# > (2, 3)

# %% [markdown]
# ## Written is not yet readable
#
# With `acks=1` the leader answers as soon as it has the record itself.
# The next cell freezes both followers (`SIGSTOP`), so that they fetch nothing.
#
# > **Predict.**
# > The producer sends one record with `acks=1`.
# > Is it acknowledged?
# > Can a consumer read it?
#
# All settings are written out, as always in this workbook.
# `retries=0` makes a producer tell us the first answer it gets, good or bad; at work, leave it out.

# %%
bluntly = {
    "bootstrap_servers": cluster.bootstrap_servers,
    "enable_idempotence": False,
    "retries": 0,
    "request_timeout_ms": 10_000,
    "delivery_timeout_ms": 15_000,
    "max_block_ms": 10_000,
    "reconnect_backoff_max_ms": 200,
}

# %% id="followers-frozen"
with KafkaProducer(acks=1, **bluntly) as producer:
    producer.partitions_for(TOPIC)  # asks who leads, while every broker can answer
    with faults.followers_frozen(cluster, TOPIC):
        sent = producer.send(TOPIC, b"the first").get(timeout=10)
        frozen = observe.partitions(cluster, TOPIC)

# %%
int(sent.offset), int(frozen["log_end_offset"][0])
# > (0, 0)

# %% [markdown]
# Acknowledged, at offset 0.
# And the log ends at 0 for those who read, so there is nothing to read.
# (The warnings come from `observe`: the two frozen brokers did not answer it, of course.)
#
# Readers are shown only what **all replicas in the ISR** have
# ([replication](https://kafka.apache.org/44/design/design/#replication)).
# The offset up to which that is so is the **high watermark**.
# It is what Kafka's tools, and the column above, call the log end offset.
#
# The followers are awake again.
# As soon as they have fetched the record, the high watermark moves:

# %%
with observe.watch(cluster, TOPIC, every=0.2) as seen:
    caught_up = seen.wait_until(lambda now: now["log_end_offset"][0] == 1)

int(caught_up["log_end_offset"][0])
# > 1

# %% [markdown]
# Why hide it?
# Had the leader died while the followers slept, the record would have died with it, as you will see
# in lesson 13.
# A reader would have acted on something that never was.

# %% [markdown]
# ## All of whom?
#
# With `acks="all"` the leader answers when the high watermark has passed the record.
# The topic has `min.insync.replicas=2`.
#
# > **Predict.**
# > One of the two followers is frozen, and the producer sends with `acks="all"`.
# > The leader and the other follower have the record at once, and that makes two.
# > When does the answer come: at once, never, or some time later?
# > And the answer to a second record?


# %%
def followers(seen):
    """Wait until all three are in sync; return the two that do not lead."""
    now = seen.wait_until(lambda now: len(now["isr"][0]) == 3)
    return [node for node in now["isr"][0] if node != now["leader"][0]]


seen = observe.watch(cluster, TOPIC, every=0.2)
first, _ = followers(seen)

# %% id="one-frozen"
waited = []
with KafkaProducer(acks="all", **bluntly) as producer:
    producer.partitions_for(TOPIC)
    with faults.broker_frozen(cluster, first):
        for value in (b"the second", b"the third"):
            begun = time.monotonic()
            producer.send(TOPIC, value).get(timeout=30)
            waited.append(time.monotonic() - begun)
            seen.wait_until(lambda now: len(now["isr"][0]) == 2)

[f"{seconds:.2f} s" for seconds in waited]

# %%
print("the first waited longer:", waited[0] > waited[1])
# > the first waited longer: True

# %% [markdown]
# Two brokers had the first record within milliseconds, and `min.insync.replicas` is 2.
# Still the leader waited, since the frozen broker *was in the ISR*.
# After three seconds without a sign of life the controller took it out
# ([`broker.session.timeout.ms`](https://kafka.apache.org/44/configuration/broker-configs/#brokerconfigs_broker.session.timeout.ms),
# 9 seconds unless you change it), and the answer came.
# The second record found an ISR of two, and waited for nobody else.
#
# Look at the thin bar of the frozen broker.
# It ends when the broker is out of the ISR, and begins anew when it is in again:

# %%
for _ in range(4):  # four looks, so that there is something to see
    seen.wait_until(lambda now: len(now["isr"][0]) == 3)
seen.stop()
shrunk = charts.leadership(seen.frame(), faults=faults.frame(cluster))
shrunk

# %%
charts.describe(shrunk)

# %% [markdown]
# Two myths are gone.
#
# - *`acks="all"` waits for all replicas.*
#   It waits for all **in the ISR**, and the ISR shrinks.
# - *`min.insync.replicas` is the number of copies to wait for.*
#   Then the first answer would have come at once.
#
# What it is instead, the next table shows.

# %% [markdown]
# ## Three, two, one
#
# > **Predict.**
# > Fill in this table before you go on, on paper.
# > Each field is the fate of a record that is sent when so many brokers are alive: is it
# > *written* or *refused*, and if written, is it *readable*?
# >
# > | brokers alive | `acks=1` | `acks="all"` |
# > |---|---|---|
# > | 3 | | |
# > | 2 | | |
# > | 1 | | |
# >
# > The topic is the same: three replicas, `min.insync.replicas=2`.

# %%
reading = {
    "bootstrap_servers": cluster.bootstrap_servers,
    "group_id": None,
    "enable_auto_commit": False,
    "consumer_timeout_ms": 5_000,
    "reconnect_backoff_max_ms": 200,
}


# %% id="outcome"
def outcome(topic, acks):
    """Send a record, and try to read it; return what came of it."""
    try:
        with KafkaProducer(acks=acks, **bluntly) as producer:
            offset = producer.send(topic, b"an order").get(timeout=20).offset
    except KafkaError as error:
        return type(error).__name__
    with KafkaConsumer(**reading) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), offset)
        return "written, readable" if next(consumer, None) else "written, not readable"


# %% [markdown]
# Followers are stopped one after the other, in good order (`SIGTERM`), so that they leave the ISR
# at once.
# The leader stays: what happens when *it* goes is lesson 13.

# %% id="matrix"
seen = observe.watch(cluster, TOPIC, every=0.2)
first, second = followers(seen)
fates = pd.DataFrame(index=[3, 2, 1], columns=["acks=1", "acks=all"])
fates.loc[3] = outcome(TOPIC, 1), outcome(TOPIC, "all")

with faults.broker_stopped(cluster, first):
    fates.loc[2] = outcome(TOPIC, 1), outcome(TOPIC, "all")
    with faults.broker_stopped(cluster, second):
        fates.loc[1] = outcome(TOPIC, 1), outcome(TOPIC, "all")
        older = observe.records(cluster, TOPIC)
        alone = observe.partitions(cluster, TOPIC)

# %%
fates.rename_axis("brokers alive")

# %%
fates["acks=all"].to_dict()
# > {3: 'written, readable', 2: 'written, readable', 1: 'NotEnoughReplicasError'}

# %% [markdown]
# **`min.insync.replicas` is a condition for writing, not a number of copies to wait for.**
# When fewer replicas than that are in sync, the leader refuses a record sent with `acks="all"`
# ([`min.insync.replicas`](https://kafka.apache.org/44/configuration/topic-configs/#topicconfigs_min.insync.replicas)).
# The partition can then be read only.
#
# That is a third myth: that three replicas survive two failures.
# *Reading* does, as you will see below.
# *Writing* survives three minus two, one.

# %%
fates["acks=1"].to_dict()
# > {3: 'written, readable', 2: 'written, readable', 1: 'written, not readable'}

# %% [markdown]
# And a fourth: `min.insync.replicas` protects a topic from careless producers.
# It does not look at `acks=1` at all.
# The last record was acknowledged by a broker that is all alone.
#
# But nobody could read it, and that is new.
# On clusters made with Kafka 4.1 or later the high watermark does not move while fewer than
# `min.insync.replicas` are in sync
# ([eligible leader replicas](https://kafka.apache.org/44/operations/eligible-leader-replicas/)).
# To those who read it seems that their consumer hangs.
#
# All that was readable before stays so, from the one broker that is left:

# %%
len(older), int(alone["log_end_offset"][0])
# > (7, 7)

# %% [markdown]
# Three from the first half of this lesson, and four from the table.
#
# > **Predict.**
# > One record was acknowledged and is hidden, another was refused.
# > The followers have come back: how many records can be read now?

# %%
for _ in range(4):
    seen.wait_until(lambda now: len(now["isr"][0]) == 3)
seen.stop()
len(observe.records(cluster, TOPIC))
# > 8

# %% [markdown]
# The hidden one has come to light.
# The one that was refused is nowhere, and its producer knows it.

# %%
steps = charts.leadership(seen.frame(), faults=faults.frame(cluster))
steps

# %%
charts.describe(steps)

# %% [markdown]
# The leader led all the time, in the same epoch.
# The ISR went from three to one, and nobody had to bring it back: whoever catches up is in again.

# %% [markdown]
# ## Who may lead next?
#
# One more column was looked at while the leader was alone: the **eligible leader replicas**.

# %%
len(alone["isr"][0]), len(alone["elr"][0])
# > (1, 1)

# %% [markdown]
# The broker in there has left the ISR, and yet it has everything up to the high watermark, since
# that stood still from then on.
# So it could become leader without losing anything that anybody has read, should the last one die.
# It was stopped in good order: one that was killed may have lost the end of its log, and is not
# eligible when it comes back
# ([KIP-966](https://cwiki.apache.org/confluence/display/KAFKA/KIP-966%3A+Eligible+Leader+Replicas)).

# %% [markdown]
# ## Exercise 1: with two brokers down
#
# Create a topic `exercise-12` with one partition and three replicas that takes records with
# `acks="all"` even while two of its brokers are down.
# Change the line.

# %% id="ch12-two-down" tags=["exercise"]
shape = {"partitions": 1, "replication_factor": 3, "min_insync_replicas": 2}
cluster.create_topic("exercise-12", **shape, fresh=True)

# %% id="ch12-two-down-check" tags=["check"]
topics = cluster.topics().set_index("topic")
made = topics.loc["exercise-12"]
if (made["replication_factor"], made["min_insync_replicas"]) == (3, 2):
    print("Not attempted yet: exercise-12 is as it was.")
else:
    replicas, wanted = int(made["replication_factor"]), int(made["min_insync_replicas"])
    assert replicas == 3, f"It has {replicas} replicas, and should have 3."
    assert wanted == 1, f"With one broker left, it wants {wanted} in sync, and refuses."
    print("Correct. Now a record may be acknowledged that only one broker has: lesson 13.")
# > Not attempted yet: exercise-12 is as it was.

# %% [markdown]
# <details><summary>A hint</summary>
#
# How many replicas are there, how many are left, and how many have to be in sync?
# Only one of the three numbers in the line is wrong.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# With two brokers down one is left, so no more than one may be asked for.
#
# </details>

# %% id="ch12-two-down-one-replica" tags=["mutant"]
shape = {
    "partitions": 1,
    "replication_factor": 1,
    "min_insync_replicas": 1,
}  # "then none is missed"
cluster.create_topic("exercise-12", **shape, fresh=True)
# > It has 1 replicas, and should have 3.

# %% id="ch12-two-down-strict" tags=["mutant"]
shape = {"partitions": 1, "replication_factor": 3, "min_insync_replicas": 3}  # "more is safer"
cluster.create_topic("exercise-12", **shape, fresh=True)
# > With one broker left, it wants 3 in sync, and refuses.

# %% id="ch12-two-down-solution" tags=["solution"]
shape = {"partitions": 1, "replication_factor": 3, "min_insync_replicas": 1}
cluster.create_topic("exercise-12", **shape, fresh=True)

# %% [markdown]
# ## Exercise 2: as strict as can be
#
# Someone wants to be very safe, and sets `min.insync.replicas=3`.
# What becomes of a record with `acks="all"`, with three brokers and with two?
# Put the words of the table above into `strict`.
# The check does not compare it with a list, it tries it out.

# %% id="ch12-strict" tags=["exercise"]
strict = {3: None, 2: None}

# %% id="ch12-strict-check" tags=["check"]
if None in strict.values():
    print("Not attempted yet: there is a None in `strict`.")
else:
    shape = {"partitions": 1, "replication_factor": 3, "min_insync_replicas": 3}
    cluster.create_topic("strict-12", **shape, fresh=True)
    with observe.watch(cluster, "strict-12", every=0.2) as seen:
        now = seen.wait_until(lambda now: len(now["isr"][0]) == 3)
    found = {3: outcome("strict-12", "all")}
    follower = next(node for node in now["replicas"][0] if node != now["leader"][0])
    with faults.broker_stopped(cluster, follower):
        found[2] = outcome("strict-12", "all")
    for alive, fate in found.items():
        assert strict[alive] == fate, f"With {alive} brokers it is not {strict[alive]!r}. Why?"
    print("Correct: no broker may be missing, not even for a restart.")
# > Not attempted yet: there is a None in `strict`.

# %% [markdown]
# <details><summary>A hint</summary>
#
# `min.insync.replicas` is a condition on the size of the ISR.
# How large is the ISR with three brokers, and how large with two?
#
# </details>
# <details><summary>A stronger hint</summary>
#
# The table has both words: `"written, readable"` and `"NotEnoughReplicasError"`.
#
# </details>

# %% id="ch12-strict-waits-for-two" tags=["mutant"]
strict = {3: "written, readable", 2: "written, readable"}  # "all that are left have it"
# > With 2 brokers it is not 'written, readable'.

# %% id="ch12-strict-solution" tags=["solution"]
strict = {3: "written, readable", 2: "NotEnoughReplicasError"}

# %% [markdown]
# ## Exercise 3: who is in sync?
#
# Stop one follower of `orders-12`.
# While it is stopped, put the ISR of the partition into `isr`.
# `faults.broker_stopped` and `observe.partitions` are all you need.

# %% id="ch12-isr" tags=["exercise"]
with observe.watch(cluster, TOPIC, every=0.2) as seen:
    before = seen.wait_until(lambda now: len(now["isr"][0]) == 3)  # who leads, and who follows

isr = None

# %% id="ch12-isr-check" tags=["check"]
if isr is None:
    print("Not attempted yet: `isr` is None.")
else:
    states = {broker.state for broker in cluster.brokers.values()}
    assert "stopped" not in states, "A broker is still stopped: the end of a `with` would mend it."
    assert len(isr) < 3, f"All of {sorted(isr)} are in sync: nobody was stopped when you looked."
    assert len(isr) == 2, f"In sync were {sorted(isr)}. Stop one follower, not more."
    assert before["leader"][0] in isr, "You stopped the leader, and another broker leads now."
    print(f"Correct: brokers {sorted(isr)} were in sync, and the leader is one of them.")
# > Not attempted yet: `isr` is None.

# %% [markdown]
# <details><summary>A hint</summary>
#
# The fault is a block: what is inside happens while the broker is stopped.
# Which of the `replicas` in `before` is not the `leader`?
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `with faults.broker_stopped(cluster, follower):`, and in there
# `isr = observe.partitions(cluster, TOPIC)["isr"][0]`.
#
# </details>

# %% id="ch12-isr-nobody-stopped" tags=["mutant"]
isr = before["replicas"][0]  # "in sync are the replicas"
# > All of [1, 2, 3] are in sync: nobody was stopped when you looked.

# %% id="ch12-isr-leader-stopped" tags=["mutant"]
with faults.leader_stopped(cluster, TOPIC):  # "any broker will do"
    isr = observe.partitions(cluster, TOPIC)["isr"][0]
# > You stopped the leader, and another broker leads now.

# %% id="ch12-isr-solution" tags=["solution"]
with observe.watch(cluster, TOPIC, every=0.2) as seen:
    before = seen.wait_until(lambda now: len(now["isr"][0]) == 3)

follower = next(node for node in before["replicas"][0] if node != before["leader"][0])

with faults.broker_stopped(cluster, follower):
    isr = observe.partitions(cluster, TOPIC)["isr"][0]

# %% [markdown]
# ## Three questions

# %% [markdown]
# **1. RF 3, `min.insync.replicas=2`, all brokers well: who has a record sent with `acks="all"`?**
#
# <details><summary>Two brokers, when the answer comes.</summary>
#
# No.
# With one follower frozen, two had it, and the answer did not come.
#
# </details>
# <details><summary>Three brokers.</summary>
#
# Yes.
# All that are in the ISR, and with all brokers well that is all three.
#
# </details>
# <details><summary>One broker, the leader.</summary>
#
# No.
# That is `acks=1`.
#
# </details>

# %% [markdown]
# **2. Your topic has three replicas and must take `acks="all"` while any one broker is restarted.**
#
# <details><summary><code>min.insync.replicas=3</code>, the safest.</summary>
#
# No.
# Then each restart stops all writing, as exercise 2 shows.
#
# </details>
# <details><summary><code>min.insync.replicas=2</code>.</summary>
#
# Yes.
# One may be missing, and each acknowledged record is on two brokers at least.
#
# </details>
# <details><summary>It does not matter, since the ISR shrinks by itself.</summary>
#
# No.
# The ISR shrinks, and the condition on its size stays.
#
# </details>

# %% [markdown]
# **3. A producer with `acks=1` gets its answers, and the consumer of a new topic reads nothing.**
#
# <details><summary>The consumer is broken.</summary>
#
# Perhaps, but look at the ISR first.
# With `observe.partitions` that is one line.
#
# </details>
# <details><summary>The records are lost.</summary>
#
# Not yet.
# Above, the hidden record came to light as soon as the followers were back.
#
# </details>
# <details><summary>Perhaps fewer than <code>min.insync.replicas</code> are in sync.</summary>
#
# Yes.
# Then the high watermark stands still, and records behind it are shown to nobody.
#
# </details>

# %% [markdown]
# ## What Kafka calls this
#
# | word | what it is | where you met it |
# |---|---|---|
# | replica | a copy of a partition on a broker | `state["replicas"]` |
# | leader, follower | who takes writes, who fetches them from there | `leader`, `following` |
# | ISR | in-sync replicas: those that keep up | the thin bars |
# | high watermark | as far as the whole ISR has it, and readers see it | `log_end_offset` |
# | `acks` | how much has to happen before a producer gets its answer | `outcome` |
# | `min.insync.replicas` | how large the ISR must be for `acks="all"` | the refusal |
# | ELR | replicas that left the ISR and still have all up to the high watermark | `alone["elr"]` |

# %% [markdown]
# ## Clean up
#
# Nothing is broken any more: each fault ended with its `with`.
# This notebook lets go of the cluster.

# %% id="cleanup" tags=["cleanup"]
cluster.stop()
cluster
