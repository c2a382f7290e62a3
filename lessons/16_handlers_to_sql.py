# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 16 · Handlers to SQL
#
# After this lesson you can
#
# - say what a table adds up to when a subscriber is killed at its worst moment, and why,
# - write a handler whose effect is there once, wherever its process dies,
# - put an event that nobody can handle aside, without losing it, and bring it back.
#
# **Time** 40 minutes.
# **You need** lessons 02 and 10.

# %% [markdown]
# ## Why
#
# A subscriber reads an event, changes a table, and goes on.
# It writes down in *two* places how far it has come: in the table, and in Kafka, as the committed
# offset.
# No commit covers both.
#
# So there is a moment in which one of them knows more than the other.
# It is short, and a process that handles a thousand events a second is in it a thousand times a
# second.
# Here you will kill a real process in exactly this moment, and count.

# %% id="start" tags=["setup"]
import os
import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pandas as pd
from kafka import KafkaConsumer, KafkaProducer

# %%
from eventlab import Cluster, charts, history, observe, programs
from eventlab.orders import DomainError, Item, OrderCreated, decode, sample_events
from eventlab.orders.publisher import OrderPublisher

cluster = Cluster.start()
if cluster.name_of("orders") != "orders":
    print("Others use this cluster too: the shop and its topics get one of their own.")
    cluster = Cluster.start("shop", backend="embedded")
folder = TemporaryDirectory()
SERVERS = cluster.bootstrap_servers

# %% [markdown]
# ## A hundred orders, and a table
#
# `orders-16` gets the first hundred orders of the shop, in one partition, so that you can say which
# one is the thirtieth.
# The database gets a table with the takings of each day.
# The other tables are for later.

# %% id="begin"
TABLES = """
CREATE TABLE takings (day TEXT PRIMARY KEY, orders INTEGER, cents INTEGER);
CREATE TABLE sold (product_id TEXT PRIMARY KEY, pieces INTEGER);
CREATE TABLE processed_events (event_id TEXT PRIMARY KEY);
"""


def no_database(name):
    """Delete a database; return its path."""
    for path in Path(folder.name).glob(f"{name}.db*"):
        path.unlink()
    return f"{folder.name}/{name}.db"


# %% id="new-database"
def new_database(name):
    """Make an empty database with these tables; return its path."""
    path = no_database(name)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(TABLES)
    return path


# %% id="publish"
def publish(topic, events):
    """Publish events, in their order."""
    with OrderPublisher(SERVERS, topic) as publisher:
        for event in events:
            publisher.publish(event)


def orders(count):
    """Return the first orders of the shop."""
    return [event for event in sample_events(count) if isinstance(event, OrderCreated)]


# %% id="new-topic"
shape = {"partitions": 1, "replication_factor": 3, "min_insync_replicas": 2}


def new_topic(topic, events=()):
    """Make a topic with one partition and these events, and an empty dead-letter topic."""
    for name in (topic, f"{topic}-dlt"):
        cluster.create_topic(name, **shape, fresh=True)
    publish(topic, events)


# %% [markdown]
# What the table should have in the end is no matter of opinion: the topic knows it.
# The **oracle** reads the log and adds it up, each event once:


# %% id="oracle"
def cents(event):
    """Return what an order costs."""
    return sum(int(item.unit_price * 100) * item.quantity for item in event.items)


def oracle(topic):
    """Return the takings of each day as the log has them."""
    orders = {event.event_id: event for event in map(decoded, logged(topic)) if event}
    found = Counter()
    for event in orders.values():
        found[str(event.time.date())] += cents(event)
    return dict(found)


# %%
def logged(topic):
    """Return the records of a topic."""
    return observe.records(cluster, topic).itertuples()


def decoded(record):
    """Return the event in a record, None when there is none."""
    try:
        return decode(record)
    except DomainError:
        return None


# %%
new_topic("orders-16", orders(100))
oracle("orders-16")

# %% [markdown]
# ## The article's subscriber
#
# `add_to_takings` adds an order to the takings of its day.
# `consume_events` calls it for each event, and leaves it to the client to commit offsets.
# It is the subscriber that most tutorials show.
# In the article the two are `handle_order_created` and a method of `OrderSubscriber`.
# You write yours in the exercises.


# %% id="handler"
def add_to_takings(event, db):
    """Add an order to the takings of its day."""
    db.execute(
        "INSERT INTO takings VALUES (?, 1, ?) ON CONFLICT (day) DO UPDATE "
        "SET orders = orders + 1, cents = cents + excluded.cents",
        (str(event.time.date()), cents(event)),
    )


# %% id="article"
def consume_events(handle, topic, database, cut=None):
    """Handle each event; the client commits offsets by itself, every five seconds."""
    db = sqlite3.connect(database)
    with KafkaConsumer(topic, **as_member(topic), enable_auto_commit=True) as consumer:
        for record in until_the_end(consumer):
            handle(decode(record), db)
            db.commit()
            power_cut("after the effect", record, cut)
            print("handled", record.offset)


# %% [markdown]
# Three things are missing, and none of them is about Kafka.
#
# - A subscriber has no end, and a lesson has: `until_the_end`.
# - A **power cut** ends the process with `SIGKILL`, at a place and an offset that you name.
#   Nothing is tidied up: no `finally`, no `close`, no last commit.
# - A member that comes back should not wait until the dead one is given up.
#   With a name of its own (`group_instance_id`) it takes over at once
#   ([static membership](https://cwiki.apache.org/confluence/display/KAFKA/KIP-345%3A+Introduce+static+membership+protocol+to+reduce+consumer+rebalances)).


# %% id="power-cut"
def power_cut(where, record, cut):
    """End this process at once when it is at this place and this offset."""
    if (where, record.offset) == cut:
        os.kill(os.getpid(), signal.SIGKILL)


def until_the_end(consumer):
    """Give the records of a topic with one partition, up to the last that is there."""
    for record in consumer:
        yield record
        if record.offset + 1 == consumer.highwater(*consumer.assignment()):
            return


# %% id="as-member"
def as_member(topic):
    """Return the settings of the only member of the group that keeps this topic's takings."""
    return {
        "bootstrap_servers": SERVERS,
        "group_id": f"takings-of-{topic}",
        "group_instance_id": "the-only-one",
        "auto_offset_reset": "earliest",
        "session_timeout_ms": 6_000,
        "consumer_timeout_ms": 15_000,
    }


# %% [markdown]
# `programs.start` runs a function in a process of its own.
# `lives` starts one such program after another, each of which lives until its power cut.
# The last has none, and goes on to the end.


# %% id="lives"
def lives(consume, handle, topic, *cuts):
    """Let one program after another handle a topic; return the path of their database."""
    database = new_database(topic)
    for cut in [*cuts, None]:
        with programs.start(consume, handle, topic, database, cut) as program:
            if program.wait() > 0:
                print(program.said.splitlines()[-1])
    return database


def rows(database, query="SELECT * FROM takings ORDER BY day"):
    """Return what a query finds, as a DataFrame."""
    with closing(sqlite3.connect(database)) as db:
        return pd.read_sql(query, db)


# %% [markdown]
# > **Predict.**
# > The power fails right after the effect of offset 30, two seconds or so after the start.
# > That was the 31st order.
# > A second program goes on to the end.
# > How many orders are in the table: 99, 100, 101, 131?

# %% id="article-dies"
database = lives(consume_events, add_to_takings, "orders-16", ("after the effect", 30))
print("in the table:", rows(database)["orders"].sum(), "| in the log:", 100)
# > in the table: 131 | in the log: 100

# %%
log = pd.Series(oracle("orders-16"), name="in the log")
rows(database).set_index("day")[["cents"]].join(log)

# %% [markdown]
# 131, and the money with them.
# Auto-commit commits *when the client polls*, if the
# [interval](https://kafka.apache.org/44/configuration/consumer-configs/#consumerconfigs_auto.commit.interval.ms)
# of five seconds is over.
# The first program never polled again, so nothing was committed, and the second one was given all
# from the beginning.
#
# Nobody will ever see an error.

# %% [markdown]
# ## "Then commit by hand"
#
# That is the usual advice.
# It can be followed in two ways: first the effect and then the offset, or the other way round.


# %% id="effect-first"
def effect_first(handle, topic, database, cut=None):
    """Handle an event, then commit its offset."""
    db = sqlite3.connect(database)
    with KafkaConsumer(topic, **as_member(topic), enable_auto_commit=False) as consumer:
        for record in until_the_end(consumer):
            handle(decode(record), db)
            power_cut("before the effect is kept", record, cut)
            db.commit()
            power_cut("after the effect", record, cut)
            consumer.commit(timeout_ms=10_000)


# %% id="offset-first"
def offset_first(handle, topic, database, cut=None):
    """Commit the offset of an event, then handle it."""
    db = sqlite3.connect(database)
    with KafkaConsumer(topic, **as_member(topic), enable_auto_commit=False) as consumer:
        for record in until_the_end(consumer):
            consumer.commit(timeout_ms=10_000)
            power_cut("after the offset", record, cut)
            handle(decode(record), db)
            db.commit()


# %% [markdown]
# > **Predict.**
# > Each of the two is killed between its two commits, at offset 30, and another one goes on.
# > How many orders are in the table, for each of them?

# %% id="between"
found = {}
for consume, cut in ((effect_first, "after the effect"), (offset_first, "after the offset")):
    new_topic("orders-16", orders(100))
    database = lives(consume, add_to_takings, "orders-16", (cut, 30))
    found[consume.__name__] = int(rows(database)["orders"].sum())

found
# > {'effect_first': 101, 'offset_first': 99}

# %% [markdown]
# **101** and **99**: one order too many, and one too few.
#
# - **First the effect**: what was handled and not committed comes again.
#   That is *at least once*.
# - **First the offset**: what was committed and not handled never comes again.
#   That is *at most once*
#   ([delivery semantics](https://kafka.apache.org/44/design/design/#message-delivery-semantics)).
#
# **Committing by hand chooses the error, it does not take it away.**
# Of the two, only the first can be mended, since nothing is missing.

# %% [markdown]
# ## Once is enough
#
# An event has an id of its own, and it keeps it when it comes again (lesson 02).
# So the table can remember which ids it has seen.
# And since table and memory are in *one* database, one transaction covers both:


# %% id="handle-once"
def handle_once(event, db):
    """Note the id of an event, and handle it if it is new, in one transaction."""
    noted = db.execute(
        "INSERT INTO processed_events VALUES (?) ON CONFLICT DO NOTHING", (event.event_id,)
    )
    if noted.rowcount == 1:
        add_to_takings(event, db)


# %% [markdown]
# > **Predict.**
# > `effect_first` calls it, and dies four times: at two offsets before the transaction is kept, and
# > at two after it.
# > How many orders are in the table?
# > How many ids?

# %% id="once"
cuts = [
    *(("before the effect is kept", 20), ("after the effect", 40)),
    *(("before the effect is kept", 60), ("after the effect", 60)),
]
new_topic("orders-16", orders(100))
database = lives(effect_first, handle_once, "orders-16", *cuts)

ids = rows(database, "SELECT count(DISTINCT event_id) AS n FROM processed_events")["n"][0]
print("orders:", rows(database)["orders"].sum(), "| ids:", ids)
# > orders: 100 | ids: 100


# %%
def taken(database):
    """Return the takings of each day as the table has them."""
    return rows(database).set_index("day")["cents"].to_dict()


print("as the log has it:", taken(database) == oracle("orders-16"))
# > as the log has it: True

# %% [markdown]
# A power cut before the commit undoes the effect *and* the note, and the event is handled anew.
# One after it leaves both, and the event is recognised when it comes again.
# There is no third case, so this subscriber may die anywhere.

# %% [markdown]
# ## Whenever it wants
#
# You chose those places, and may have missed the bad one.
# So now nobody chooses: programs are killed from outside, at some point behind a lag that chance
# has picked.
# Meanwhile `observe.watch` looks at their group.


# %% id="down-to"
def down_to(most):
    """Return a condition: that no more than so many records are left."""
    return lambda now: len(now) and now["committed"].all() and now["lag"].sum() <= most


# %% id="work-off"
def work_off(topic, lags, consume, *arguments):
    """Let programs work off a topic, each until it is killed at a lag; return what was seen."""
    died = []
    with observe.watch(cluster, observe.lag, f"takings-of-{topic}", every=0.1) as seen:
        for most in (*lags, 0):
            with programs.start(consume, *arguments):
                seen.wait_until(down_to(most))
            died.append((pd.Timestamp.now("UTC"), "killed", "subscriber"))
    kills = pd.DataFrame(died[:-1], columns=["start", "fault", "target"])
    return seen.frame(), kills.assign(end=kills["start"])


# %% id="hunt"
chance = random.Random(16)
lags = [most - chance.randrange(100) for most in range(850, 100, -125)]

new_topic("many-16", orders(1_000))
database = new_database("many-16")
looks, kills = work_off("many-16", lags, effect_first, handle_once, "many-16", database)

print("killed:", len(kills), "| as the log has it:", taken(database) == oracle("many-16"))
# > killed: 6 | as the log has it: True

# %%
curve = charts.lag(looks, faults=kills)
curve

# %%
charts.describe(curve)

# %% [markdown]
# A slope for each life, a flat stretch for each death.
# After each death the next program goes on where the last commit was, and may be given a record
# that the dead one has handled already.
# The table did not notice.

# %% [markdown]
# ## The event that nobody can handle
#
# One morning a till writes something that is no event at all.
# `decode` says so, and raises.
# Let us start the subscriber three times, as a system that looks after its programs would.
# Before each start ten more orders come in.
#
# > **Predict.**
# > The poison is at offset 50, behind 50 orders.
# > What is the lag after the first program has ended?
# > And after the third?


# %% id="poison"
def poisoned(topic):
    """Make a topic with 50 orders, then something that is none."""
    new_topic(topic, orders(50))
    with KafkaProducer(bootstrap_servers=SERVERS, acks="all", max_block_ms=10_000) as producer:
        producer.send(topic, key=b"O-BEEP", value=b"\x07 BEEP").get(timeout=10)


more = orders(80)[50:]


# %% id="stuck"
poisoned("tills-16")
database = new_database("tills-16")
seen = observe.watch(cluster, observe.lag, "takings-of-tills-16", every=0.1)
lags = []
for number in range(3):
    publish("tills-16", more[10 * number :][:10])
    with programs.start(effect_first, handle_once, "tills-16", database) as program:
        code = program.wait()
    lags.append(int(seen.wait_until(lambda now: now["committed"].all())["lag"].sum()))

print("exit code", code, "| lag after each:", lags)
# > exit code 1 | lag after each: [11, 21, 31]

# %%
print(program.said.splitlines()[-1])

# %% [markdown]
# The poison itself, and all that is behind it: 11, then 21, then 31.
# Trying again helps when a *database* is away, for it will come back.
# These bytes will be the same in a year.
#
# It is one record, and the shop has no takings any more.

# %% [markdown]
# ## A dead letter
#
# Skipping it would be quick, and nobody would ever know what the till wanted to say.
# So it is put aside, into another topic: the **dead-letter topic**.
# Kafka has to have it *before* its offset is committed, for the reason you know by now.


# %% id="aside"
def put_aside(record, error, producer):
    """Send a record that cannot be handled to the dead-letter topic of its topic."""
    sent = producer.send(f"{record.topic}-dlt", key=record.key, value=record.value)
    sent.get(timeout=10)


# %% id="with-aside"
def with_dead_letters(aside, topic, database, cut=None):
    """Handle each event once, and put aside what is none."""
    db = sqlite3.connect(database)
    producer = KafkaProducer(bootstrap_servers=SERVERS, acks="all", max_block_ms=10_000)
    with KafkaConsumer(topic, **as_member(topic), enable_auto_commit=False) as consumer, producer:
        for record in until_the_end(consumer):
            try:
                handle_once(decode(record), db)
                db.commit()
            except DomainError as error:
                aside(record, error, producer)
            consumer.commit(timeout_ms=10_000)


# %% id="drains"
fixed = pd.Timestamp.now("UTC")
with programs.start(with_dead_letters, put_aside, "tills-16", database) as program:
    program.wait()

seen.wait_until(down_to(0))
seen.stop()
print("all but one:", rows(database)["orders"].sum(), taken(database) == oracle("tills-16"))
# > all but one: 80 True

# %%
put = {"start": fixed, "end": fixed, "fault": "put aside", "target": "offset 50"}
drained = charts.lag(seen.frame(), faults=pd.DataFrame([put]))
drained

# %%
charts.describe(drained)

# %% [markdown]
# Down to the poison, and then up in steps, however often it was started.
# When one record was put aside, the lag was gone in a moment.

# %%
observe.records(cluster, "tills-16-dlt")[["key", "value", "headers"]]

# %% [markdown]
# Now imagine that you find this letter on Monday.
# Where was it, which program could not read it, and *why*?
# It does not say.
# Exercise 2 changes that.

# %% [markdown]
# ## What the package does
#
# You have just written, in small, what `eventlab.orders` has.
# Its `OrderSubscriber` does the same in the same order: effect and id in one transaction, then the
# dead letter, then the offset.
# It also takes many events in one transaction, tries again what may still come, and has nine
# handlers instead of one.
#
# Its `handle_order_created(event, db)` looks up the customer, and writes an order with its items.
# So a customer has to be registered first.


# %%
from eventlab.orders import CustomerRegistered, OrderPaid, ShipmentSent, ShippedItem, views
from eventlab.orders import subscriber as package
from eventlab.orders.store import Store


# %% id="shop"
def shop(topic, database):
    """The package's subscriber: all events of the shop, into its tables."""
    group = f"takings-of-{topic}"
    with Store(database) as store:
        member = package.OrderSubscriber(SERVERS, group, topic, store=store, **quick)
        with member:
            member.run()


quick = {"group_instance_id": "the-only-one", "max_poll_records": 50, "tries": 6}


# %% id="registrations"
def registrations(events):
    """Return a registration for each customer of these events."""
    customers = {event.customer_id for event in events if isinstance(event, OrderCreated)}
    return [CustomerRegistered(each, "Ada", "GB") for each in sorted(customers)]


# %% [markdown]
# All that happened to three hundred orders, then, and six more power cuts.
# A **history** is asked to judge the effects, against the log (lesson 13 has more of it).

# %% id="shop-hunt"
happened = list(sample_events(300))
new_topic("shop-16")
run = history.record("shop-16", cluster)
with OrderPublisher(SERVERS, "shop-16") as publisher:
    run.producer(publisher.producer)
    for event in [*registrations(happened), *happened]:
        publisher.publish(event)

shop_database = f"{mkdtemp(dir=folder.name)}/shop.db"
looks, kills = work_off("shop-16", range(1200, 0, -200), shop, "shop-16", shop_database)

# %%
effects = rows(shop_database, "SELECT topic, partition, offset FROM processed_events")
verdict = run.verify(effects=effects)
verdict

# %%
verdict.valid, len(effects) == len(observe.records(cluster, "shop-16"))
# > (True, True)

# %%
with Store(shop_database) as store:
    statuses = views.statuses(store)

statuses

# %% [markdown]
# ## A letter that comes back
#
# Some dead letters are poison for ever.
# Others only came too early.
#
# > **Predict.**
# > Somebody orders a teapot and pays for it, and nobody has registered this customer.
# > The payment itself is as it should be.
# > What becomes of each of the two events?

# %% id="too-early"
order = OrderCreated("O-EARLY", "C-UNKNOWN", (Item("GRUMPY-TEAPOT", 1, Decimal("39.90")),))
paid = order.then(OrderPaid, "O-EARLY", "P-EARLY", Decimal("39.90"), "card")

publish("shop-16", [order, paid])
work_off("shop-16", [], shop, "shop-16", shop_database)

letters = package.replay(SERVERS, "shop-16-dlt")
letters[["key", "original_offset", "exception", "message"]]

# %%
letters["exception"].str.split(".").str[-1].tolist()
# > ['NotYet', 'StepNotAllowed']

# %% [markdown]
# The order was tried six times, and then it was dead.
# The payment builds on it, and followed it.
# **A dead letter breaks the order of its key**: what comes behind it is handled as if it had never
# been.
# Here the payment is refused, since nobody can pay an order that is not there.
# Where a handler would not notice, `OrderSubscriber(..., park=True)` puts aside whatever comes
# behind a dead letter of the same key.
#
# The customer registers.
# `replay` sends both back, in the order in which they were, and notes that it has.
# Then the parcel leaves, and life goes on:

# %% id="replay"
publish("shop-16", [CustomerRegistered("C-UNKNOWN", "Ada", "GB")])
sent = package.replay(SERVERS, "shop-16-dlt", dry_run=False)
parcel = ("O-EARLY", "S-EARLY", "Post", (ShippedItem("GRUMPY-TEAPOT", 1),))
publish("shop-16", [paid.then(ShipmentSent, *parcel)])
work_off("shop-16", [], shop, "shop-16", shop_database)

rows(shop_database, "SELECT status FROM orders WHERE order_id = 'O-EARLY'")["status"][0]
# > 'shipped'

# %% [markdown]
# ## Exercise 1: your handle_order_created
#
# This one counts how many pieces of each product were sold, in the table `sold`.
# Whenever an event comes again, it counts them again.
# Make it idempotent; `processed_events` is there, and empty.
# Then say `True` instead of `False`: your handler runs, with the four power cuts of above.

# %% id="ch16-once" tags=["exercise"]
new_topic("once-16", orders(100))
path = no_database("once-16")


def handle_order_created(event, db):
    """Add the pieces of an order to what was sold."""
    for item in event.items:
        db.execute(
            "INSERT INTO sold VALUES (?, ?) ON CONFLICT (product_id) DO UPDATE "
            "SET pieces = pieces + excluded.pieces",
            (item.product_id, item.quantity),
        )


if False:  # say True when you are ready
    lives(effect_first, handle_order_created, "once-16", *cuts)

# %% id="ch16-once-check" tags=["check"]
path = Path(folder.name, "once-16.db")
if not path.exists():
    print("Not attempted yet: no program has run.")
else:
    ordered, early = Counter(), Counter()
    for event in map(decode, logged("once-16")):
        ordered.update({item.product_id: item.quantity for item in event.items})
    for record in logged("once-16"):
        if record.offset in (20, 60):
            early.update({item.product_id: item.quantity for item in decode(record).items})
    sold = rows(path, "SELECT * FROM sold").set_index("product_id")["pieces"].to_dict()
    noted = rows(path, "SELECT DISTINCT event_id FROM processed_events")["event_id"]
    missing, extra = (ordered - Counter(sold)).total(), (Counter(sold) - ordered).total()
    assert not missing, (
        f"{missing} pieces are missing: an id was kept, and the power failed before its effect."
    )
    assert not (extra and noted.empty), (
        f"{extra} pieces are there twice, and processed_events is empty. "
        "What a program remembers dies with it: where can the next one look?"
    )
    assert Counter(sold) - ordered != early, (
        f"{extra} pieces are there twice: an effect was kept, and the power failed before its id "
        "was. Who calls commit, and how often?"
    )
    assert not extra, (
        f"All {len(noted)} ids are noted, and {extra} pieces are there twice. "
        "Does an id that is there already keep the effect away?"
    )
    assert len(noted) == 100, f"The pieces are right, and {len(noted)} ids of 100 are noted."
    print(f"Correct: {ordered.total()} pieces, each sold once, through four power cuts.")
# > Not attempted yet: no program has run.

# %% [markdown]
# <details><summary>A hint</summary>
#
# What has to be known about an event before its pieces are counted?
# And who has to know it: this program, or the next one?
#
# </details>
# <details><summary>A stronger hint</summary>
#
# Try to insert `event.event_id` into `processed_events`, `ON CONFLICT DO NOTHING`.
# `rowcount` says whether it was new; the commit is the business of `effect_first`.
#
# </details>

# %% id="ch16-once-memory" tags=["mutant"]
seen_ids = set()  # "I know what I have seen"


def handle_order_created(event, db):
    """Add the pieces of an order to what was sold."""
    if event.event_id in seen_ids:
        return
    seen_ids.add(event.event_id)
    for item in event.items:
        db.execute(
            "INSERT INTO sold VALUES (?, ?) ON CONFLICT (product_id) DO UPDATE "
            "SET pieces = pieces + excluded.pieces",
            (item.product_id, item.quantity),
        )


new_topic("once-16", orders(100))
database = lives(effect_first, handle_order_created, "once-16", *cuts)
# > 5 pieces are there twice, and processed_events is empty.


# %% id="ch16-once-two-transactions" tags=["mutant"]
def handle_order_created(event, db):
    """Look, count, commit, note."""
    query = "SELECT count(*) FROM processed_events WHERE event_id = ?"
    if db.execute(query, (event.event_id,)).fetchone()[0]:
        return
    for item in event.items:
        db.execute(
            "INSERT INTO sold VALUES (?, ?) ON CONFLICT (product_id) DO UPDATE "
            "SET pieces = pieces + excluded.pieces",
            (item.product_id, item.quantity),
        )
    db.commit()  # "better safe than sorry"
    db.execute("INSERT INTO processed_events VALUES (?)", (event.event_id,))


new_topic("once-16", orders(100))
database = lives(effect_first, handle_order_created, "once-16", *cuts)
# > 4 pieces are there twice: an effect was kept, and the power failed before its id was.


# %% id="ch16-once-id-first" tags=["mutant"]
def handle_order_created(event, db):
    """Note, commit, count."""
    note = "INSERT INTO processed_events VALUES (?) ON CONFLICT DO NOTHING"
    if db.execute(note, (event.event_id,)).rowcount == 0:
        return
    db.commit()  # "then nobody else takes it"
    for item in event.items:
        db.execute(
            "INSERT INTO sold VALUES (?, ?) ON CONFLICT (product_id) DO UPDATE "
            "SET pieces = pieces + excluded.pieces",
            (item.product_id, item.quantity),
        )


new_topic("once-16", orders(100))
database = lives(effect_first, handle_order_created, "once-16", *cuts)
# > 4 pieces are missing: an id was kept, and the power failed before its effect.


# %% id="ch16-once-not-looked" tags=["mutant"]
def handle_order_created(event, db):
    """Note, and count."""
    db.execute(
        "INSERT INTO processed_events VALUES (?) ON CONFLICT DO NOTHING", (event.event_id,)
    )  # "it is noted, that is enough"
    for item in event.items:
        db.execute(
            "INSERT INTO sold VALUES (?, ?) ON CONFLICT (product_id) DO UPDATE "
            "SET pieces = pieces + excluded.pieces",
            (item.product_id, item.quantity),
        )


new_topic("once-16", orders(100))
database = lives(effect_first, handle_order_created, "once-16", *cuts)
# > All 100 ids are noted, and 5 pieces are there twice.


# %% id="ch16-once-solution" tags=["solution"]
def handle_order_created(event, db):
    """Add the pieces of an order to what was sold, once."""
    note = "INSERT INTO processed_events VALUES (?) ON CONFLICT DO NOTHING"
    if db.execute(note, (event.event_id,)).rowcount == 0:
        return
    for item in event.items:
        db.execute(
            "INSERT INTO sold VALUES (?, ?) ON CONFLICT (product_id) DO UPDATE "
            "SET pieces = pieces + excluded.pieces",
            (item.product_id, item.quantity),
        )


new_topic("once-16", orders(100))
database = lives(effect_first, handle_order_created, "once-16", *cuts)

# %% [markdown]
# ## Exercise 2: your OrderSubscriber
#
# Write `consume_events`: it keeps the takings of a topic with a poison in it, wherever its process
# dies.
#
# - Each order is in the takings once.
# - What is no event goes to `<the topic>-dlt`, with the headers `reason`, `topic`, `partition` and
#   `offset`, as text (`headers=` of `producer.send` is a list of names with bytes).
# - Nothing waits: the lag is 0 in the end.
#
# Call `power_cut("before the effect is kept", record, cut)` right before your `db.commit()`, and
# `power_cut("after the effect", record, cut)` right behind it: the check kills you there.


# %% id="ch16-subscriber" tags=["exercise"]
class OrderSubscriber:
    """Yours; `until_the_end(self.consumer)` gives its records."""

    def __init__(self, topic, database):
        self.topic, self.db = topic, sqlite3.connect(database)
        self.consumer = KafkaConsumer(topic, **as_member(topic), enable_auto_commit=True)

    def consume_events(self, cut=None):
        """Handle the records of the topic."""
        # your lines here


# %% id="ch16-subscriber-check" tags=["check"]
def subscribe(subscriber, topic, database, cut):
    """Let a subscriber live until the power is cut."""
    mine = subscriber(topic, database)
    with closing(mine.consumer), closing(mine.db):
        mine.consume_events(cut)


poisoned("mine-16")
publish("mine-16", more)
database, ends = new_database("mine-16"), []
for cut in (("before the effect is kept", 20), ("after the effect", 60), None):
    with programs.start(subscribe, OrderSubscriber, "mine-16", database, cut) as program:
        ends.append(program.wait(60))
    said = program.said.splitlines()[-1:]
    assert ends[-1] <= 0, f"Your subscriber ended, and everything behind waits: {said}"

counted, wanted = int(rows(database)["orders"].sum()), 80
letters = observe.records(cluster, "mine-16-dlt")
if not counted and not len(letters):
    print("Not attempted yet: nothing is in the table.")
else:
    assert ends == [-9, -9, 0], f"The power did not fail twice: {ends}. Where is power_cut called?"
    assert counted <= wanted, f"{counted - wanted} orders too many are in the takings."
    assert counted >= wanted, f"{wanted - counted} orders are missing in the takings."
    assert taken(database) == oracle("mine-16"), "The money is not that of the orders."
    lag = observe.lag(cluster, "takings-of-mine-16")["lag"].sum()
    assert lag == 0, f"The lag is {lag}: what is done has to be committed."
    assert len(letters), "The lag is 0, and there is no dead letter: the record is gone for good."
    assert len(letters) == 1, f"There are {len(letters)} dead letters of one poison."
    letter = letters["value"][0]
    assert letter == b"\x07 BEEP", f"The letter has {letter}: what the till wrote is gone."
    told = dict(letters["headers"][0])
    untold = [name for name in ("reason", "topic", "partition", "offset") if not told.get(name)]
    assert not untold, f"The letter does not say: {', '.join(untold)}."
    place = tuple(told[name].decode() for name in ("topic", "partition", "offset"))
    assert place == ("mine-16", "0", "50"), f"The letter says that it comes from {place}. Look."
    assert b"JSON" in told["reason"], f"The reason is {told['reason']}: that is not the error's."
    print("Correct: 80 orders, each counted once, and one letter that can be read on Monday.")
# > Not attempted yet: nothing is in the table.

# %% [markdown]
# <details><summary>A hint</summary>
#
# Three commits: that of the table, the letter's acknowledgement, and the offset.
# What may come twice without harm, if the power fails between two of them?
# `with_dead_letters` has the order; `put_aside` does half of a letter.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `enable_auto_commit=False`, `handle_once(decode(record), self.db)`, and at the end of each turn
# `self.consumer.commit(timeout_ms=10_000)`.
# The record knows its topic, its partition and its offset, and the error says why: `str(error)`.
# `("offset", str(record.offset).encode())` is one of the four headers.
#
# </details>


# %% id="ch16-subscriber-auto-commit" tags=["mutant"]
class OrderSubscriber:
    """Lets the client commit, and puts aside what is none."""

    def __init__(self, topic, database):
        self.topic, self.db = topic, sqlite3.connect(database)
        self.consumer = KafkaConsumer(topic, **as_member(topic), enable_auto_commit=True)
        self.producer = KafkaProducer(bootstrap_servers=SERVERS, acks="all", max_block_ms=10_000)

    def consume_events(self, cut=None):
        for record in until_the_end(self.consumer):
            try:
                add_to_takings(decode(record), self.db)
                power_cut("before the effect is kept", record, cut)
                self.db.commit()
                power_cut("after the effect", record, cut)
            except DomainError as error:
                self.put_aside(record, error)

    def put_aside(self, record, error):
        headers = [
            ("reason", str(error).encode()),
            ("topic", record.topic.encode()),
            ("partition", str(record.partition).encode()),
            ("offset", str(record.offset).encode()),
        ]
        self.producer.send(f"{record.topic}-dlt", record.value, record.key, headers).get(timeout=10)


# > 80 orders too many are in the takings.


# %% id="ch16-subscriber-not-once" tags=["mutant"]
class OrderSubscriber:
    """Commits by hand, after the effect."""

    def __init__(self, topic, database):
        self.topic, self.db = topic, sqlite3.connect(database)
        self.consumer = KafkaConsumer(topic, **as_member(topic), enable_auto_commit=False)
        self.producer = KafkaProducer(bootstrap_servers=SERVERS, acks="all", max_block_ms=10_000)

    def consume_events(self, cut=None):
        for record in until_the_end(self.consumer):
            try:
                add_to_takings(decode(record), self.db)
                power_cut("before the effect is kept", record, cut)
                self.db.commit()
                power_cut("after the effect", record, cut)
            except DomainError as error:
                self.put_aside(record, error)
            self.consumer.commit(timeout_ms=10_000)

    def put_aside(self, record, error):
        headers = [
            ("reason", str(error).encode()),
            ("topic", record.topic.encode()),
            ("partition", str(record.partition).encode()),
            ("offset", str(record.offset).encode()),
        ]
        self.producer.send(f"{record.topic}-dlt", record.value, record.key, headers).get(timeout=10)


# > 1 orders too many are in the takings.


# %% id="ch16-subscriber-offset-first" tags=["mutant"]
class OrderSubscriber:
    """Commits the offset, so that nothing comes twice."""

    def __init__(self, topic, database):
        self.topic, self.db = topic, sqlite3.connect(database)
        self.consumer = KafkaConsumer(topic, **as_member(topic), enable_auto_commit=False)
        self.producer = KafkaProducer(bootstrap_servers=SERVERS, acks="all", max_block_ms=10_000)

    def consume_events(self, cut=None):
        for record in until_the_end(self.consumer):
            self.consumer.commit(timeout_ms=10_000)
            try:
                handle_once(decode(record), self.db)
                power_cut("before the effect is kept", record, cut)
                self.db.commit()
                power_cut("after the effect", record, cut)
            except DomainError as error:
                self.put_aside(record, error)

    def put_aside(self, record, error):
        headers = [
            ("reason", str(error).encode()),
            ("topic", record.topic.encode()),
            ("partition", str(record.partition).encode()),
            ("offset", str(record.offset).encode()),
        ]
        self.producer.send(f"{record.topic}-dlt", record.value, record.key, headers).get(timeout=10)


# > 1 orders are missing in the takings.


# %% id="ch16-subscriber-stuck" tags=["mutant"]
class OrderSubscriber:
    """Handles each event once."""

    def __init__(self, topic, database):
        self.topic, self.db = topic, sqlite3.connect(database)
        self.consumer = KafkaConsumer(topic, **as_member(topic), enable_auto_commit=False)

    def consume_events(self, cut=None):
        for record in until_the_end(self.consumer):
            handle_once(decode(record), self.db)
            power_cut("before the effect is kept", record, cut)
            self.db.commit()
            power_cut("after the effect", record, cut)
            self.consumer.commit(timeout_ms=10_000)


# > Your subscriber ended, and everything behind waits:


# %% id="ch16-subscriber-skipped" tags=["mutant"]
class OrderSubscriber:
    """Says it to the log."""

    def __init__(self, topic, database):
        self.topic, self.db = topic, sqlite3.connect(database)
        self.consumer = KafkaConsumer(topic, **as_member(topic), enable_auto_commit=False)

    def consume_events(self, cut=None):
        for record in until_the_end(self.consumer):
            try:
                handle_once(decode(record), self.db)
                power_cut("before the effect is kept", record, cut)
                self.db.commit()
                power_cut("after the effect", record, cut)
            except DomainError as error:
                print("skipped", record.offset, error)  # "it is in the log"
            self.consumer.commit(timeout_ms=10_000)


# > The lag is 0, and there is no dead letter: the record is gone for good.


# %% id="ch16-subscriber-no-origin" tags=["mutant"]
class OrderSubscriber:
    """Sends it, with the reason."""

    def __init__(self, topic, database):
        self.topic, self.db = topic, sqlite3.connect(database)
        self.consumer = KafkaConsumer(topic, **as_member(topic), enable_auto_commit=False)
        self.producer = KafkaProducer(bootstrap_servers=SERVERS, acks="all", max_block_ms=10_000)

    def consume_events(self, cut=None):
        for record in until_the_end(self.consumer):
            try:
                handle_once(decode(record), self.db)
                power_cut("before the effect is kept", record, cut)
                self.db.commit()
                power_cut("after the effect", record, cut)
            except DomainError as error:
                self.put_aside(record, error)
            self.consumer.commit(timeout_ms=10_000)

    def put_aside(self, record, error):
        headers = [("reason", str(error).encode())]  # "the rest is in the value"
        self.producer.send(f"{record.topic}-dlt", record.value, record.key, headers).get(timeout=10)


# > The letter does not say: topic, partition, offset.


# %% id="ch16-subscriber-solution" tags=["solution"]
class OrderSubscriber:
    """Effect and id in one transaction, then the letter, then the offset."""

    def __init__(self, topic, database):
        self.topic, self.db = topic, sqlite3.connect(database)
        self.consumer = KafkaConsumer(topic, **as_member(topic), enable_auto_commit=False)
        self.producer = KafkaProducer(bootstrap_servers=SERVERS, acks="all", max_block_ms=10_000)

    def consume_events(self, cut=None):
        for record in until_the_end(self.consumer):
            try:
                handle_once(decode(record), self.db)
                power_cut("before the effect is kept", record, cut)
                self.db.commit()
                power_cut("after the effect", record, cut)
            except DomainError as error:
                self.put_aside(record, error)
            self.consumer.commit(timeout_ms=10_000)

    def put_aside(self, record, error):
        headers = [
            ("reason", str(error).encode()),
            ("topic", record.topic.encode()),
            ("partition", str(record.partition).encode()),
            ("offset", str(record.offset).encode()),
        ]
        self.producer.send(f"{record.topic}-dlt", record.value, record.key, headers).get(timeout=10)


# %% [markdown]
# Now compare it with the package's: `package.OrderSubscriber??` shows it, and
# `eventlab.orders.handlers` has its `handle_order_created`.
# Which of its lines are for many partitions, many members, and a database that is away?
#
# ## Exercise 3: what came in
#
# How much money came in on each day, less what went back on that day?
# The answer is in the table `payments` of `shop_database`: `created`, `status` (`captured`,
# `refunded` or `failed`) and `amount_cents`.
# Put it into `revenue`, as `{"2026-06-01": cents, ...}`.
# `date(created)` is the day of a payment, in SQLite.

# %% id="ch16-revenue" tags=["exercise"]
query = "SELECT date(created) AS day, 0 AS cents FROM payments GROUP BY day"

revenue = rows(shop_database, query).set_index("day")["cents"].to_dict()

# %% id="ch16-revenue-check" tags=["check"]
events = {e.event_id: e for e in map(decoded, logged("shop-16")) if e}.values()
where = {"OrderPaid": "in", "OrderRefunded": "back", "PaymentFailed": "failed"}
sums = {name: Counter() for name in where.values()}
for event in events:
    if name := where.get(type(event).__name__):
        sums[name][str(event.time.date())] += int(event.amount * 100)
days = set().union(*sums.values())
right = {day: sums["in"][day] - sums["back"][day] for day in days}
found = {str(day): int(amount) for day, amount in revenue.items()}
if not any(found.values()):
    print("Not attempted yet: all of `revenue` is 0.")
else:
    total, back, failed = sum(found.values()), sums["back"].total(), sums["failed"].total()
    off = total - sum(right.values())
    assert off != back, f"{back} cents that went back are still counted as if they were here."
    assert off != 2 * back, f"{back} cents that went back were added: they have to be taken away."
    assert off != 2 * back + failed, f"{failed} cents never came in: those payments failed."
    assert off == 0, f"It is {off} cents too much in all. Compare it with the events."
    assert found == right, "The sum is right, and the days are not: when was a payment made?"
    print(f"Correct: {total} cents on {len(right)} days, as the log has them.")
# > Not attempted yet: all of `revenue` is 0.

# %% [markdown]
# <details><summary>A hint</summary>
#
# `sum(amount_cents)` adds up all payments of a day.
# Which of them did not come in, and which went out?
#
# </details>
# <details><summary>A stronger hint</summary>
#
# In SQL, `CASE status WHEN 'captured' THEN amount_cents WHEN 'refunded' THEN -amount_cents ELSE 0
# END` is what one payment adds.
#
# </details>

# %% id="ch16-revenue-all" tags=["mutant"]
query = "SELECT date(created) AS day, sum(amount_cents) AS cents FROM payments GROUP BY day"
revenue = rows(shop_database, query).set_index("day")["cents"].to_dict()  # "it says payments"
# > 1059092 cents never came in: those payments failed.

# %% id="ch16-revenue-captured" tags=["mutant"]
query = """
SELECT date(created) AS day, sum(amount_cents) AS cents
FROM payments WHERE status = 'captured' GROUP BY day
"""  # "came in"
revenue = rows(shop_database, query).set_index("day")["cents"].to_dict()
# > 506740 cents that went back are still counted

# %% id="ch16-revenue-not-failed" tags=["mutant"]
query = """
SELECT date(created) AS day, sum(amount_cents) AS cents
FROM payments WHERE status != 'failed' GROUP BY day
"""  # "whatever worked"
revenue = rows(shop_database, query).set_index("day")["cents"].to_dict()
# > 506740 cents that went back were added

# %% id="ch16-revenue-ordered" tags=["mutant"]
query = """
SELECT date(orders.created) AS day, sum(CASE payments.status
    WHEN 'captured' THEN amount_cents WHEN 'refunded' THEN -amount_cents ELSE 0
END) AS cents FROM payments JOIN orders USING (order_id) GROUP BY day
"""  # "the day of the sale"
revenue = rows(shop_database, query).set_index("day")["cents"].to_dict()
# > The sum is right, and the days are not

# %% id="ch16-revenue-solution" tags=["solution"]
query = """
SELECT date(created) AS day, sum(CASE status
    WHEN 'captured' THEN amount_cents WHEN 'refunded' THEN -amount_cents ELSE 0
END) AS cents FROM payments GROUP BY day
"""
revenue = rows(shop_database, query).set_index("day")["cents"].to_dict()

# %% [markdown]
# ## Three questions

# %% [markdown]
# **1. A subscriber commits by hand, after each effect. What can a power cut do to its table?**
#
# <details><summary>Nothing: that is what committing by hand is for.</summary>
#
# No.
# You saw 101 orders of 100.
#
# </details>
# <details><summary>One effect may be there twice.</summary>
#
# Yes.
# That of the record whose offset was not committed yet.
#
# </details>
# <details><summary>One effect may be missing.</summary>
#
# No.
# That is the other order of the two commits.
#
# </details>

# %% [markdown]
# **2. The ids of handled events are kept in Redis, and the effects in SQL. Is that enough?**
#
# <details><summary>Yes, if Redis is never lost.</summary>
#
# No.
# The power may fail between the two, as between SQL and Kafka.
#
# </details>
# <details><summary>Yes, if the id is written first.</summary>
#
# No.
# Then an effect may be missing, as in exercise 1.
#
# </details>
# <details><summary>No: id and effect need one transaction.</summary>
#
# Yes.
# So the ids are kept where the effects are.
#
# </details>

# %% [markdown]
# **3. A dead letter is put aside at 9:00 and replayed at 11:00. What is not as it was?**
#
# <details><summary>Nothing: it is the same event.</summary>
#
# No.
# The event is, and its place is another one.
#
# </details>
# <details><summary>Its effect may be there twice.</summary>
#
# No.
# It had none, and has the same id as before.
#
# </details>
# <details><summary>It comes behind later events of its key.</summary>
#
# Yes.
# Those that built on it have failed, or should have been parked.
#
# </details>

# %% [markdown]
# ## What Kafka calls this
#
# | word | what it is | where you met it |
# |---|---|---|
# | at least once | the effect, then the offset | `effect_first` |
# | at most once | the offset, then the effect | `offset_first` |
# | `enable.auto.commit` | the client commits, when it polls | the article's subscriber |
# | committed offset | where the group goes on | what a power cut left behind |
# | static membership | a member with a name of its own | `group_instance_id` |
#
# *Idempotent handler*, *poison* and *dead letter* are no words of the broker.
# Kafka Connect and Kafka Streams can
# [write dead letters](https://kafka.apache.org/44/configuration/kafka-connect-configs/#sinkconnectorconfigs_errors.deadletterqueue.topic.name);
# a consumer does it itself, as yours did.

# %% [markdown]
# ## Clean up
#
# The databases go with their folder.
# This notebook lets go of the cluster.

# %% id="cleanup" tags=["cleanup"]
folder.cleanup()
cluster.stop()
cluster
