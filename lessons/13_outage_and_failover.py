# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 13 · Outage and failover
#
# After this lesson you can
#
# - say how long nobody can write when a leader is stopped, killed or frozen, and why,
# - lose exactly 50 acknowledged records on purpose, and prevent it with one setting,
# - recognise an old leader that does not know that it is one.
#
# **Time** 40 minutes.
# **You need** lesson 12.

# %% [markdown]
# ## Why
#
# Brokers go away: for an update, for lack of memory, because somebody trips over a cable.
# Each time another broker has to take over what the lost one led.
#
# Two things are then at stake: *time*, in which nobody can write, and *records*, that somebody was
# told were safe.
# You will measure both, on a cluster that you break yourself.

# %% id="start" tags=["setup"]
import time
from contextlib import suppress

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from eventlab import Cluster, charts, faults, history, observe

TOPIC = "orders-13"
cluster = Cluster.start()
if "kill" not in cluster.can:
    print("This cluster is not yours to break: the lesson goes on on one of its own.")
    cluster = Cluster.start("breakable", backend="embedded")
cluster.create_topic(TOPIC, partitions=1, replication_factor=3, min_insync_replicas=2, fresh=True)

# %% [markdown]
# ## A producer that is awake when it matters
#
# A client that cannot connect tries again, and doubles the pause each time.
# In kafka-python the pause may grow to 30 seconds
# ([`reconnect_backoff_max_ms`](https://kafka-python.readthedocs.io/en/master/apidoc/KafkaProducer.html)).
# The new leader may be there, and the producer still asleep.
# So these producers look again five times a second.
#
# And `request_timeout_ms` is how long a producer waits for a broker that *says nothing*.

# %%
awake = {
    "bootstrap_servers": cluster.bootstrap_servers,
    "reconnect_backoff_max_ms": 200,
    "request_timeout_ms": 4_000,
    "delivery_timeout_ms": 60_000,
    "max_block_ms": 10_000,
}
safely = {"acks": "all", "enable_idempotence": True}
riskily = {"acks": 1, "enable_idempotence": False}

# %% [markdown]
# ## Three ways to go
#
# - **Stopped** (`SIGTERM`): the broker is asked to end, and may put its things in order.
# - **Killed** (`SIGKILL`): it is gone, and its connections with it.
# - **Frozen** (`SIGSTOP`): it does nothing, but its connections stay open.
#   A machine that swaps, or a long pause of the garbage collector, looks like this from outside.
#
# The next function breaks the leader in one of these ways, and sends a record while it is broken:


# %% id="wait-for-ack"
def wait_for_ack(fault):
    """Send a record while the leader is broken; return the seconds until it is acknowledged."""
    with KafkaProducer(**safely, **awake) as producer:
        producer.send(TOPIC, b"before").get(timeout=10)
        with fault(cluster, TOPIC):
            begun = time.monotonic()
            producer.send(TOPIC, b"meanwhile").get(timeout=30)
            return time.monotonic() - begun


# %% [markdown]
# > **Predict.**
# > In this cluster a broker that is not heard of for 3 seconds counts as dead
# > ([`broker.session.timeout.ms`](https://kafka.apache.org/44/configuration/broker-configs/#brokerconfigs_broker.session.timeout.ms)).
# > How long will the record wait when the leader is stopped?
# > Killed?
# > Frozen?

# %%
seen = observe.watch(cluster, TOPIC, every=0.2)

# %% id="three-ways"
waited = {}
for fault in (faults.leader_stopped, faults.leader_killed, faults.leader_frozen):
    waited[fault.__name__] = wait_for_ack(fault)
    seen.wait_until(lambda now: len(now["isr"][0]) == 3)

{name: f"{seconds:.2f} s" for name, seconds in waited.items()}

# %%
print("stopping was the shortest:", min(waited, key=waited.get) == "leader_stopped")
# > stopping was the shortest: True

# %% [markdown]
# - A leader that is **stopped** hands over first and ends then, so hardly anyone notices
#   ([graceful shutdown](https://kafka.apache.org/44/operations/basic-kafka-operations/#graceful-shutdown)).
# - One that is **killed** tells nobody.
#   The controller waits for its heartbeats until the session is over, and then elects another.
# - One that is **frozen** is missed just as late.
#   But the producer's connection to it is still there, and nobody says no on it.
#   So the producer waits for its own `request_timeout_ms`, here 4 seconds, before it looks around.
#   The default is 30.

# %% [markdown]
# ## A picture of it

# %%
seen.stop()
states, told = seen.frame(), faults.frame(cluster)
takeovers = charts.leadership(states, faults=told)
takeovers

# %%
charts.describe(takeovers)

# %% [markdown]
# Each thick bar is a broker that leads.
# The dashed line is the moment of the fault, and the shade lasts until it was mended.
# Where a bar goes on behind a dashed line, the cluster believes in a leader that does not answer.
# **That stretch is the outage.**
#
# With each election the number of the **epoch** rises:

# %%
states.drop_duplicates("leader_epoch")[["time", "leader", "leader_epoch", "isr"]]

# %% [markdown]
# The epoch is how brokers tell old from new.
# The frozen leader woke up and took itself for the leader still.
# But whatever it wanted to say, it said with an old epoch, and the others no longer listen to that
# ([KIP-320](https://cwiki.apache.org/confluence/display/KAFKA/KIP-320%3A+Allow+fetchers+to+detect+and+handle+log+truncation)).

# %% [markdown]
# ## Who leads now?
#
# All brokers are back and in sync.
# The first of the `replicas` is the **preferred** leader: the one that led at first.
#
# > **Predict.**
# > It is well again.
# > Does it lead again?

# %%
now = observe.partitions(cluster, TOPIC).iloc[0]
print("the preferred one leads:", now["leader"] == now["replicas"][0])
# > the preferred one leads: False

# %% [markdown]
# A broker that comes back follows, and leads nothing
# ([balancing leadership](https://kafka.apache.org/44/operations/basic-kafka-operations/#balancing-leadership)).
# Somebody has to ask for the election of the preferred leaders, as the next cell does
# ([KIP-460](https://cwiki.apache.org/confluence/display/KAFKA/KIP-460%3A+Admin+Leader+Election+RPC)).
# Kafka does it by itself every five minutes
# ([`auto.leader.rebalance.enable`](https://kafka.apache.org/44/configuration/broker-configs/#brokerconfigs_auto.leader.rebalance.enable)),
# but in this lab that is off, so that leaders move only when *you* want it.

# %% id="preferred"
cluster.elect_preferred(TOPIC)
now = observe.partitions(cluster, TOPIC).iloc[0]

print("the preferred one leads:", now["leader"] == now["replicas"][0])
# > the preferred one leads: True

# %% [markdown]
# ## Who elects?
#
# The controller does.
#
# > **Predict.**
# > The controller is killed, and all brokers are well.
# > Can a producer still write?

# %%
with KafkaProducer(**safely, **awake) as producer:
    producer.send(TOPIC, b"before").get(timeout=10)
    with faults.controller_killed(cluster):
        sent = producer.send(TOPIC, b"nobody in charge").get(timeout=10)

print("acknowledged without a controller:", sent.offset > 0)
# > acknowledged without a controller: True

# %% [markdown]
# Who leads is known already, so nobody has to ask the controller.
# The producer was there before, and had its
# [producer id](https://cwiki.apache.org/confluence/display/KAFKA/KIP-730%3A+Producer+ID+generation+in+KRaft+mode).
# A *new* idempotent producer may have to wait: the ids come from the controller, in blocks,
# one for each broker.
#
# What cannot happen without it is an *election*: the controller
# [decides who leads](https://kafka.apache.org/44/design/design/#replica-management), and the next
# leader that dies is not replaced.
# That is why a cluster at work has three or five controllers, of which a
# [majority](https://kafka.apache.org/44/operations/kraft/#controllers) has to be alive.

# %% [markdown]
# ## Acknowledged means safe?
#
# Now for the records.
# Here is the worst moment for a leader to die: it has acknowledged what nobody else has copied yet.
# By chance it is rare.
# On purpose it goes like this:

# %% id="payments"
PAYMENTS = "payments-13"
shape = {"partitions": 1, "replication_factor": 3, "min_insync_replicas": 1}


def send(producer, numbers):
    """Send payments with these numbers; return their promises."""
    return [producer.send(PAYMENTS, b"payment %d" % number) for number in numbers]


# %% id="leader-dies"
def leader_dies(producer, seen):
    """Send 50 payments that nobody copies, kill the leader, let the followers go on."""
    with faults.followers_frozen(cluster, PAYMENTS):
        send(producer, range(50, 100))
        with suppress(KafkaTimeoutError):
            producer.flush(timeout=1)  # until all are acknowledged, or a second has passed
        dead = faults.leader_killed(cluster, PAYMENTS)
    with dead:
        send(producer, range(100, 150))
        producer.flush(timeout=30)


# %% [markdown]
# All between freezing and waking the followers happens within their session of 3 seconds.
# Nobody misses them, so they are in the ISR all the time, and one of them may lead.
#
# A **history** records what the producer was told, and afterwards compares it with the log.
# `story` puts both together:


# %% id="story"
def story(trouble, settings):
    """Send 50 payments that all brokers get, let trouble come; return the verdict."""
    run = history.record(f"payments with acks {settings['acks']}", cluster)
    cluster.create_topic(PAYMENTS, **shape, fresh=True)
    with observe.watch(cluster, PAYMENTS, every=0.2) as seen:
        with run.producer(KafkaProducer(**settings, **awake)) as producer:
            send(producer, range(50))
            seen.wait_until(lambda now: now["log_end_offset"][0] == 50)
            trouble(producer, seen)
        seen.wait_until(lambda now: len(now["isr"][0]) == 3)
        return run.verify(), seen.frame()


# %% [markdown]
# > **Predict.**
# > The producer sends 150 payments: 50 at first, 50 while the followers are frozen, 50 after the
# > leader's death.
# > With `acks=1`, how many are acknowledged?
# > How many are in the log at the end?
#
# (There will be a warning that no broker is left that answers: for a moment that is so.)

# %% id="acks-1"
risky, leaders = story(leader_dies, riskily)

# %%
risky.counts["acknowledged"], risky.counts["in_log"], risky.count("lost")
# > (150, 100, 50)

# %%
risky

# %% [markdown]
# All 150 were acknowledged, and exactly 50 of them are gone.
# No error anywhere: the producer, the brokers and the consumers find everything in order.
# Only someone who kept a list can tell.

# %%
where = charts.anomalies(risky.records())
where

# %%
charts.describe(where)

# %% [markdown]
# The log has no gap: the 50 were told offsets 50 to 99, and there is something at each of these.
# What is now at the address that the first lost payment was told?

# %%
observe.records(cluster, PAYMENTS, start=50, limit=1)["value"][0]
# > b'payment 100'

# %% [markdown]
# Another payment.
# The new leader knew nothing of the 50, and went on counting from what it had.
# When the old one came back, it cut off what the new one does not have, as a follower must
# ([KIP-101](https://cwiki.apache.org/confluence/display/KAFKA/KIP-101+-+Alter+Replication+Protocol+to+use+Leader+Epoch+rather+than+High+Watermark+for+Truncation)).

# %%
deadly = charts.leadership(leaders, faults=faults.frame(cluster))
deadly

# %%
charts.describe(deadly)

# %% [markdown]
# > **Predict.**
# > The same story with `acks="all"`, all else as it was, even `min.insync.replicas=1`.
# > How many payments are acknowledged in the end?
# > How many lost?

# %% id="acks-all"
safe, _ = story(leader_dies, safely)

# %%
safe.counts["acknowledged"], safe.counts["in_log"], safe.count("lost")
# > (150, 150, 0)

# %%
safe

# %% [markdown]
# The 50 in the middle were not acknowledged while the followers slept, since these were in the ISR.
# So the producer kept them, and sent them again to the new leader.
# Nothing is lost and, since the producer is idempotent, nothing is there twice.
#
# **Acknowledged means what `acks` says, and no more.**
# With `acks=1` it means that one broker had the record, once.

# %% [markdown]
# ## The leader that does not know
#
# A network can break in a way that is worse than death.
# The leader is cut off from all other brokers and from the controller, but clients still reach it.
# The others elect a new leader, and the old one never hears of it.
#
# > **Predict.**
# > The producer keeps its connection to the old leader, with `acks=1`.
# > It sends 50 payments *after* the new leader was elected.
# > Who acknowledges them?
# > What becomes of them when the network is mended?


# %% id="leader-isolated"
def leader_isolated(producer, seen):
    """Cut the leader off; when another one leads, send 50 payments to whom the producer knows."""
    old = seen.now["leader"][0]
    with faults.leader_isolated(cluster, PAYMENTS):
        seen.wait_until(lambda now: now["leader"][0] not in (-1, old))
        send(producer, range(50, 100))
        with suppress(KafkaTimeoutError):
            producer.flush(timeout=1)
    producer.flush(timeout=30)


# %% id="isolated-1"
risky, leaders = story(leader_isolated, riskily)

# %%
risky.counts["acknowledged"], risky.counts["in_log"], risky.count("lost")
# > (100, 50, 50)

# %% [markdown]
# For a while there were two leaders, one for the cluster and one for the producer.
# The old one acknowledged everything, and threw it away when it learned the truth.

# %%
divided = charts.leadership(leaders, faults=faults.frame(cluster))
divided

# %%
charts.describe(divided)

# %% [markdown]
# With `acks="all"` the old leader cannot acknowledge anything.
# It waits for followers that do not come, and to shrink the ISR it would need the controller:

# %% id="isolated-all"
safe, _ = story(leader_isolated, safely)

# %%
safe.counts["acknowledged"], safe.counts["in_log"], safe.count("lost")
# > (100, 100, 0)

# %% [markdown]
# ## Exercise 1: back to where it belongs
#
# The next cell restarts the preferred leader of `orders-13`, and another broker leads.
# Add a line that makes the preferred one lead again.

# %% id="ch13-preferred" tags=["exercise"]
preferred = observe.partitions(cluster, TOPIC)["replicas"][0][0]

with observe.watch(cluster, TOPIC, every=0.2) as seen:
    with faults.broker_stopped(cluster, preferred):
        seen.wait_until(lambda now: now["leader"][0] != preferred)
    seen.wait_until(lambda now: len(now["isr"][0]) == 3)

# your line here

# %% id="ch13-preferred-check" tags=["check"]
state = observe.partitions(cluster, TOPIC).iloc[0]
if state["leader"] != state["replicas"][0]:
    print("Not attempted yet: the preferred leader follows.")
else:
    assert state["leader_epoch"] > 0, "It leads, but in a new topic: the records are gone."
    assert len(state["isr"]) == 3, f"Only {state['isr']} are in sync."
    print("Correct: the preferred one leads, and all are in sync.")
# > Not attempted yet: the preferred leader follows.

# %% [markdown]
# <details><summary>A hint</summary>
#
# Coming back is not enough: somebody has to ask for the election.
# You have done it in *Who leads now?*
#
# </details>
# <details><summary>A stronger hint</summary>
#
# It is one line: `cluster.elect_preferred(...)`, with the name of the topic.
#
# </details>

# %% id="ch13-preferred-new-topic" tags=["mutant"]
cluster.create_topic(TOPIC, partitions=1, replication_factor=3, min_insync_replicas=2, fresh=True)
with observe.watch(cluster, TOPIC, every=0.2) as seen:  # "a new topic has the leader it should"
    seen.wait_until(lambda now: now["leader"][0] == now["replicas"][0][0])
# > It leads, but in a new topic: the records are gone.

# %% id="ch13-preferred-solution" tags=["solution"]
preferred = observe.partitions(cluster, TOPIC)["replicas"][0][0]

with observe.watch(cluster, TOPIC, every=0.2) as seen:
    with faults.broker_stopped(cluster, preferred):
        seen.wait_until(lambda now: now["leader"][0] != preferred)
    seen.wait_until(lambda now: len(now["isr"][0]) == 3)

cluster.elect_preferred(TOPIC)

# %% [markdown]
# ## Exercise 2: how long?
#
# `states` has what was seen of `orders-13`, and `told` the faults, in the order of time.
# How many seconds after the leader was killed was another broker first seen as leader?
# Compute it from the two frames, and put it into `seconds`.

# %% id="ch13-seconds" tags=["exercise"]
kill = told[told["fault"] == "leader killed"].iloc[-1]  # start, end, fault, target, nodes
seconds = None

# %% id="ch13-seconds-check" tags=["check"]
if seconds is None:
    print("Not attempted yet: `seconds` is None.")
else:
    [killed] = kill["nodes"]
    others = states[(states["time"] > kill["start"]) & (states["leader"] != killed)]
    truth = (others["time"].min() - kill["start"]).total_seconds()
    whole = (kill["end"] - kill["start"]).total_seconds()
    assert abs(seconds - whole) > 0.001, "This is until the broker was back, not until another led."
    assert abs(seconds - truth) < 0.001, (
        f"It is not {seconds}. Look at the first row after the kill."
    )
    print(f"Correct: {seconds:.1f} s, of which the session timeout is 3.")
# > Not attempted yet: `seconds` is None.

# %% [markdown]
# <details><summary>A hint</summary>
#
# Of the rows of `states` later than `kill["start"]`, which is the first with a leader that is not
# among `kill["nodes"]`?
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `states[(states["time"] > kill["start"]) & ~states["leader"].isin(kill["nodes"])]`: the `time` of
# its first row minus `kill["start"]`, and then `.total_seconds()`.
#
# </details>

# %% id="ch13-seconds-until-mended" tags=["mutant"]
kill = told[told["fault"] == "leader killed"].iloc[-1]
seconds = (kill["end"] - kill["start"]).total_seconds()
# > This is until the broker was back, not until another led.

# %% id="ch13-seconds-at-once" tags=["mutant"]
later = states[states["time"] > kill["start"]]  # "the election comes with the death"
seconds = (later["time"].iloc[0] - kill["start"]).total_seconds()
# > It is not

# %% id="ch13-seconds-solution" tags=["solution"]
kill = told[told["fault"] == "leader killed"].iloc[-1]
later = states[(states["time"] > kill["start"]) & ~states["leader"].isin(kill["nodes"])]
seconds = (later["time"].iloc[0] - kill["start"]).total_seconds()

# %% [markdown]
# ## Exercise 3: exactly seven
#
# Lose exactly 7 acknowledged payments.
# Write a trouble of your own, a function of `producer` and `seen`, and put what `story` returns
# for it into `verdict, frame`.

# %% id="ch13-seven" tags=["exercise"]
verdict = None


# %% id="ch13-seven-check" tags=["check"]
if verdict is None:
    print("Not attempted yet: `verdict` is None.")
else:
    lost = verdict.count("lost")
    assert verdict.counts["unknown"] == 0, "Some sends were never answered. Flush the producer."
    assert lost != 0, "Nothing is lost. Which acks did you use, and who was frozen?"
    assert lost == 7, f"{lost} are lost: those that were sent while the followers were frozen."
    print("Correct: 7 acknowledged, and gone.")
# > Not attempted yet: `verdict` is None.


# %% [markdown]
# <details><summary>A hint</summary>
#
# `leader_dies` loses 50, and the 50 are those that are sent while the followers are frozen.
# It is `riskily` that lets it happen.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# Copy `leader_dies` under another name, let its first `range` have 7 numbers, and write
# `verdict, frame = story(your_trouble, riskily)`.
#
# </details>

# %% id="ch13-seven-safely" tags=["mutant"]
verdict, frame = story(leader_dies, safely)  # "a killed leader loses what it had"
# > Nothing is lost.

# %% id="ch13-seven-fifty" tags=["mutant"]
verdict, frame = story(leader_dies, riskily)
# > 50 are lost: those that were sent while the followers were frozen.


# %% id="ch13-seven-solution" tags=["solution"]
def trouble(producer, seen):
    """Lose seven."""
    with faults.followers_frozen(cluster, PAYMENTS):
        send(producer, range(50, 57))
        producer.flush(timeout=1)
        dead = faults.leader_killed(cluster, PAYMENTS)
    with dead:
        send(producer, range(57, 60))
        producer.flush(timeout=30)


verdict, frame = story(trouble, riskily)

# %% [markdown]
# ## Three questions

# %% [markdown]
# **1. A leader is killed. Why does it take seconds until another one leads?**
#
# <details><summary>The new leader has to copy the records first.</summary>
#
# No.
# It is in the ISR, and has all that is committed.
#
# </details>
# <details><summary>The controller waits until the session of the broker is over.</summary>
#
# Yes.
# The election itself takes milliseconds, as the leader that was stopped shows.
#
# </details>
# <details><summary>The brokers vote until they agree.</summary>
#
# No.
# Brokers do not vote, the controller decides.
#
# </details>

# %% [markdown]
# **2. A producer with `acks=1` got its answer. What is certain?**
#
# <details><summary>The record is on one broker at least, until it is too old.</summary>
#
# No.
# It *was* on one broker.
# You lost 50 such records twice.
#
# </details>
# <details><summary>A broker that took itself for the leader had the record then.</summary>
#
# Yes.
# It need not even have been the leader.
#
# </details>
# <details><summary>Nothing at all.</summary>
#
# Not quite: that is `acks=0`, where nobody answers.
#
# </details>

# %% [markdown]
# **3. `acks="all"` and `min.insync.replicas=1`: can an acknowledged record be lost?**
#
# <details><summary>No, all means all.</summary>
#
# No.
# All of the *ISR*, and that may be the leader alone.
#
# </details>
# <details><summary>Yes, when the ISR has shrunk to the leader, and its disk dies.</summary>
#
# Yes.
# Above, the followers stayed in the ISR, since the freeze was short.
# `min.insync.replicas=2` refuses such a record instead of acknowledging it: lesson 12.
#
# </details>
# <details><summary>Yes, whenever a leader is killed.</summary>
#
# No.
# The leader was killed above, and all 150 were there.
#
# </details>

# %% [markdown]
# ## What Kafka calls this
#
# | word | what it is | where you met it |
# |---|---|---|
# | controlled shutdown | a broker hands its partitions over, then ends | `leader_stopped` |
# | broker session | how long a broker may be silent before it counts as dead | the 3 seconds |
# | fenced | not allowed to lead or serve, as a dead broker is | after the 3 seconds |
# | leader election | the controller names another replica in sync | the next thick bar |
# | leader epoch | the number of the election; an old one is not heard | `leader_epoch` |
# | preferred leader | the first of the replicas | `elect_preferred` |
# | truncation | a follower cuts off what its leader does not have | the 50 that were lost |

# %% [markdown]
# ## Clean up
#
# Nothing is broken any more: each fault ended with its `with`.
# This notebook lets go of the cluster.

# %% id="cleanup" tags=["cleanup"]
cluster.stop()
cluster
