# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 19 · Deploy and operate
#
# After this lesson you can
#
# - restart a whole cluster under load, say beforehand who will notice, and prove that nothing is
#   lost,
# - scale subscribers out and in, deploy a new version, and take it back,
# - say from its metrics alone whether a system is well, and write the alert that wakes somebody.
#
# **Time** 40 minutes.
# **You need** lessons 10, 12 and 16.

# %% [markdown]
# ## Why
#
# Until now the cluster ran so that you could learn from it.
# From now on somebody else depends on it, at night too.
#
# Brokers are updated, machines are replaced, a new version goes out on Friday and comes back on
# Saturday.
# A system that cannot be restarted while it works is restarted while it should work.

# %% id="start" tags=["setup"]
import json
import os
import re
import sqlite3
import sys
import time
from contextlib import ExitStack, closing
from itertools import count, pairwise
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.request import urlopen

# %%
import pandas as pd
from kafka import KafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from eventlab import Cluster, charts, faults, history, observe, programs
from eventlab.orders.background import running
from eventlab.orders.schedule import Schedule
from eventlab.waiting import wait_until

# %%
cluster = Cluster.start()
if cluster.name_of("orders") != "orders":
    print("Others use this cluster too: the shop and its topics get one of their own.")
    cluster = Cluster.start("shop", backend="embedded")
SERVERS = cluster.bootstrap_servers

# %% [markdown]
# Some of what follows breaks the cluster on purpose.
# That is not possible on every cluster: nobody lets you stop a broker of a bank.
# `able` says in a sentence what cannot be done to yours, and the lesson goes on.


# %% id="able"
def able(*verbs):
    """Say whether all of this can be done to the cluster; print what cannot."""
    missing = sorted(set(verbs) - cluster.can)
    if missing:
        print(f"This cluster does not let you do it: {', '.join(missing)}. Read on.")
    return not missing


ours = able("stop")


# %% [markdown]
# ## What is shipped
#
# An **image** is a file system with all that a program needs, and the command that starts it.
# It is built once, gets a name and a digest, and is pushed to a **registry**.
# Every machine pulls the same bytes from there, and a rollback is the name of the image before.
#
# A **container** is a process of it, with a file system and a network of its own.
# `docker-compose.yaml` lists those of one machine: Kafka, and the parts of the shop.
#
# ```console
# $ docker compose --profile orders up -d --wait   # until all are healthy
# $ docker compose ps                              # what there is, how it is
# $ docker compose logs -f subscriber
# $ docker compose --profile orders down           # --volumes: data too
# ```
#
# Here is the project's own.
#
# > **Predict.**
# > `docker compose up` without a profile starts four of these services.
# > Which, and what do the others wait for?

# %% id="compose"
import yaml

from eventlab.bundled import bundled

services = yaml.safe_load(bundled("docker-compose.yaml").read_text())["services"]
listed = {
    name: (each.get("profiles", ["always"])[0], ", ".join(each.get("depends_on", ())))
    for name, each in services.items()
}
pd.DataFrame(listed, index=["profile", "starts after"]).T

# %%
sorted(name for name, each in services.items() if "profiles" not in each)
# > ['broker-1', 'broker-2', 'broker-3', 'controller']

# %% [markdown]
# Kafka itself: the others are there when their **profile** is asked for.
# *Starts after* waits until those are **healthy**, not only started: each has a command or an
# address that says so.
#
# On more than one machine **Kubernetes** does the same and more: it decides where each container
# runs, and replaces what has died.
# You tell it what you *want*, and it works until that is so:
#
# ```console
# $ kubectl apply -n shop -k deploy/kubernetes/orders/v1
# $ kubectl rollout status -n shop deployment/shop-subscriber
# ```
#
# All of them need the same of a program, and none of it has to do with Kafka:
#
# - its settings come from the **environment**,
# - it says whether it is **well**, to whoever asks by HTTP,
# - it **ends** in good order when it gets `SIGTERM`, and survives `SIGKILL`.
#
# So here the parts of the shop run as what they are inside of every container: processes.

# %% id="settings"
folder = TemporaryDirectory()
SHOP, GROUP = f"{folder.name}/shop.db", f"shop-{time.time():.0f}"
os.environ |= {
    "EVENTLAB_SERVERS": SERVERS,
    "EVENTLAB_STORE": SHOP,
    "EVENTLAB_ORDERS_GROUP": GROUP,
}
shape = {"partitions": 3, "replication_factor": 3, "min_insync_replicas": 2, "fresh": True}
for topic in ("orders", "customers", "products", "orders-dlt"):
    cluster.create_topic(topic, **shape)

# %% [markdown]
# The topics of the shop begin anew with each run of this notebook.
#
# `deploy` starts a part of the shop under a name, `retire` ends it with `SIGTERM`, and `address`
# is where it answers.

# %% id="deploy"
from eventlab.cli import main

parts = {}


def orders(*words):
    """Do what `eventlab orders ...` does."""
    sys.exit(main(["orders", *words]))


def deploy(name, *words):
    """Start a part of the shop under this name, in place of the one that has it."""
    retire(name)
    parts[name] = programs.start(orders, *words)


def retire(name):
    """Ask the part of this name to end; return its exit code."""
    return parts.pop(name).stop() if name in parts else None


# %% id="address"
def address(name):
    """Wait until a part says where it answers; return that."""

    def said():
        return re.search(r"http://127.0.0.1:\d+", parts[name].said)

    return wait_until(said, 30, f"{name} does not say where it answers.").group()


deploy("a", "subscribe", "--metrics-port", "0")
deploy("relay", "relay", "--metrics-port", "0")
address("a"), address("relay")

# %% [markdown]
# ## Is it well?
#
# There are two questions, and they have different consequences
# ([probes](https://kubernetes.io/docs/concepts/workloads/pods/probes/)).
#
# - `/health/live`: does the process answer at all?
#   If not, it is **killed and started again**.
# - `/health/ready`: does what it needs answer too?
#   If not, it is **left alone**, and gets no work.


# %% id="ask"
def ask(name, path):
    """Ask a part something; return the status and what it answers."""
    try:
        with urlopen(address(name) + path, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as answer:
        return answer.code, answer.read().decode()


# %% id="health"
def health(name):
    """Ask a part whether it lives and is ready; return the two statuses, and what it needs."""
    live, _ = ask(name, "/health/live")
    status, needs = ask(name, "/health/ready")
    return live, status, json.loads(needs)


def ready(name):
    """Wait until a part is ready."""
    wait_until(lambda: health(name)[1] == 200, 30, lambda: f"{name}: {health(name)}", every=0.1)


# %%
ready("a")
ready("relay")
health("a")
# > (200, 200, {'status': 'pass', 'sql': True, 'kafka': True})

# %% [markdown]
# > **Predict.**
# > The way from clients to all three brokers is cut: no client reaches Kafka.
# > What does the relay answer to the two questions?
# > Should it be killed and started again?

# %% id="kafka-away"
with ExitStack() as cuts:
    if able("cut clients"):
        for node_id in cluster.brokers:
            cuts.enter_context(faults.clients_cut(cluster, node_id))
    away = health("relay")

away
# > (200, 503, {'status': 'fail', 'sql': True, 'kafka': False})

# %% [markdown]
# Alive, and not ready.
# A restart would not bring Kafka back: the process would come up, fail, and be started again, all
# parts of the shop at once, and when Kafka is back they all run into it together.
# **Whoever asks Kafka in the liveness probe turns one outage into two.**
#
# Left alone, it is ready as soon as Kafka is:

# %%
ready("relay")
health("relay")[1], retire("relay")
# > (200, 0)

# %% [markdown]
# The second number is the exit code after `SIGTERM`: it ended by itself, with what it had begun
# done.
# If that is not enough, Docker sends `SIGKILL` 10 seconds later, and Kubernetes after 30, unless
# you tell them otherwise.

# %% [markdown]
# ## A rolling restart
#
# A new version of Kafka, a setting, a patch of the kernel: each means that all brokers are
# restarted, one after the other, while the shop is open.
#
# Two topics, both with three replicas, differ in one number.
# You know it from lesson 12:

# %%
MIN_IN_SYNC = {"two-19": 2, "three-19": 3}

for topic, in_sync in MIN_IN_SYNC.items():
    cluster.create_topic(topic, **{**shape, "min_insync_replicas": in_sync})

# %% [markdown]
# And two producers write to each of them, all the time.
# All want `acks="all"`.
#
# - The **blunt** one does not try again: it shows us each refusal.
# - The **patient** one is how a producer should be: idempotent, and it tries for two minutes,
#   which is Kafka's default.
#
# (Each topic has its own two, since a request with records for both is answered when both are
# done.)

# %% id="producers"
awake = {
    **cluster.client_config,
    "acks": "all",
    "reconnect_backoff_max_ms": 200,
    "request_timeout_ms": 5_000,
    "delivery_timeout_ms": 120_000,
    "max_block_ms": 10_000,
}

# %% id="four-producers"
KINDS = {
    "blunt": {"enable_idempotence": False, "retries": 0},
    "patient": {"enable_idempotence": True},
}


def four_producers(run, clients):
    """Yield a blunt and a patient producer for each topic, with the topic; all are recorded."""
    for topic in MIN_IN_SYNC:
        for kind, settings in KINDS.items():
            producer = KafkaProducer(client_id=f"{kind}-{topic}", **awake, **settings)
            clients.callback(producer.close, timeout=60)
            yield run.producer(producer), topic


# %% [markdown]
# `load` lets each of them write 50 times a second.
# `under_load` does something to the cluster meanwhile, and returns the history of it, and what was
# seen of the replicas.


# %% id="load"
def load(run, clients):
    """Return a schedule on which the producers write; `clients` closes them."""
    numbers, producers = count(), list(four_producers(run, clients))

    def write():
        for producer, topic in producers:
            producer.send(topic, b"order %d" % next(numbers))

    return Schedule(0.02, write)


# %% id="under-load"
def under_load(do):
    """Do something under load; return the run, and the replicas of `two-19`."""
    run = history.record("load-19", cluster)
    watched = SERVERS if ours else cluster
    with ExitStack() as clients, observe.watch(watched, "two-19", every=0.1) as seen:
        schedule = load(run, clients)
        with running(schedule.run):
            seen.wait_until(lambda now: schedule.done > 50)
            do()
            seen.wait_until(lambda now: (now["isr"].map(len) == 3).all())
    return run, seen.frame()


# %% [markdown]
# > **Predict.**
# > Every broker is away for a second or two, one after the other, never two at a time.
# > Fill in this table on paper: how many of a hundred records fail, roughly?
# >
# > | | `two-19` (min.insync.replicas=2) | `three-19` (min.insync.replicas=3) |
# > |---|---|---|
# > | blunt | | |
# > | patient | | |
# >
# > And how many that were acknowledged are lost?


# %% id="roll"
def rolling():
    """Restart the brokers one after the other, if they are ours."""
    if ours:
        faults.rolling_restart(cluster)


run, replicas = under_load(rolling)


# %% id="sent"
def sent(run):
    """Return what was sent, with the seconds until it was answered."""
    table = run.sends()
    seconds = (table["answered"] - table["time"]).dt.total_seconds()
    return table.assign(seconds=seconds, producer=table["client"].str.split("-").str[0])


sends = sent(run)
failed = sends[sends["type"] != "ok"]
by_error = failed.groupby(["topic", "producer", "error"]).size()
by_error.rename("records").to_frame()

# %%
refused = failed[failed["error"] == "NotEnoughReplicasError"].groupby("topic").size()
print("patient failed:", int((failed["producer"] == "patient").sum()))
print("not enough replicas, with 2 and with 3:", refused.reindex(MIN_IN_SYNC).notna().tolist())
# > patient failed: 0
# > not enough replicas, with 2 and with 3: [False, True]

# %%
verdict = run.verify()
verdict.count("lost"), verdict.count("duplicate")
# > (0, 0)

# %%
verdict

# %% [markdown]
# **A rolling restart is not invisible at any setting.**
#
# - `min.insync.replicas=3` of three replicas: whenever any broker is away, *nobody* can write.
#   Three restarts are three outages.
# - With 2, the blunt producer sees a few `NotLeaderForPartition`: its record was on the way to a
#   broker that had just handed over.
#   The next try succeeds.
# - The patient producer sees no error.
#   Nothing is lost for anybody.
#
# But patience is paid in time.
# Here is when the records of the patient one were acknowledged:

# %%
patient = sends[sends["producer"] == "patient"]
restarts = faults.frame(cluster).tail(3) if ours else None
rates = charts.throughput(patient.assign(time=patient["answered"]), by="topic", faults=restarts)
rates

# %%
charts.describe(rates)

# %% [markdown]
# A shade begins when a broker is stopped, and ends when it is started again.
# The line of `three-19` is at zero from there until its replicas are in sync, and jumps then: all
# that has waited is written at once.
# How long had it waited?

# %%
waits = patient.groupby("topic")["seconds"].quantile([0.5, 0.99, 1.0]).unstack()
waits.rename(columns={0.5: "half within", 0.99: "99 % within", 1.0: "slowest"}).round(3)

# %%
waited = charts.latency(patient[patient["topic"] == "three-19"], faults=restarts)
waited

# %%
charts.describe(waited)

# %% [markdown]
# Each slope is a queue that nobody serves: who came first has waited longest.
# Where a slope goes on below a second restart, the time between the two was too short to write all
# that had waited.
#
# Somebody waits at the other end of each of these records.
# So decide beforehand what a restart may cost, as a number: a **budget**.
# "No error that reaches a customer, 99 of 100 within a second" is one.
# Which of the two topics keeps it?

# %% [markdown]
# ## Why the roll waits
#
# `rolling_restart` does more than restart: it stops the next broker only when no partition is
# **under-replicated** any more, that is, when every ISR is complete.

# %%
roll = charts.leadership(replicas, faults=restarts)
roll

# %%
charts.describe(roll)

# %% [markdown]
# A broker that is back is not back in the *ISR*: it has to fetch first what it has missed.
# Look at the end of each shade: the thin bar of the broker begins some time later.
#
# Who stops the next one within this moment has two of three out of sync, and
# `min.insync.replicas=2` refuses the writes.
# Kafka tells each broker's part of it as the metric `UnderReplicatedPartitions`
# ([monitoring](https://kafka.apache.org/44/operations/monitoring/)), and an operator such as
# [Strimzi](https://strimzi.io/docs/operators/latest/deploying) looks at the ISR before it restarts
# the next broker.
# A service that runs Kafka for you does so too, and may ask for
# [a `min.insync.replicas` below the number of replicas][msk].
#
# [msk]: https://docs.aws.amazon.com/msk/latest/developerguide/version-upgrades-best-practices.html


# %%
def most_missing(replicas):
    """Return the most replicas that any partition missed at once."""
    return int((replicas["replicas"].map(len) - replicas["isr"].map(len)).max())


print("never more than one missing:", most_missing(replicas) <= 1)
# > never more than one missing: True

# %% [markdown]
# ## Exercise 1: your rolling restart
#
# Write it yourself: each of `cluster.brokers` is restarted once (`.restart()`), nothing is refused
# on a topic with `min.insync.replicas=2`, and nobody is killed.
# The check runs it under the same load, and asks the producers and the cluster how it was.


# %% id="ch19-roll" tags=["exercise"]
def roll_all(cluster):
    """Restart all brokers, one after the other, so that only the impatient notice."""
    # your lines here


# %% id="ch19-roll-check" tags=["check"]
def overlapping(told):
    """Return the brokers that were away at the same time as the one before."""
    rows = told.sort_values("start").to_dict("records")
    return [b["nodes"] for a, b in pairwise(rows) if b["start"] < a["end"]]


if ours:
    before = len(faults.frame(cluster))
    run, replicas = under_load(lambda: roll_all(cluster))
    told = faults.frame(cluster).iloc[before:]
    restarted = {node for nodes in told["nodes"] for node in nodes}
    left = sorted(set(cluster.brokers) - restarted)
    if not restarted:
        print("Not attempted yet: no broker was restarted.")
    else:
        sends = sent(run)
        refused = sends["error"].eq("NotEnoughReplicasError") & sends["topic"].eq("two-19")
        slowest = sends.loc[sends["producer"] == "patient", "seconds"].max()
        assert not left, f"Not restarted: {left}."
        assert not told["fault"].str.contains("kill").any(), (
            f"A broker was killed: it handed nothing over, and a record waited {slowest:.1f} s."
        )
        assert not overlapping(told), f"Away while another one was: {overlapping(told)}."
        early = f"Too early: {most_missing(replicas)} replicas of one partition were missing, and "
        assert most_missing(replicas) < 2, f"{early}{refused.sum()} records were refused."
        assert not refused.any(), f"{early}{refused.sum()} records were refused."
        assert run.verify().count("lost") == 0, "Acknowledged records are gone."
        print("Correct: all brokers were restarted, and nothing was refused.")
else:
    print("Not attempted yet: this cluster is not yours to restart.")
# > Not attempted yet: no broker was restarted.

# %% [markdown]
# <details><summary>A hint</summary>
#
# `.restart()` returns when the broker is registered again, not when its replicas are in sync.
# What has to be true of `observe.partitions(cluster, "two-19")` before the next one?
#
# </details>
# <details><summary>A stronger hint</summary>
#
# After each restart, within `with observe.watch(cluster, "two-19", every=0.1) as seen:`, wait with
# `seen.wait_until(lambda now: (now["isr"].map(len) == 3).all())`.
#
# </details>


# %% id="ch19-roll-impatient" tags=["mutant"]
def roll_all(cluster):
    """Restart one when the last one "is up again"."""
    for broker in cluster.brokers.values():
        broker.restart()


# > Too early:


# %% id="ch19-roll-at-once" tags=["mutant"]
def roll_all(cluster):
    """Restart all, "as it is quicker"."""
    for broker in cluster.brokers.values():
        broker.stop()
    for broker in cluster.brokers.values():
        broker.start()


# > Away while another one was:


# %% id="ch19-roll-killed" tags=["mutant"]
def roll_all(cluster):
    """Kill and start: "they are replicated"."""
    for broker in cluster.brokers.values():
        broker.kill().start()


# > A broker was killed:


# %% id="ch19-roll-one" tags=["mutant"]
def roll_all(cluster):
    """Restart the one that leads."""
    cluster.brokers[observe.partitions(cluster, "two-19")["leader"][0]].restart()


# > Not restarted:


# %% id="ch19-roll-solution" tags=["solution"]
def roll_all(cluster):
    """Restart one broker after the other, each when all replicas are in sync again."""
    for broker in cluster.brokers.values():
        broker.restart()
        with observe.watch(cluster, "two-19", every=0.1) as seen:
            seen.wait_until(lambda now: (now["isr"].map(len) == 3).all())


# %% [markdown]
# ## Scale out, and in
#
# Brokers are restarted because they have to be.
# Subscribers are added because there is too much to do.
# The shop takes an event every fiftieth of a second from now on, and subscriber `a` is at work.
#
# > **Predict.**
# > The topics of the shop have three partitions each.
# > A second subscriber is started, a third and a fourth.
# > What does the fourth one do?

# %% id="scale"
deploy("shop", "schedule", "--every", "0.02")
members = observe.watch(cluster, observe.members, GROUP, every=0.1)
lags = observe.watch(cluster, observe.lag, GROUP, every=0.2)


def settled(n):
    """Wait until so many members share out the nine partitions of the three topics."""
    return members.wait_until(
        lambda now: len(now) == n and now["assignment"].map(len).sum() == 9, within=60
    )


settled(1)
for n, name in enumerate(("b", "c", "d"), 2):
    deploy(name, "subscribe", "--metrics-port", "0")
    full = settled(n)

# %%
print("partitions of each:", sorted(full["assignment"].map(len)))
# > partitions of each: [0, 3, 3, 3]

# %% [markdown]
# It is a member, and has nothing to do: it waits until another one dies.
# **The number of partitions is the most that a group can share out**, so they are counted when a
# topic is made (lesson 07).
#
# Now in again, and none of them is killed: each gets `SIGTERM`, commits what it has done, and
# leaves the group, so that nobody has to wait for its session to end.

# %% id="scale-in"
for n, name in ((3, "d"), (2, "c"), (1, "b")):
    retire(name)
    settled(n)
members.stop()


# %%
def owners(seen):
    """Return what `charts.assignment` wants: who got, and gave up, which partition of `orders`."""
    rows, before = [], {}
    for moment, now in seen.groupby("time"):
        who = zip(now["member_id"], now["assignment"], strict=True)
        after = {place: member for member, places in who for place in places}
        moved = [p for p in before | after if before.get(p) != after.get(p) and p[0] == "orders"]
        rows += [(moment, before[place], *place, False) for place in moved if place in before]
        rows += [(moment, after[place], *place, True) for place in moved if place in after]
        before = after
    return pd.DataFrame(rows, columns=["time", "process", "topic", "partition", "owned"])


# %%
table = owners(members.frame())
number = pd.factorize(table["process"])[0]
names = [f"subscriber {n + 1}" for n in number]
shared = charts.assignment(table.assign(process=number, client=names))
shared

# %%
charts.describe(shared)

# %% [markdown]
# Each change is a **rebalance**, and while it lasts nobody reads (the gaps).
# Meanwhile events come in, so the lag grows a little, and is worked off:

# %%
lags.stop()
behind = lags.frame().query("topic == 'orders'")
curve = charts.lag(behind)
curve

# %%
charts.describe(curve)

# %%
print("bounded:", behind.groupby("time")["lag"].sum().max() < 1000)
# > bounded: True

# %% [markdown]
# ## Watch it
#
# Nobody looks at charts at night.
# A [Prometheus](https://prometheus.io/docs/introduction/overview/) server asks each part every few
# seconds for its **metrics**, keeps them, and computes **alerts** from them.
# This is what it gets to read:

# %%
_, text = ask("a", "/metrics")
interesting = re.compile('handled|topic="orders"')
print(*filter(interesting.search, text.splitlines()), sep="\n")

# %% [markdown]
# A *counter* only grows (`_total`), a *gauge* is what it is now.
# `deploy/prometheus/orders.rules.yaml` says when somebody is to be woken.
# Three of its alerts are about reading:
#
# | alert | expression | for |
# |---|---|---|
# | `OrdersLagGrows` | a topic's lag is above 1000, and `deriv(...[5m]) > 0` | 5 minutes |
# | `OrdersLagStands` | a partition's lag is above 0, and `changes(...[10m]) == 0` | 10 minutes |
# | `OrdersNobodyReads` | `absent(kafka_consumergroup_group_lag)` | 5 minutes |
#
# Here are the first one, with numbers for a lesson, and the last one:


# %% id="alerts"
def scrape(name):
    """Return the lag of each partition of `orders`, as a part tells it."""
    _, text = ask(name, "/metrics")
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    lags = [s for s in samples if s.name == "kafka_consumergroup_group_lag"]
    return {s.labels["partition"]: s.value for s in lags if s.labels["topic"] == "orders"}


def lag_grows(earlier, later):
    """OrdersLagGrows: far behind, and ever farther."""
    return 30 < sum(later.values()) > sum(earlier.values())


# %% [markdown]
# The subscriber's database is the file `shop.db`.
# The next cell locks it, as a backup or a migration at the wrong hour would.
#
# > **Predict.**
# > The subscriber cannot write, and the shop goes on to sell.
# > Is the subscriber live?
# > Is it ready?
# > Which alert fires?

# %% id="locked"
with closing(sqlite3.connect(SHOP, isolation_level=None)) as other:
    other.execute("BEGIN IMMEDIATE")
    locked = []

    def fires():
        locked.append(scrape("a"))
        return len(locked) > 4 and lag_grows(locked[0], locked[-1])

    wait_until(fires, 30, "The lag does not grow.", every=0.2)
    state = health("a")[:2]
    other.execute("ROLLBACK")

print("fires:", lag_grows(locked[0], locked[-1]), "| live, ready:", state)
# > fires: True | live, ready: (200, 200)

# %%
wait_until(lambda: not lag_grows(locked[0], scrape("a")), 30, "It does not clear.", every=0.2)
print("cleared:", not lag_grows(locked[0], scrape("a")))
# > cleared: True

# %% [markdown]
# Live and ready: the process answers, the database can be *read*, and Kafka is there.
# And nothing got done.
# **Health says whether a part could work, lag says whether work gets done.**
#
# The alert cleared by itself when the lock was gone.
# That is what `for` is there for: nobody is woken for what is over in five minutes.
#
# > **Predict.**
# > Now the subscriber itself is stopped.
# > The lag grows as before.
# > Does `OrdersLagGrows` fire?

# %% id="silent"
metrics = address("a")
retire("a")


def silent(url=f"{metrics}/metrics"):
    """OrdersNobodyReads, `absent(...)`: there is no lag, of anybody."""
    try:
        return not urlopen(url, timeout=10)
    except OSError:
        return True


first = int(observe.lag(cluster, GROUP)["lag"].sum())
with observe.watch(cluster, observe.lag, GROUP, every=0.2) as seen:
    later = seen.wait_until(lambda now: now["lag"].sum() > first + 30)

print("the lag grows:", later["lag"].sum() > first, "| absent:", silent())
# > the lag grows: True | absent: True

# %% [markdown]
# It does not: who is dead does not tell its lag, and no number at all is not above 1000.
# `absent` is the alert for that, and `up == 0` the one for a process that does not answer.
# **For each alert on a number ask what it does when there is no number.**

# %%
deploy("a", "subscribe", "--metrics-port", "0")
ready("a")
with observe.watch(cluster, observe.lag, GROUP, every=0.2) as seen:
    caught_up = seen.wait_until(lambda now: now["lag"].sum() < 30)

print("caught up:", caught_up["lag"].sum() < 30)
# > caught up: True

# %% [markdown]
# ## Exercise 2: the alert
#
# `alarm(scrapes)` gets the last five scrapes of a group, oldest first.
# Each is a dictionary of partition and lag, or `None` when nobody answered.
# Write it, so that it is `True`
#
# - when some partition has a lag that has **never become smaller** in the five scrapes,
# - when the **last three** were not answered.
#
# And not when the group is well, or busy and catching up.
# The check tries it on days that every shop has seen, and on the scrapes of the locked database.


# %% id="ch19-alarm" tags=["exercise"]
def alarm(scrapes):
    """Say whether somebody has to be woken."""
    return False


# %% id="ch19-alarm-check" tags=["check"]
DAYS = {  # what it was: whether to wake somebody, and five scrapes
    "a quiet night": (False, [{"0": 0, "1": 0, "2": 0}] * 5),
    "a good day": (False, [{"0": n, "1": 5 - n, "2": n % 3} for n in (2, 5, 1, 4, 2)]),
    "catching up": (False, [{"0": 9000 - 900 * n, "1": 8000 - 900 * n, "2": 0} for n in range(5)]),
    "a lost scrape": (False, [{"0": 4, "1": 2}, None, {"0": 1, "1": 3}, None, {"0": 0, "1": 1}]),
    "one partition stuck": (True, [{"0": 9 - n, "1": 40, "2": n % 2} for n in range(5)]),
    "falling behind": (True, [{"0": 10 * n, "1": 20 * n + 1, "2": 5} for n in range(5)]),
    "nobody answers": (True, [{"0": 3, "1": 1}, {"0": 2, "1": 2}, None, None, None]),
    "the locked database": (True, locked[-5:]),
}

said = {day: bool(alarm(list(scrapes))) for day, (_, scrapes) in DAYS.items()}
if not any(said.values()):
    print("Not attempted yet: it never rings.")
else:
    false = [day for day, (wanted, _) in DAYS.items() if said[day] and not wanted]
    missed = [day for day, (wanted, _) in DAYS.items() if wanted and not said[day]]
    assert not false, f"It wakes somebody for nothing: {', '.join(false)}."
    assert not missed, f"It sleeps through: {', '.join(missed)}."
    print(f"Correct: of {len(DAYS)} days it rings on {sum(said.values())}, the right ones.")
# > Not attempted yet: it never rings.

# %% [markdown]
# <details><summary>A hint</summary>
#
# Look at each partition by itself: a sum hides the one that stands still behind those that move.
# And what does your code do with a `None` between two answers?
#
# </details>
# <details><summary>A stronger hint</summary>
#
# First `if scrapes[-3:] == [None] * 3: return True`.
# Then `told = [each for each in scrapes if each]`, and for each partition of `told[-1]` the list of
# its lags: it never became smaller when the list is sorted, and it counts when its last is not 0.
#
# </details>


# %% id="ch19-alarm-threshold" tags=["mutant"]
def alarm(scrapes):
    """More than 5,000 is "too much"."""
    return sum((scrapes[-1] or {}).values()) > 5_000


# > It wakes somebody for nothing: catching up.


# %% id="ch19-alarm-any-lag" tags=["mutant"]
def alarm(scrapes):
    """Nobody should be behind."""
    return scrapes[-1] is None or any(scrapes[-1].values())


# > It wakes somebody for nothing: a good day, catching up, a lost scrape.


# %% id="ch19-alarm-sum" tags=["mutant"]
def alarm(scrapes):
    """All in all it does not become less."""
    if scrapes[-3:] == [None] * 3:
        return True
    sums = [sum(each.values()) for each in scrapes if each]
    return sums[0] > 0 and sums == sorted(sums)


# > It sleeps through: one partition stuck


# %% id="ch19-alarm-silence" tags=["mutant"]
def alarm(scrapes):
    """Look at what was told."""
    told = [each for each in scrapes if each]
    lags = [[each.get(partition, 0) for each in told] for partition in told[-1]]
    return len(told) > 3 and any(each[0] > 0 and each == sorted(each) for each in lags)


# > It sleeps through: nobody answers.


# %% id="ch19-alarm-solution" tags=["solution"]
def alarm(scrapes):
    """Some partition does not get better, or nobody answers."""
    if scrapes[-3:] == [None] * 3:
        return True
    told = [each for each in scrapes if each]
    lags = [[each.get(partition, 0) for each in told] for partition in told[-1]]
    return any(each[-1] > 0 and each == sorted(each) for each in lags)


# %% [markdown]
# ## Deploy, and roll back
#
# Version 2 of the shop knows presents: `OrderCreated` gets a field, and there is a new type of
# event, *order wrapped*.
# It goes out at 14:00.
# At 14:10 something is wrong with it, and version 1 comes back.
#
# The program is gone, and its events stay: **a rollback does not roll back the log.**
# These two functions write what version 2 would:

# %% id="version-2"
from eventlab.orders import OrderCreated, encode, sample_orders

some = next(iter(sample_orders(1)))


def version_2(order_id):
    """An order with a field that version 1 does not know."""
    record = encode(OrderCreated(order_id, some.customer_id, some.items))
    told = json.loads(record.value)
    told["dataschema"] = told["dataschema"].replace("v1", "v2")
    told["data"]["present"] = True
    return record._replace(value=json.dumps(told).encode())


# %%
def new_type(order_id):
    """An event of which version 1 has never heard."""
    record = version_2(order_id)
    told = json.loads(record.value) | {"type": "example.eventlab.order.wrapped", "id": "W-1"}
    return record._replace(value=json.dumps(told).encode())


# %% [markdown]
# > **Predict.**
# > Version 1, our subscriber, reads both of them, and an ordinary order behind.
# > What becomes of each?

# %% id="rolled-back"
with KafkaProducer(**awake) as producer:
    for record in (version_2("O-present"), new_type("O-present"), version_2("O-behind")):
        producer.send("orders", partition=0, **record._asdict())

from eventlab.orders import views
from eventlab.orders.store import Store


# %%
def found(order_id):
    """Say whether an order is in the tables."""
    with Store(SHOP) as store:
        return bool(views.orders(store)["order_id"].eq(order_id).any())


wait_until(lambda: found("O-behind"), 30, "It does not come.", every=0.2)
letters = observe.records(cluster, "orders-dlt")
found("O-present"), found("O-behind"), len(letters)
# > (True, True, 1)

# %% [markdown]
# - The **new field** was skipped, and the order is there.
#   Such a version can go out and come back at any time, in any order.
# - The **new type** is a dead letter, and those behind it went on.
#   When version 2 is back for good, its events come back too:
#   `eventlab orders replay --exception UnknownEventType --send`.

# %%
[reason] = [value for name, value in letters["headers"][0] if name.endswith("exception-fqcn")]
reason.decode().rpartition(".")[2]
# > 'UnknownEventType'

# %% [markdown]
# So who deploys an event asks first: *what does the version before make of this?*
# A Deployment of Kubernetes starts a pod of the new version and, when it is *ready*, ends one of
# the old, until all are new.
# Going back is the same the other way round, and one command:
#
# ```console
# $ kubectl apply -n shop -k deploy/kubernetes/orders/v2
# $ kubectl rollout status -n shop deployment/shop-subscriber
# $ kubectl rollout undo -n shop deployment/shop-subscriber
# ```
#
# The next cell does by hand what it does, with the one subscriber that we have, while the shop is
# open:

# %% id="replace"
deploy("b", "subscribe", "--metrics-port", "0")
ready("b")
code = retire("a")

retire("shop")
with observe.watch(cluster, observe.lag, GROUP, every=0.2) as seen:
    seen.wait_until(lambda now: now["lag"].sum() == 0)
code, len(observe.records(cluster, "orders-dlt"))
# > (0, 1)

# %% [markdown]
# Replaced, all of it read, and no other letter.
# Is each order there once?
# The log knows how many there should be:

# %%
from eventlab.orders import DomainError, decode


def created(record):
    """Return the order that a record creates, if it does."""
    try:
        event = decode(record)
    except DomainError:
        return None
    return event.order_id if isinstance(event, OrderCreated) else None


in_log = {created(record) for record in observe.records(cluster, "orders").itertuples()} - {None}
with Store(SHOP) as store:
    in_tables = views.orders(store)["order_id"]
print("as in the log:", set(in_tables) == in_log, "| each once:", in_tables.is_unique)
# > as in the log: True | each once: True

# %% [markdown]
# ## How much can it do?
#
# A number of records per second says nothing about *your* machine unless it was measured on it.
# A **ratio** of two settings, measured one right after the other, says more.
#
# > **Predict.**
# > One record at a time, each waiting for its answer.
# > How much longer does `acks="all"` take than `acks=1`?

# %% id="closed-loop"
cluster.create_topic("speed-19", **shape)
SETTINGS = {acks: awake | {"acks": acks, "enable_idempotence": False} for acks in (1, "all")}


# %% id="by-turns"
def by_turns(records=200):
    """Send with acks=1 and acks=all by turns, each when the last is acknowledged; return all."""
    run = history.record("speed-19", cluster)
    with ExitStack() as clients:
        producers = []
        for acks, settings in SETTINGS.items():
            client = clients.enter_context(KafkaProducer(client_id=f"acks={acks}", **settings))
            producers.append(run.producer(client))
        for number in range(2 * records):
            producers[number % 2].send("speed-19", b"order %d" % number).get(timeout=10)
    return sent(run)[40:]  # the first ones find out who leads


# %%
took = by_turns().groupby("client")["seconds"].quantile([0.5, 0.99, 1.0]).unstack()
(took * 1000).round(1)

# %%
print("all takes longer than 1:", took[0.5]["acks=all"] > took[0.5]["acks=1"])
# > all takes longer than 1: True

# %% [markdown]
# In milliseconds: half of the records, 99 of 100, all.
# That is the price of the followers: they have to fetch the record before the leader may answer.
# On this machine they are next door; between data centres it is their distance.
#
# > **Predict.**
# > Now as fast as they go, 500 records with `acks="all"`: each in a request of its own, or in
# > batches of up to 64 KiB.
# > How many times faster are the batches?


# %% id="batches"
def flat_out(batch_size, records=500):
    """Send as fast as it goes; return the records per second."""
    settings = awake | {"batch_size": batch_size, "linger_ms": 5, "enable_idempotence": True}
    with KafkaProducer(**settings) as producer:
        producer.partitions_for("speed-19")
        begun = time.monotonic()
        for number in range(records):
            producer.send("speed-19", b"order %d" % number)
        producer.flush(timeout=60)
        return records / (time.monotonic() - begun)


per_second = {size: flat_out(size) for size in (0, 65_536)}
f"{per_second[65_536] / per_second[0]:.1f} times"

# %%
print("batches are faster:", per_second[65_536] > 1.5 * per_second[0])
# > batches are faster: True

# %% [markdown]
# The same guarantees, on the same cluster.
# **Before you buy a machine, look at the batches.**
# Batches cost latency, at most `linger_ms`, and nobody who reads a percentile notices five
# milliseconds.
#
# `docs/figures.md` has what this project promises about itself, and how each figure was measured.

# %% [markdown]
# ## Where it may run
#
# The article names *Elastic Beanstalk* and *Heroku*: you push code, and the platform runs it.
# Both still do, for the parts of the shop.
# Neither runs Kafka: that is a service beside it.
#
# | | the parts of the shop | Kafka |
# |---|---|---|
# | one machine | `docker compose up -d --wait` | the same file |
# | [Heroku][1] and the like | a `Procfile`, a line for each process | an add-on, or elsewhere |
# | [Elastic Beanstalk][2] | a Compose file, or a Dockerfile | a managed service |
# | container services (ECS, Cloud Run ...) | the image | a managed service |
# | Kubernetes | Deployments, as in `deploy/kubernetes` | an operator, or a managed service |
#
# [1]: https://devcenter.heroku.com/articles/procfile
# [2]: https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/single-container-docker-configuration.html
#
# Two things to look at before you choose:
#
# - A subscriber is **no web server**.
#   A platform that puts a process to sleep when no request comes puts a subscriber to sleep for
#   good.
# - Platforms **restart** what runs, with `SIGTERM`: Heroku
#   [once a day](https://devcenter.heroku.com/articles/dyno-restarts), Kubernetes whenever it needs
#   the machine.
#   Whoever restarts a broker once a week is prepared for the night on which it happens by itself.

# %% [markdown]
# ## Three questions

# %% [markdown]
# **1. A topic has three replicas and `min.insync.replicas=3`. What does a rolling restart do?**
#
# <details><summary>Nothing: one broker at a time is away.</summary>
#
# No.
# One away is one too few.
#
# </details>
# <details><summary>It loses what is written meanwhile.</summary>
#
# No.
# Nothing that was acknowledged is lost: nothing *is* acknowledged.
#
# </details>
# <details><summary>Nobody can write while a broker is away.</summary>
#
# Yes.
# A patient producer makes an error into a delay, and the delay reaches somebody.
#
# </details>

# %% [markdown]
# **2. Kafka is away for a minute. What should a liveness probe of a subscriber say?**
#
# <details><summary>That it is dead, so that it is started again.</summary>
#
# No.
# It would come up without Kafka, and be killed again.
#
# </details>
# <details><summary>That it is alive.</summary>
#
# Yes.
# That it is not *ready* is the other probe's matter.
#
# </details>
# <details><summary>It should have none.</summary>
#
# No.
# A process that hangs for good has to be started again by somebody.
#
# </details>

# %% [markdown]
# **3. Six subscribers on three partitions are too slow. What helps?**
#
# <details><summary>Twelve subscribers.</summary>
#
# No.
# Three of the six have nothing to do as it is.
#
# </details>
# <details><summary>Quicker handlers, or more partitions in a new topic.</summary>
#
# Yes.
# Partitions that are added to a topic in use move keys to other partitions, and their order is
# gone (lesson 05).
#
# </details>
# <details><summary>More brokers.</summary>
#
# No.
# The brokers wait for the subscribers, not the other way round.
#
# </details>

# %% [markdown]
# ## What Kafka calls this
#
# | word | what it is | where you met it |
# |---|---|---|
# | controlled shutdown | a broker hands over what it leads, and ends then | each stop of the roll |
# | under-replicated partition | its ISR is smaller than its replicas | why the roll waits |
# | `NOT_ENOUGH_REPLICAS` | a write is refused, the ISR is too small | `three-19` |
# | `NOT_LEADER_OR_FOLLOWER` | a write came to who leads no more | `NotLeaderForPartitionError` |
# | `delivery.timeout.ms` | how long a producer is patient | the patient one |
# | rebalance | partitions are given out anew | scaling out and in |
#
# *Liveness*, *readiness* and *rollout* are words of Kubernetes, *scrape* and *alert* those of
# Prometheus.

# %% [markdown]
# ## Clean up
#
# The parts of the shop end, their group is forgotten, and this notebook lets go of the cluster.

# %% id="cleanup" tags=["cleanup"]
for name in list(parts):
    retire(name)
forgotten = cluster.admin.delete_groups([GROUP])
folder.cleanup()
cluster.stop()
cluster
