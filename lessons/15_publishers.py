# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 15 · Publishers
#
# After this lesson you can
#
# - write a publisher that loses nothing in silence, and say what each of its lines is for,
# - publish from a request, from a socket and from a schedule,
# - predict what a crash leaves behind between SQL and Kafka, and cure it with an outbox.
#
# **Time** 40 minutes.
# **You need** lessons 02, 05 and 12.

# %% [markdown]
# ## Why
#
# Somebody clicks, and the shop says thank you.
# From then on the warehouse, the bank and the tax office rest on one event.
# If it is not in Kafka, nobody will ever pack that parcel, and no log says so.
#
# A publisher is a few lines, and most of the ways to write them lose events.
# Here you write one, see it fail, and mend it.

# %% id="start" tags=["setup"]
import json
import os
import signal
import threading
import time
from collections import defaultdict
from decimal import Decimal
from tempfile import TemporaryDirectory

# %%
import pandas as pd
import socketio
from kafka import KafkaProducer
from sqlalchemy import select

from eventlab import Cluster, charts, observe, programs
from eventlab.orders import DomainError, Item, OrderCreated, decode, encode, sample_events
from eventlab.orders.store import Store

# %%
cluster = Cluster.start()
if cluster.name_of("orders") != "orders":
    print("Others use this cluster too: the shop and its topics get one of their own.")
    cluster = Cluster.start("shop", backend="embedded")
SERVERS = cluster.bootstrap_servers
folder = TemporaryDirectory()

# %% [markdown]
# ## The smallest publisher
#
# This is how many begin, and it works at once:


# %%
class FirstPublisher:
    """As small as can be."""

    def __init__(self, servers, topic):
        self.topic = topic
        self.producer = KafkaProducer(bootstrap_servers=servers)

    def publish_order_created(self, order_id):
        event = {"event": "ORDER_CREATED", "orderId": order_id}
        self.producer.send(self.topic, json.dumps(event).encode())


# %% [markdown]
# A publisher lives in a process, and processes end.
# So we run it in one of its own, as `programs.start` does with a function:


# %% id="first-day"
def first_day(end):
    """Publish two hundred orders, and end by itself or be killed."""
    publisher = FirstPublisher(SERVERS, "first-15")
    for number in range(200):
        publisher.publish_order_created(f"O-{number}")
    print("200 orders published", flush=True)
    if end == "killed":
        os.kill(os.getpid(), signal.SIGKILL)


# %% [markdown]
# > **Predict.**
# > 200 calls have returned, and the program has said so.
# > Then the machine takes the process away (`SIGKILL`), as it does when memory runs out.
# > How many events are in the topic?

# %% id="killed"
cluster.create_topic("first-15", partitions=3, fresh=True)
with programs.start(first_day, "killed") as program:
    code = program.wait()

code, program.said.splitlines()[-1]
# > (-9, '200 orders published')

# %%
print("all 200 are there:", len(observe.records(cluster, "first-15")) == 200)
# > all 200 are there: False

# %% [markdown]
# **`send` does not send.**
# It puts the record into a buffer, and a thread sends it when it comes to it
# ([`KafkaProducer.send`](https://kafka-python.readthedocs.io/en/master/apidoc/KafkaProducer.html)).
# When the process is gone, the buffer is gone.
#
# > **Predict.**
# > And when the same program ends by itself, still without `flush` or `close`?

# %% id="ended"
cluster.create_topic("first-15", partitions=3, fresh=True)
with programs.start(first_day, "by itself") as program:
    program.wait()

len(observe.records(cluster, "first-15"))
# > 200

# %% [markdown]
# All there: kafka-python has asked Python to be called at the end, and closes the producer then.
# That is why the mistake is found so late.
# It works on every day but the one on which something else has gone wrong.

# %% [markdown]
# ## The error that nobody sees
#
# The next topic takes no record of more than 20,000 bytes
# ([`max.message.bytes`](https://kafka.apache.org/44/configuration/topic-configs/#topicconfigs_max.message.bytes)).
#
# > **Predict.**
# > One order is small, and one has a whole letter in its number.
# > This time we `flush` after each, and wait until everything has been answered.
# > Which line raises?

# %% id="narrow"
narrow = {"partitions": 3, "configs": {"max.message.bytes": 20_000}, "fresh": True}
cluster.create_topic("narrow-15", **narrow)

publisher = FirstPublisher(SERVERS, "narrow-15")
for order_id in ("O-1", "O-" + "9" * 30_000):
    publisher.publish_order_created(order_id)
    publisher.producer.flush(timeout=30)
publisher.producer.close(timeout=30)

len(observe.records(cluster, "narrow-15"))
# > 1

# %% [markdown]
# None.
# `flush` waits for answers, and does not say which they were.
# The answer is in what `send` has returned, a **future**, and our publisher has thrown it away.

# %% [markdown]
# ## The story that is torn
#
# Orders have more than one event.
# Here are those of 300 orders, sent without a key, as our publisher does:

# %%
events = list(sample_events(300, seed=15))
safely = {"acks": "all", "enable_idempotence": True, "max_block_ms": 10_000, "linger_ms": 20}

cluster.create_topic("keyless-15", partitions=3, fresh=True)
with KafkaProducer(bootstrap_servers=SERVERS, **safely) as producer:
    for event in events:
        producer.send("keyless-15", encode(event).value)

# %% [markdown]
# > **Predict.**
# > How many of the 300 stories can a reader not tell, who takes one partition after the other?


# %%
def torn(records):
    """The orders whose events are in more than one partition."""
    homes = defaultdict(set)
    for record in records.itertuples():
        homes[json.loads(record.value)["subject"]].add(record.partition)
    return sum(len(partitions) > 1 for partitions in homes.values())


lost_order = torn(observe.records(cluster, "keyless-15"))
print("most of them:", lost_order > 150)
# > most of them: True


# %% [markdown]
# ## A careful one
#
# Three mistakes, and a line against each:


# %%
class CarefulPublisher:
    """Sends whole events under their key, and knows what became of each."""

    def __init__(self, servers, topic):
        self.producer = KafkaProducer(bootstrap_servers=servers, **safely)
        self.topic, self.sent = topic, []

    def publish(self, event):
        self.sent.append((event, self.producer.send(self.topic, **encode(event)._asdict())))

    def close(self):
        self.producer.close(timeout=30)
        return [event for event, future in self.sent if not future.succeeded()]


# %% [markdown]
# - `encode` gives the key, which keeps a story together, and an envelope with an id.
# - `safely` has `acks="all"`: answered means that all in-sync replicas have it (lesson 12).
# - `close` waits for all answers, looks at each, and tells which events are **not known to be
#   there**.
#
# One event among ours is too large for the topic:


# %%
def order(order_id, lines=1):
    """Somebody wants cups."""
    items = tuple(Item(f"CUP-{n}", 1, Decimal("5.00")) for n in range(lines))
    return OrderCreated(order_id, "C-1", items)


giant = order("O-giant", lines=400)
print("too large:", len(encode(giant).value) > 20_000)
# > too large: True

# %% id="careful"
cluster.create_topic("narrow-15", **narrow)

publisher = CarefulPublisher(SERVERS, "narrow-15")
for event in [*events, giant]:
    publisher.publish(event)
failed = publisher.close()
print("giant is told of:", giant in failed)
# > giant is told of: True

# %% [markdown]
# Kafka refuses a **batch**, and this client then gives up whatever else is on its way.
# Each of these events is named: of every other we know that it is there.

# %% id="known"
found = observe.records(cluster, "narrow-15")
there = {decode(record).event_id for record in found.itertuples()}
told = {event.event_id for event in failed}
print("not there, and nobody was told:", {event.event_id for event in events} - there - told)
print("torn:", torn(found))
# > not there, and nobody was told: set()
# > torn: 0

# %% [markdown]
# A picture of the two topics.
# Every point is an event as it was read, the higher the later it happened.
# A red cross came after a *later* event of its order.


# %%
def as_read(topic):
    """What `charts.ordering` wants: where each event was, and its place among all."""
    place = {event.event_id: number for number, event in enumerate(events)}
    found = observe.records(cluster, topic)
    told = [decode(record) for record in found.itertuples()]
    return pd.DataFrame(
        {
            "partition": list(found["partition"]),
            "producer_seq": [place[event.event_id] for event in told],
            "key": [event.key for event in told],
        }
    )


# %%
without = charts.ordering(as_read("keyless-15"))
without

# %%
charts.describe(without)

# %%
charts.describe(charts.ordering(as_read("narrow-15")))

# %% [markdown]
# And a process that is killed?
# It still takes its buffer with it.
# But now nobody has been told that these events are there.
# **Say thank you after the acknowledgement, not after `send`.**

# %% [markdown]
# ## The one in the package
#
# `eventlab.orders.publisher` has the same in earnest.
# It returns a **delivery** for each event, which knows its place, or why there is none:

# %%
from eventlab.orders import publisher as package

with package.OrderPublisher(SERVERS, "narrow-15") as publisher:
    delivery = publisher.publish_order_created("O-2", "C-1", (Item("CUP", 2, Decimal("5.00")),))
    print(delivery.get(timeout=10).topic, "|", delivery)

# %%
try:
    with package.OrderPublisher(SERVERS, "narrow-15") as publisher:
        publisher.publish(order("O-3")).get(timeout=10)
        publisher.publish(giant)
except package.NotDelivered as error:
    what, seen, fix = error.args
    print(what, seen, fix.partition(". ")[2], sep="\n")
# > 1 event is not known to be in Kafka.
# > 1 failed (MessageSizeTooLargeError); the first is OrderCreated of O-giant.
# > Publish it again with the same id: subscribers drop what they have seen.

# %% [markdown]
# Every call has a deadline, a topic that there is not is refused at once, and unsafe settings too.
# The last sentence is the important one.
# *Not acknowledged* does not mean *not there*: the answer may be what got lost.
# So it is sent again, with the **same** id, and a copy does no harm.

# %% [markdown]
# ## In by a request
#
# A browser does not speak Kafka.
# It sends a command by HTTP, and a server makes an event of it.
# The server needs to know what there is to buy and who buys, so there is a small shop in SQL:

# %%
from eventlab.orders import CustomerRegistered, ProductListed
from eventlab.orders.handlers import handle


def new_shop(name):
    """A store of its own, with one customer and one product."""
    store = Store(f"{folder.name}/{name}-{time.time_ns()}.db")
    with store.transaction() as db:
        handle(CustomerRegistered("C-1", "Ada", "GB"), db)
        handle(ProductListed("CUP", "A cup", "kitchen", Decimal("5.00")), db)
    return store


# %% id="serve"
from eventlab.orders.web import OrderApi, serve

cluster.create_topic("web-15", partitions=3, fresh=True)
store = new_shop("web")
api = OrderApi(store, SERVERS, topic="web-15")
server = serve(api)
token = server.token_file.read_text()

# %%
from urllib.request import Request, urlopen

ORDER = {"customer_id": "C-1", "items": [{"product_id": "CUP", "quantity": 2}]}


def post(body, **headers):
    """POST an order; return the status and what was answered."""
    headers |= {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = Request(f"{server.url}/orders", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=30) as answer:
        return answer.status, json.loads(answer.read())


# %%
status, accepted = post(ORDER)
status, list(accepted)
# > (202, ['event_id', 'order_id', 'type'])

# %% [markdown]
# 202 is *accepted*: the event is in Kafka, and what follows from it is not done yet.
#
# > **Predict.**
# > A phone sends an order, goes into a tunnel, gets no answer, and sends it again.
# > How many parcels?

# %%
answers = [post(ORDER)[1]["event_id"] for _ in range(2)]
print("one event:", answers[0] == answers[1])
# > one event: False

# %% [markdown]
# Two orders: nobody can tell a repetition from a second wish.
# Only the client can, so it has to say so, with an **idempotency key** that it makes for each wish:

# %%
tunnel = {"Idempotency-Key": "wish-4711"}
answers = [post(ORDER, **tunnel)[1]["event_id"] for _ in range(2)]
print("one event:", answers[0] == answers[1])
# > one event: True

# %%
len(observe.records(cluster, "web-15"))
# > 4

# %% [markdown]
# ## In by a socket
#
# With Socket.IO the connection stays, so the server can tell what happens *later*
# ([python-socketio](https://github.com/miguelgrinberg/python-socketio)).
# The next cell places an order.
# Then the bank, another program that knows nothing of sockets, publishes a payment:

# %% id="socket"
from eventlab.orders import OrderPaid

api.feed.ready.wait(30)  # it has a place in the topic, and will see what comes
with socketio.SimpleClient() as client:
    client.connect(server.url, auth={"token": token}, transports=["websocket"])
    placed = client.call("place_order", ORDER)
    told = [client.receive(timeout=20)]
    with package.OrderPublisher(SERVERS, "web-15") as bank:
        bank.publish(OrderPaid(placed["order_id"], "P-1", Decimal("10.00"), "card"))
    told.append(client.receive(timeout=20))

# %%
[event["type"] for _, event in told]
# > ['example.eventlab.order.created', 'example.eventlab.order.paid']

# %%
server.stop()
store.close()

# %% [markdown]
# ## In by the clock
#
# Prices are published every tenth of a second.
#
# > **Predict.**
# > Publish, wait a tenth, publish, wait a tenth.
# > When is the 20th publication: after 1.9 seconds, sooner, later?

# %%
from eventlab.orders.background import running
from eventlab.orders.schedule import Schedule
from eventlab.waiting import wait_until

cluster.create_topic("prices-15", partitions=1, fresh=True)
prices = package.OrderPublisher(SERVERS, "prices-15")


def publish_price():
    """Publish a price, and look up three others."""
    moments.append(time.monotonic())
    prices.publish(ProductListed("CUP", "A cup", "kitchen", Decimal("5.00"))).get(timeout=10)
    threading.Event().wait(0.02)


# %%
def tick(schedule, times):
    """Let a schedule run for so many ticks; return it."""
    with running(schedule.run):
        wait_until(lambda: schedule.done >= times, 20, "The schedule does not tick.")
    return schedule


# %% id="drift"
moments = []
for _ in range(20):
    publish_price()
    threading.Event().wait(0.1)
by_waiting = moments

moments = []
tick(Schedule(0.1, publish_price, missed="catch up"), 20)  # see below
by_schedule = moments[:20]


# %%
def drift(moments):
    """How late each tick was, in milliseconds after its time."""
    return [1000 * (each - moments[0] - 0.1 * n) for n, each in enumerate(moments)]


late = pd.DataFrame({"by waiting": drift(by_waiting), "by schedule": drift(by_schedule)})
late.iloc[[0, 5, 10, 19]].round(0).rename_axis("tick")

# %%
print("waiting drifts by more than 300 ms:", late["by waiting"][19] > 300)
print("and the schedule less:", late["by schedule"][19] < late["by waiting"][19] / 2)
# > waiting drifts by more than 300 ms: True
# > and the schedule less: True

# %% [markdown]
# Whoever waits adds the time of the work to each period.
# A schedule knows when tick *n* is due, and waits only for what is left.
#
# And when the work takes longer than the period?
# Then ticks are missed, and somebody has to say what that means:


# %% id="missed"
def too_slow():
    """Take two and a half periods."""
    threading.Event().wait(0.25)


missed = {
    what: tick(Schedule(0.1, too_slow, missed=what), 5).skipped for what in ("skip", "catch up")
}
missed["skip"] > 0, missed["catch up"]
# > (True, 0)

# %%
prices.close()

# %% [markdown]
# *Skip* has left some out, *catch up* none.
# A price of a second ago is worth nothing: skip it.
# A daily statement is wanted for each day: catch up.
# What happens when the *process* is restarted, you find out in exercise 3.

# %% [markdown]
# ## Two writes
#
# The shop wants the order in its own tables, too.
# Two systems, two writes, and a process can be killed at any moment:


# %%
def commit_then_send(store, publisher, event):
    with store.transaction() as db:
        handle(event, db)
    publisher.publish(event).get(timeout=10)


# %%
def send_then_commit(store, publisher, event):
    with store.transaction() as db:
        handle(event, db)
        publisher.publish(event).get(timeout=10)


# %% [markdown]
# *Commit the row, then send: that is atomic enough*, many say.
# Let us see.
# A process runs one of the two, and kills itself at one of three moments:
#
# - **before the commit**, when the transaction has done its work and is about to be committed,
# - **after the commit**, when the row is there for good,
# - **after the send**, when Kafka has acknowledged the event.
#
# > **Predict.**
# > Is there a row, is there an event?
# > Fill in yes or no, on paper.
# >
# > | | killed before the commit | after the commit | after the send |
# > |---|---|---|---|
# > | commit, then send | row:  event: | row:  event: | row:  event: |
# > | send, then commit | row:  event: | row:  event: | row:  event: |
#
# The two places where it can be killed from, and the program:

# %% id="killed-while"
from contextlib import contextmanager
from functools import partial

MOMENTS = ["before the commit", "after the commit", "after the send"]


def reached(this, moment):
    """End this process at once when this is the moment."""
    if this == moment:
        os.kill(os.getpid(), signal.SIGKILL)


# %%
@contextmanager
def watched(moment, transaction):
    """A transaction of the store, which its process may not survive."""
    with transaction() as db:
        yield db
        reached("before the commit", moment)
    reached("after the commit", moment)


# %%
def acknowledged(moment, publish, *args):
    """Publish, wait for the acknowledgement, and perhaps die."""
    delivery = publish(*args)
    delivery.get(timeout=10)
    reached("after the send", moment)
    return delivery


# %%
def killed_while(place, moment, database, topic, order_id):
    """Place an order, and be killed at a moment."""
    event = OrderCreated(order_id, "C-1", (Item("CUP", 2, Decimal("5.00")),))
    with Store(database) as store, package.OrderPublisher(SERVERS, topic) as publisher:
        store.transaction = partial(watched, moment, store.transaction)
        publisher.publish_encoded = partial(acknowledged, moment, publisher.publish_encoded)
        place(store, publisher, event)


# %% id="die"
def die(place, moment, store, topic):
    """Let a process place an order and be killed at a moment; return the order's id."""
    order_id, database = f"O-{time.time_ns()}", store.url.removeprefix("sqlite:///")
    with programs.start(killed_while, place, moment, database, topic, order_id) as program:
        code = program.wait()
    assert code in (0, -9), program.said
    return order_id


# %%
from eventlab.orders.store.schema import orders


def left_behind(store, topic, order_id):
    """How many rows and events there are of an order."""
    found = observe.records(cluster, topic)
    rows = store.read(select(orders.c.order_id).where(orders.c.order_id == order_id))
    return len(rows), sum(key == order_id.encode() for key in found["key"])


# %% id="dual-write"
cluster.create_topic("dual-15", partitions=3, fresh=True)
store = new_shop("dual")
both = {}
for place in (commit_then_send, send_then_commit):
    for moment in MOMENTS:
        order_id = die(place, moment, store, "dual-15")
        both[place.__name__, moment] = left_behind(store, "dual-15", order_id)

# %%
table = pd.Series({key: f"row {rows}, event {sent}" for key, (rows, sent) in both.items()})
table.unstack()[MOMENTS]

# %%
[moment for moment in MOMENTS if len(set(both["commit_then_send", moment])) > 1]
# > ['after the commit']

# %%
[moment for moment in MOMENTS if len(set(both["send_then_commit", moment])) > 1]
# > ['before the commit', 'after the send']

# %% [markdown]
# One way leaves a **row without an event**: the shop has sold, and the warehouse never hears of it.
# The other leaves an **event without a row**: the warehouse packs what the shop does not know.
# No order of two writes is right.
# There is a gap between them, and someone will die in it.

# %% [markdown]
# ## The outbox
#
# The cure is to write **once**.
# In the same transaction as the row the event is put into a table, the **outbox**.
# A **relay** takes it from there to Kafka, and removes it when it is acknowledged:

# %%
from eventlab.orders.outbox import add
from eventlab.orders.outbox.relay import Relay


# %%
def by_outbox(store, publisher, event):
    with store.transaction() as db:
        handle(event, db)
        add(db, event, publisher.topic)
    with Relay(store, publisher) as relay:
        relay.step()


# %% [markdown]
# > **Predict.**
# > The same three moments, and afterwards a relay in *another* process takes over.
# > Rows and events, for each moment?


# %%
def relay_all(store, topic):
    """Relay what waits, as the next process would."""
    with package.OrderPublisher(SERVERS, topic) as publisher, Relay(store, publisher) as relay:
        wait_until(lambda: relay.step() == 0 and relay.active, 20, "It is never our turn.")


# %% id="outbox"
cured = {}
for moment in MOMENTS:
    order_id = die(by_outbox, moment, store, "dual-15")
    relay_all(store, "dual-15")
    cured[moment] = left_behind(store, "dual-15", order_id)

list(cured.values())
# > [(0, 0), (1, 1), (1, 2)]

# %% [markdown]
# Row and event, or none of them.
# *After the send* the event came twice: the first relay did not live to note that it was there.
# Is that a second order?

# %%
found = observe.records(cluster, "dual-15")
copies = found[found["key"] == order_id.encode()]
len(copies), len({decode(record).event_id for record in copies.itertuples()})
# > (2, 1)

# %% [markdown]
# Two records, **one id**: it was given when the event was made, and is in the row of the outbox.
# Whoever reads drops the copy, as lesson 02 did.
# At least once and an id is all that a publisher can give, and all that is needed.

# %%
store.close()

# %% [markdown]
# ## Exercise 1: your OrderPublisher
#
# This one is the article's, for orders that are created and paid.
# Most of what it is told it throws away.
# Mend it:
#
# - the topic gets whole events (`OrderCreated` and `OrderPaid` of lesson 02), and each story can be
#   told,
# - `close` returns a list: the ids of those orders of which something is **not known** to be in
#   Kafka.
#
# The check runs it in a process that is killed as soon as `close` has returned.
# It runs it a second time, with an order that is too large for the topic.
# `KafkaProducer`, `safely` and `encode` are there for you.


# %% id="ch15-publisher" tags=["exercise"]
class OrderPublisher:
    """The article's, which sends and hopes."""

    def __init__(self, servers, topic):
        self.topic, self.producer = topic, KafkaProducer(bootstrap_servers=servers)

    def publish_order_created(self, order_id, customer_id, items):
        event = {"event": "ORDER_CREATED", "orderId": order_id}
        self.producer.send(self.topic, json.dumps(event).encode())

    def publish_order_paid(self, order_id, payment_id, amount):
        event = {"event": "ORDER_PAID", "orderId": order_id}
        self.producer.send(self.topic, json.dumps(event).encode())

    def close(self):
        """Return the ids of the orders of which something is not known to be in Kafka."""


# %% id="ch15-publisher-check" tags=["check"]
from eventlab.orders import OrderPaid, fold

WANTED = [(f"O-{n}", kind) for n in range(100) for kind in ("OrderCreated", "OrderPaid")]


def one_day(giant):
    """Publish a hundred orders and their payments with your publisher; then be killed."""
    mine = OrderPublisher(SERVERS, "exercise-15")
    for n in range(100):
        cups = 400 if n == 50 and giant else 1
        items = tuple(Item(f"CUP-{cup}", 1, Decimal("5.00")) for cup in range(cups))
        mine.publish_order_created(f"O-{n}", "C-1", items)
        mine.publish_order_paid(f"O-{n}", f"P-{n}", Decimal("5.00"))
    print("told:" + json.dumps(mine.close()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def attempt(giant):
    """Return what your publisher told, and what is in the topic."""
    cluster.create_topic("exercise-15", **narrow)
    with programs.start(one_day, giant) as program:
        code = program.wait(60)
    assert code == -9, f"Your publisher raised: {program.said[-500:]}"
    said = [line for line in program.said.splitlines() if line.startswith("told:")]
    return json.loads(said[0].removeprefix("told:")), observe.records(cluster, "exercise-15")


def untold(told, arrived):
    """Return what is neither in the topic nor told."""
    there = {(event.order_id, type(event).__name__) for event in arrived}
    return [
        (order_id, kind)
        for order_id, kind in WANTED
        if order_id not in told and (order_id, kind) not in there
    ]


told, found = attempt(giant=False)

if told is None:
    print("Not attempted yet: close returns None, and no list.")
else:
    try:
        arrived = [decode(record) for record in found.itertuples()]
    except DomainError as error:
        raise AssertionError(f"A record is no whole event: {error}") from None
    lost = untold(told, arrived)
    assert not lost, f"Gone with the process, and nobody was told: {len(lost)} events."
    assert not told, f"Called missing, and they are there: {len(told)} orders."
    assert len(arrived) == 200, f"There are {len(arrived)} records of 200 events."
    assert torn(found) == 0, f"In more than one partition: {torn(found)} stories."
    stories = defaultdict(list)
    for event in arrived:
        stories[event.key].append(event)
    for story in stories.values():
        assert fold(story).order.status == "paid", f"This is not what happened: {story}."
    told, found = attempt(giant=True)
    lost = untold(told, map(decode, found.itertuples()))
    assert not lost, f"An event was refused, and nobody was told: {lost[0]}."
    print(f"Correct: {len(stories)} stories can be told, and what was refused is known.")
# > Not attempted yet: close returns None, and no list.

# %% [markdown]
# <details><summary>A hint</summary>
#
# Three things: a key, waiting for the answers before `close` returns, and looking at them.
# `CarefulPublisher` does the three.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# Keep the order's id with each future that `producer.send(self.topic, **encode(event)._asdict())`
# returns.
# In `close`, close the producer first, and then ask each future whether it has `succeeded()`.
#
# </details>


# %% id="ch15-publisher-no-flush" tags=["mutant"]
class OrderPublisher:
    """Sends, "and it is sent"."""

    def __init__(self, servers, topic):
        settings = {**safely, "linger_ms": 1000}
        self.topic, self.producer = topic, KafkaProducer(bootstrap_servers=servers, **settings)

    def publish_order_created(self, order_id, customer_id, items):
        self.send(OrderCreated(order_id, customer_id, items))

    def publish_order_paid(self, order_id, payment_id, amount):
        self.send(OrderPaid(order_id, payment_id, amount, "card"))

    def send(self, event):
        self.producer.send(self.topic, **encode(event)._asdict())

    def close(self):
        return []


# > Gone with the process, and nobody was told:


# %% id="ch15-publisher-errors-ignored" tags=["mutant"]
class OrderPublisher:
    """Flushes, "and everything is there"."""

    def __init__(self, servers, topic):
        self.topic, self.producer = topic, KafkaProducer(bootstrap_servers=servers, **safely)

    def publish_order_created(self, order_id, customer_id, items):
        self.send(OrderCreated(order_id, customer_id, items))

    def publish_order_paid(self, order_id, payment_id, amount):
        self.send(OrderPaid(order_id, payment_id, amount, "card"))

    def send(self, event):
        self.producer.send(self.topic, **encode(event)._asdict())

    def close(self):
        self.producer.flush(timeout=30)
        return []


# > An event was refused, and nobody was told: ('O-50', 'OrderCreated').


# %% id="ch15-publisher-own-key" tags=["mutant"]
class OrderPublisher:
    """Gives each event a key of its own."""

    def __init__(self, servers, topic):
        self.topic, self.sent = topic, []
        self.producer = KafkaProducer(bootstrap_servers=servers, **safely)

    def publish_order_created(self, order_id, customer_id, items):
        self.send(OrderCreated(order_id, customer_id, items))

    def publish_order_paid(self, order_id, payment_id, amount):
        self.send(OrderPaid(order_id, payment_id, amount, "card"))

    def send(self, event):
        record = encode(event)._replace(key=event.event_id.encode())
        self.sent.append((event.order_id, self.producer.send(self.topic, **record._asdict())))

    def close(self):
        self.producer.flush(timeout=30)
        return [order_id for order_id, future in self.sent if not future.succeeded()]


# > In more than one partition:


# %% id="ch15-publisher-smallest" tags=["mutant"]
class OrderPublisher:
    """Says as little as can be said."""

    def __init__(self, servers, topic):
        self.topic, self.producer = topic, KafkaProducer(bootstrap_servers=servers, **safely)

    def publish_order_created(self, order_id, customer_id, items):
        self.send({"event": "ORDER_CREATED", "orderId": order_id})

    def publish_order_paid(self, order_id, payment_id, amount):
        self.send({"event": "ORDER_PAID", "orderId": order_id})

    def send(self, event):
        self.producer.send(self.topic, json.dumps(event).encode(), event["orderId"].encode())

    def close(self):
        self.producer.flush(timeout=30)
        return []


# > A record is no whole event:


# %% id="ch15-publisher-too-early" tags=["mutant"]
class OrderPublisher:
    """Looks at the answers before they are there."""

    def __init__(self, servers, topic):
        self.topic, self.sent = topic, []
        settings = {**safely, "linger_ms": 1000}
        self.producer = KafkaProducer(bootstrap_servers=servers, **settings)

    def publish_order_created(self, order_id, customer_id, items):
        self.send(OrderCreated(order_id, customer_id, items))

    def publish_order_paid(self, order_id, payment_id, amount):
        self.send(OrderPaid(order_id, payment_id, amount, "card"))

    def send(self, event):
        future = self.producer.send(self.topic, **encode(event)._asdict())
        self.sent.append((event.order_id, future))

    def close(self):
        failed = [order_id for order_id, future in self.sent if not future.succeeded()]
        self.producer.flush(timeout=30)
        return failed


# > Called missing, and they are there:


# %% id="ch15-publisher-solution" tags=["solution"]
class OrderPublisher:
    """Publishes whole events under their key, and knows what became of each."""

    def __init__(self, servers, topic):
        self.topic, self.sent = topic, []
        self.producer = KafkaProducer(bootstrap_servers=servers, **safely)

    def publish_order_created(self, order_id, customer_id, items):
        self.send(OrderCreated(order_id, customer_id, items))

    def publish_order_paid(self, order_id, payment_id, amount):
        self.send(OrderPaid(order_id, payment_id, amount, "card"))

    def send(self, event):
        future = self.producer.send(self.topic, **encode(event)._asdict())
        self.sent.append((event.order_id, future))

    def close(self):
        self.producer.close(timeout=30)
        return [order_id for order_id, future in self.sent if not future.succeeded()]


# %% [markdown]
# Now compare it with the package's: `package.OrderPublisher??` shows it.
# It is longer.
# Which of its lines are for a broker that is away, a topic that is not there, and a program that
# sends faster than Kafka takes?
#
# ## Exercise 2: one write
#
# Write `place_order`: the order is in the tables (`handle(event, db)`), and its event gets into the
# topic `publisher.topic`, whenever the process is killed.
# You may use `handle`, `add` and the two arguments.
# The check kills it at the three moments, relays what waits, and looks at both sides.


# %% id="ch15-one-write" tags=["exercise"]
def place_order(store, publisher, event):
    """Write the order and its event, both or none."""
    # your lines here


# %% id="ch15-one-write-check" tags=["check"]
from eventlab.orders.store.schema import outbox

cluster.create_topic("one-write-15", partitions=3, fresh=True)
with new_shop("one-write") as store:
    placed = {"never": die(place_order, "never", store, "one-write-15")}
    topics = set(store.read(select(outbox.c.topic))["topic"])
    assert topics <= {"one-write-15"}, f"The outbox has events for {topics}, not for its topic."
    relay_all(store, "one-write-15")
    rows, sent = left_behind(store, "one-write-15", placed["never"])
    if rows == sent == 0:
        print("Not attempted yet: there is no row and no event.")
    else:
        assert rows, "There is an event, and no row, though nobody was killed."
        assert sent, "There is a row, and no event, though nobody was killed."
        placed |= {m: die(place_order, m, store, "one-write-15") for m in MOMENTS}
        relay_all(store, "one-write-15")
        found = observe.records(cluster, "one-write-15")
        ids = {key: set() for key in found["key"]}
        for record in found.itertuples():
            ids[record.key].add(decode(record).event_id)
        for moment, order_id in placed.items():
            rows, sent = left_behind(store, "one-write-15", order_id)
            assert not rows or sent, f"Killed {moment}: there is a row without an event."
            assert rows or not sent, f"Killed {moment}: there is an event without a row."
            different = len(ids.get(order_id.encode(), ()))
            assert different <= 1, f"Killed {moment}: {different} ids for one thing that happened."
        print("Correct: whenever it is killed, both sides say the same.")
# > Not attempted yet: there is no row and no event.

# %% [markdown]
# <details><summary>A hint</summary>
#
# Both have to be written by *one* commit.
# SQL cannot write into Kafka, so the event has to go into SQL.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `handle(event, db)` and `add(db, event, publisher.topic)` belong into one `store.transaction()`.
# Sending is the relay's work, and the check has one.
#
# </details>


# %% id="ch15-one-write-commit-send" tags=["mutant"]
def place_order(store, publisher, event):
    """Commit, then send: "atomic enough"."""
    with store.transaction() as db:
        handle(event, db)
    publisher.publish(event).get(timeout=10)


# > Killed after the commit: there is a row without an event.


# %% id="ch15-one-write-send-inside" tags=["mutant"]
def place_order(store, publisher, event):
    """Send in the transaction: "then it is part of it"."""
    with store.transaction() as db:
        handle(event, db)
        publisher.publish(event).get(timeout=10)


# > Killed before the commit: there is an event without a row.


# %% id="ch15-one-write-two-transactions" tags=["mutant"]
def place_order(store, publisher, event):
    """Use the outbox, in a transaction of its own."""
    with store.transaction() as db:
        handle(event, db)
    with store.transaction() as db:
        add(db, event, publisher.topic)


# > Killed after the commit: there is a row without an event.


# %% id="ch15-one-write-event-only" tags=["mutant"]
def place_order(store, publisher, event):
    """Leave the row to somebody else."""
    with store.transaction() as db:
        add(db, event, publisher.topic)


# > There is an event, and no row, though nobody was killed.


# %% id="ch15-one-write-other-topic" tags=["mutant"]
def place_order(store, publisher, event):
    """Forget for which topic it is."""
    with store.transaction() as db:
        handle(event, db)
        add(db, event)


# > The outbox has events for {'orders'}, not for its topic.


# %% id="ch15-one-write-new-id" tags=["mutant"]
def place_order(store, publisher, event):
    """Be quick, and make the event once more: "twice is safer"."""
    with store.transaction() as db:
        handle(event, db)
        add(db, event, publisher.topic)
    again = OrderCreated(event.order_id, event.customer_id, event.items)
    publisher.publish(again).get(timeout=10)


# > Killed never: 2 ids for one thing that happened.


# %% id="ch15-one-write-solution" tags=["solution"]
def place_order(store, publisher, event):
    """Write the order and its event, both or none."""
    with store.transaction() as db:
        handle(event, db)
        add(db, event, publisher.topic)


# %% [markdown]
# ## Exercise 3: one a period, whatever restarts
#
# The price of the cup is published once for each period of `EVERY` seconds.
# The process is restarted in the middle, and two of them may run at once, so some periods are
# published twice.
# That is no harm if both publish **the same event**.
# Write `price_of_now`: it returns the `ProductListed` of the period in which `now` lies.
#
# `now` is in seconds since 1970.
# Each event takes an `event_id=...` and a `time=...` (a `datetime` in UTC), if you do not like
# those that it gives itself.

# %%
from datetime import UTC, datetime

EVERY = 0.25
PRICE = ("CUP", "A cup", "kitchen", Decimal("5.00"))


# %% id="ch15-period" tags=["exercise"]
def price_of_now(now):
    """Return the event of a period: ProductListed(*PRICE, ...)."""
    # your lines here


# %% id="ch15-period-check" tags=["check"]
def publish_due():
    """Publish what is due, and note for which period."""
    now = time.time()
    periods.add(int(now // EVERY))
    periodical.publish(price_of_now(now)).get(timeout=10)


periods = set()
if price_of_now(0.0) is None:
    print("Not attempted yet: price_of_now returns None.")
else:
    cluster.create_topic("periods-15", partitions=1, fresh=True)
    for _ in range(2):  # the second is what a restart begins
        with package.OrderPublisher(SERVERS, "periods-15") as periodical:
            tick(Schedule(EVERY / 4, publish_due), 10)
    records = observe.records(cluster, "periods-15")
    ids = records["value"].map(lambda value: json.loads(value)["id"])
    many, wanted = ids.nunique(), len(periods)
    assert many <= wanted, f"Too many: {many} events for {wanted} periods."
    assert many >= wanted, f"Too few: {many} events for {wanted} periods."
    same = records.groupby(ids)["value"].nunique().max() == 1
    assert same, "Two events have the same id, and say different things: which one is right?"
    print(f"Correct: {len(records)} records, and without copies one for each of {wanted} periods.")
# > Not attempted yet: price_of_now returns None.

# %% [markdown]
# <details><summary>A hint</summary>
#
# A process that begins knows nothing of the one before it.
# What do both know?
# The clock.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `int(now // EVERY)` is the number of the period: make the id of it.
# And the time is not when the event was made, but when its period began.
#
# </details>


# %% id="ch15-period-new-id" tags=["mutant"]
def price_of_now(now):
    """Let the event give itself an id."""
    return ProductListed(*PRICE)


# > Too many:


# %% id="ch15-period-exact" tags=["mutant"]
def price_of_now(now):
    """Make the id of the moment."""
    return ProductListed(*PRICE, event_id=f"cup-{now}")


# > Too many:


# %% id="ch15-period-product" tags=["mutant"]
def price_of_now(now):
    """Make the id of the product."""
    return ProductListed(*PRICE, event_id="cup")


# > Too few:


# %% id="ch15-period-time" tags=["mutant"]
def price_of_now(now):
    """Make the id of the period, and the time of the moment."""
    return ProductListed(*PRICE, event_id=f"cup-{int(now // EVERY)}")


# > Two events have the same id, and say different things


# %% id="ch15-period-solution" tags=["solution"]
def price_of_now(now):
    """Return the event of the period in which `now` lies."""
    period = int(now // EVERY)
    began = datetime.fromtimestamp(period * EVERY, UTC)
    return ProductListed(*PRICE, event_id=f"cup-{period}", time=began)


# %% [markdown]
# ## Three questions

# %% [markdown]
# **1. `producer.send(...)` has returned. Where is the event?**
#
# <details><summary>On the leader, at least.</summary>
#
# No.
# You killed the process right after 200 calls, and they were not all there.
#
# </details>
# <details><summary>In the memory of the process, unless somebody knows better.</summary>
#
# Yes.
# Only the future knows better.
#
# </details>
# <details><summary>Nowhere, until `flush` is called.</summary>
#
# No.
# A thread sends it soon, with or without `flush`.
#
# </details>

# %% [markdown]
# **2. An event was not acknowledged in time. What now?**
#
# <details><summary>Forget it: it was refused.</summary>
#
# No.
# It may be in the log, and the answer got lost.
#
# </details>
# <details><summary>Make a new event of it, and publish that.</summary>
#
# No.
# If the first one is there, the same thing has now happened twice.
#
# </details>
# <details><summary>Publish it again, with the same id.</summary>
#
# Yes.
# If it is there twice, whoever reads drops the copy.
#
# </details>

# %% [markdown]
# **3. With an outbox, what may still happen?**
#
# <details><summary>An order without an event, if the relay is killed.</summary>
#
# No.
# The event waits in the outbox, and the next relay takes it.
#
# </details>
# <details><summary>An event that comes twice, or late.</summary>
#
# Yes.
# Late, for as long as no relay runs, and twice, when one dies before it could note the first.
#
# </details>
# <details><summary>Nothing: each event comes exactly once.</summary>
#
# No.
# You saw two records with one id.
#
# </details>

# %% [markdown]
# ## What Kafka calls this
#
# | word | what it is | where you met it |
# |---|---|---|
# | producer | the client that sends records | `KafkaProducer` |
# | record accumulator | the buffer in which a record waits to be sent | 200 orders, killed |
# | `linger.ms`, `batch.size` | how long it waits there, and for how many others | `safely` |
# | acknowledgement | the leader's answer, when `acks` is fulfilled | `delivery.get` |
# | `delivery.timeout.ms` | for how long it is tried, before it fails | `NotDelivered` |
# | `max.message.bytes` | how large a batch a topic takes | `narrow-15` |
#
# *Outbox*, *relay* and *dual write* are no words of Kafka: Kafka knows nothing of your tables.
# Its transactions
# ([`transactional.id`](https://kafka.apache.org/44/configuration/producer-configs/#producerconfigs_transactional.id))
# hold topics together, and not SQL.

# %% [markdown]
# ## Clean up
#
# This notebook lets go of the cluster.
# When nobody else holds it, no other notebook and no JupyterLab, the four processes end, and the
# records go with them.

# %% id="cleanup" tags=["cleanup"]
folder.cleanup()
cluster.stop()
cluster
