# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] id="title"
# # 02 · Domain events
#
# After this lesson you can
#
# - write down what happened in a shop as events that others can rely on,
# - choose the key that keeps a story together, and see what every other key does to it,
# - change an event so that programs of yesterday and of tomorrow still understand each other.
#
# **Time** 35 minutes.
# **You need** lesson 00.

# %% [markdown]
# ## Why
#
# A database knows how things *are*: the order is paid.
# An event says what *happened*: on Monday a payment failed, on Tuesday another one came in.
# The shop, the warehouse and the tax office can each work out what they need from that, today or in
# a year, and nobody has to ask anybody else.
#
# That only works when the events are good ones.
# An event that says too little, under the wrong key, in a form that changes without notice, brings
# down programs of people you have never met.

# %% id="start" tags=["setup"]
import json
from collections import Counter, defaultdict
from decimal import Decimal

import pandas as pd
from kafka import KafkaConsumer, KafkaProducer

from eventlab import Cluster, charts, observe
from eventlab.orders import DomainError, Item, decode, encode, fold, sample_events

cluster = Cluster.start()
address = cluster.client_config
replicated = {"replication_factor": 3, "min_insync_replicas": 2, "fresh": True}

# %% [markdown]
# ## Something happened
#
# Somebody wants two teapots.
# The name of an event is in the past tense, because nobody can refuse it any more:

# %%
from eventlab.orders import OrderCreated, OrderPaid, OrderRefunded, PaymentFailed

created = OrderCreated("O-1", "C-00042", (Item("GRUMPY-TEAPOT", 2, Decimal("39.90")),))
created

# %% [markdown]
# Besides what happened it has an id of its own, and a time.
# *Create this order!* would be a **command**: somebody may say no to it.
# A **record** is neither: it is what Kafka stores, whatever is in it.
#
# The money comes in, *because of* the order.
# `then` says so:

# %%
paid = created.then(OrderPaid, "O-1", "P-1", Decimal("79.80"), "card")
paid.causation_id == created.event_id, paid.correlation_id == created.event_id
# > (True, True)

# %% [markdown]
# The *causation* is the event right before.
# The *correlation* is the same for all that follows from one beginning.
# With the two, someone who looks at a thousand programs can tell which of their events belong
# together.

# %% [markdown]
# ## What travels
#
# Kafka stores bytes, so an event is written as JSON:

# %%
record = encode(paid)
print(json.dumps(json.loads(record.value), indent=2))

# %% [markdown]
# `data` says what happened.
# Around it is the **envelope**: who says so, which event it is, when it happened, what it is about.
# Its names are those of [CloudEvents](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md),
# so that programs which have never heard of this shop can sort, trace and store its events.
#
# > **Predict.**
# > The envelope can also travel in the *headers* of the record; the value is then the data alone
# > ([binary mode](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md#32-binary-content-mode)).
# > What can a program then do that does not understand JSON?

# %%
binary = encode(paid, mode="binary")
dict(binary.headers)["ce_type"], json.loads(binary.value)["method"]
# > (b'example.eventlab.order.paid', 'card')

# %% [markdown]
# It can route by type, and skip what it does not want, without opening the value.
# Whoever reads need not know which mode was used:

# %%
print("the same event:", decode(record) == decode(binary) == paid)
# > the same event: True

# %% [markdown]
# ## A thousand stories
#
# All that happened to the first thousand orders of a shop:

# %%
events = list(sample_events(1_000, seed=7))
for name, count in Counter(type(event).__name__ for event in events).most_common():
    print(f"{count:5} {name}")
# >  1063 ShipmentSent
# >  1062 ShipmentDelivered
# >  1000 OrderCreated
# >   938 OrderPaid
# >   108 PaymentFailed
# >    65 OrderRefunded
# >    62 OrderCancelled

# %% [markdown]
# Take the events of each order together, and you have a story.
# What it adds up to is worked out by `fold`:

# %%
stories = defaultdict(list)
for event in events:
    stories[event.key].append(event)

story = stories["O-0000003"]
pd.DataFrame(
    {
        "time": [event.time for event in story],
        "event": [type(event).__name__ for event in story],
        "the order is then": [fold(story[: n + 1]).order.status for n in range(len(story))],
    }
)

# %% [markdown]
# ## Is that not just a row of a table?
#
# Many systems publish the *row*, each time it changes: `{"order": "O-0000003", "status": "paid"}`.
# Here is what a table then has in the end:

# %%
rows = {order_id: fold(story).order.status for order_id, story in stories.items()}
Counter(str(status) for status in rows.values())
# > Counter({'delivered': 872, 'refunded': 65, 'cancelled': 62, 'shipped': 1})

# %% [markdown]
# > **Predict.**
# > The bank wants to know how many orders were paid only at the second try or later.
# > Can you tell from the rows?

# %%
sum(
    any(isinstance(event, PaymentFailed) for event in story)
    and any(isinstance(event, OrderPaid) for event in story)
    for story in stories.values()
)
# > 75

# %% [markdown]
# From the events, yes.
# The rows have forgotten it: a delivered order looks the same however it was paid.
# **Events add up to the rows, and rows do not tell the events.**
# The bank's question came after the shop was built, as questions do.

# %% [markdown]
# ## Which key?
#
# Kafka keeps records with the same key in one partition, and each partition in order
# ([concepts](https://kafka.apache.org/44/getting-started/introduction/#main-concepts-and-terminology)).
# So the key decides which stories can be read in order.
#
# > **Predict.**
# > Three candidates for the key: the event's own id, its type, the order's id.
# > A reader takes the topic and tells each story with `fold`, as the events come in.
# > In how many of the 1,000 stories does it get stuck, for each of the three?

# %% id="helpers"
safely = {"acks": "all", "enable_idempotence": True, "linger_ms": 20, "max_block_ms": 10_000}
from_the_start = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "consumer_timeout_ms": 10_000,
}


# %% id="send-all"
def send(name, key_of):
    """Send all events, as they happened, each under its key; return the topic."""
    topic = cluster.create_topic(name, partitions=3, **replicated)
    with KafkaProducer(**address, **safely) as producer:
        for event in events:
            record = encode(event)._replace(key=key_of(event).encode())
            producer.send(topic, **record._asdict())
    return topic


# %% id="read-all"
def read(topic):
    """Read all of them with one consumer; return (partition, event) as they came."""
    with KafkaConsumer(topic, **address, **from_the_start) as consumer:
        records = [next(consumer) for _ in events]
    return [(record.partition, decode(record)) for record in records]


def stuck(reads):
    """How many stories cannot be told in the order of reading."""
    told = defaultdict(list)
    for _, event in reads:
        told[event.key].append(event)
    return sum(not can_be_told(story) for story in told.values())


# %%
def can_be_told(story):
    """Whether each event follows from those before it."""
    try:
        fold(story)
    except DomainError:
        return False
    return True


# %% id="three-keys"
keys = {
    "the event's id": lambda event: event.event_id,
    "the type": lambda event: event.type,
    "the order": lambda event: event.key,
}
reads = {}
for number, (name, key_of) in enumerate(keys.items()):
    reads[name] = read(send(f"key-{number}-02", key_of))

{name: stuck(some) for name, some in reads.items()}

# %%
print("stuck by the event's id:", stuck(reads["the event's id"]) > 0)
print("stuck by the type:", stuck(reads["the type"]) > 0)
print("stuck by the order:", stuck(reads["the order"]))
# > stuck by the event's id: True
# > stuck by the type: True
# > stuck by the order: 0

# %% [markdown]
# Hundreds, and **none**.
# A picture of the first: every point is an event as it was read, the higher the later it happened.
# A red cross is an event that came after a *later* one of the same order.


# %%
def in_order_of_reading(reads):
    """What `charts.ordering` wants: where each event was, and its place among all."""
    place = {event.event_id: number for number, event in enumerate(events)}
    return pd.DataFrame(
        {
            "partition": [partition for partition, _ in reads],
            "producer_seq": [place[event.event_id] for _, event in reads],
            "key": [event.key for _, event in reads],
        }
    )


# %%
torn = charts.ordering(in_order_of_reading(reads["the event's id"]))
torn

# %%
charts.describe(torn)

# %%
whole = charts.ordering(in_order_of_reading(reads["the order"]))
charts.describe(whole)

# %% [markdown]
# And the customer's id?
# It would keep each story together as well, since an order has one customer.
# But only one of the seven events *has* it:

# %%
sorted({type(event).__name__ for event in events if hasattr(event, "customer_id")})
# > ['OrderCreated']

# %% [markdown]
# Whoever publishes a payment would have to look up the customer first.
# A good key is in every event of the story, and never changes.
# That is why each event here is *about* something, its `subject`, and that is its key.

# %% [markdown]
# ## It comes twice
#
# Sooner or later every event is delivered twice: somebody was not certain and sent it again, or
# read it again.
# Here the id earns its keep:

# %%
print("the same order:", fold([*story, story[-1], story[0]]) == fold(story))
# > the same order: True

# %% [markdown]
# > **Predict.**
# > Now the same payment as a *new* event, with an id of its own.
# > What does `fold` say?

# %%
again = story[0].then(OrderPaid, "O-0000003", "P-2", Decimal("229.40"), "card")
try:
    fold([*story, again])
except DomainError as error:
    print(*error.args, sep="\n")
# > An order that is delivered cannot become paid.
# > This one is O-0000003.
# > From delivered it can become: refunded.

# %% [markdown]
# A copy has the same id and can be dropped without a thought.
# A new id is a new thing that happened, and a delivered order cannot be paid once more.
# **Who makes an event gives it its id, once**, and whoever sends it again sends *that* one.

# %% [markdown]
# ## Tomorrow's event
#
# The shop is going to have vouchers.
# `OrderCreated` gets a new field, and version 2:


# %%
def changed(event, version, change):
    """Return the record of an event as another version of the shop would write it."""
    fields = json.loads(encode(event).value)
    fields["dataschema"] = fields["dataschema"].replace(".v1.", f".v{version}.")
    change(fields["data"])
    return encode(event)._replace(value=json.dumps(fields).encode())


tomorrow = changed(created, 2, lambda data: data.update(voucher="SUMMER"))

# %% [markdown]
# > **Predict.**
# > Yesterday's program has never heard of `voucher`.
# > Can it read this record?

# %%
print("the same event:", decode(tomorrow) == created)
# > the same event: True

# %% [markdown]
# It reads what it knows and skips the rest.
# Now somebody finds that `amount` should be called `total`:

# %%
renamed = changed(paid, 2, lambda data: data.update(total=data.pop("amount")))
try:
    decode(renamed)
except DomainError as error:
    print(*error.args, sep="\n")
# > data.amount is missing.
# > There is 'order_id, payment_id, method, currency, total'.
# > Send it.

# %% [markdown]
# Every program that reads payments stops, on the day when *another* team deploys.
# So there is a rule: **a field may be added, when those who read can do without it**.
# All else is a new type of event.
#
# In a real shop a machine holds you to the rule before anything is deployed.
# This one says both directions: can the new program read old events, can the old one read new ones?

# %%
from eventlab.orders.compatible import problems

v1 = {"type": "object", "properties": {"amount": {"type": "string"}}, "required": ["amount"]}
v2 = {"type": "object", "properties": {"total": {"type": "string"}}, "required": ["total"]}

print(*problems(v1, v2), sep="\n")
# > The new version cannot read the old: data.total is needed and may be missing.
# > The old version cannot read the new: data.amount is needed and may be missing.

# %% [markdown]
# The words for this come from the
# [Schema Registry](https://github.com/confluentinc/schema-registry): *backward*, *forward*, and
# both of them is *full* compatibility.

# %% [markdown]
# ## The smallest event
#
# Many begin with an event like this one:

# %%
small = encode(created)._replace(value=b'{"event": "ORDER_CREATED", "orderId": "O-1"}', headers=[])
try:
    decode(small)
except DomainError as error:
    print(*error.args, sep="\n")
# > An event of version 0 needs the order that it speaks of.
# > It has the order_id O-1, and nobody can look it up.
# > Pass find_order= to decode or OrderSubscriber, or send version 1.

# %% [markdown]
# It says *that* something happened, and not what.
# Whoever reads it has to ask the shop, so the shop has to be up, and it answers with the order as
# it is *now*.
# A year later nobody can tell any more what was ordered.
# An event that carries what happened needs nobody.

# %% [markdown]
# ## Exercise 1: tell the stories
#
# Send all `events` to `stories-02`, which has six partitions, so that every story can be told by
# whoever reads, and so that no more order is asked for than that.

# %% id="ch02-stories" tags=["exercise"]
STORIES = cluster.create_topic("stories-02", partitions=6, **replicated)

with KafkaProducer(**address, **safely) as producer:
    ...  # your lines here

# %% id="ch02-stories-check" tags=["check"]
found = observe.records(cluster, STORIES)

if found.empty:
    print("Not attempted yet: the topic stories-02 is empty.")
else:
    read_back = [(record.partition, decode(record)) for record in found.itertuples()]
    ids = sorted(event.event_id for _, event in read_back)
    wanted = sorted(event.event_id for event in events)
    assert ids == wanted, f"{len(ids)} records, and not all {len(wanted)} events once."
    homes = defaultdict(set)
    for partition, event in read_back:
        homes[event.key].add(partition)
    split = sum(len(partitions) > 1 for partitions in homes.values())
    assert split == 0, f"{split} stories are in more than one partition."
    assert stuck(read_back) == 0, f"{stuck(read_back)} stories are not in the order they happened."
    used = found["partition"].nunique()
    assert used == 6, f"Only {used} of six partitions are used: you ask for more order than needed."
    print(f"Correct: {len(homes)} stories, each in one partition and in order.")
# > Not attempted yet: the topic stories-02 is empty.

# %% [markdown]
# <details><summary>A hint</summary>
#
# What do all events of one story have in common, and share with no other story?
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `encode(event)` brings the key along.
# `producer.send(STORIES, **encode(event)._asdict())` sends all of it.
#
# </details>

# %% id="ch02-stories-own-id" tags=["mutant"]
STORIES = cluster.create_topic("stories-02", partitions=6, **replicated)

with KafkaProducer(**address, **safely) as producer:
    for event in events:  # "every event is identified by its id"
        producer.send(STORIES, key=event.event_id.encode(), value=encode(event).value)
# > 988 stories are in more than one partition.

# %% id="ch02-stories-first-customer" tags=["mutant"]
STORIES = cluster.create_topic("stories-02", partitions=6, **replicated)

with KafkaProducer(**address, **safely) as producer:
    for event in events:  # "the customer is the key, where there is one"
        key = getattr(event, "customer_id", event.key).encode()
        producer.send(STORIES, key=key, value=encode(event).value)
# > 822 stories are in more than one partition.

# %% id="ch02-stories-one-key" tags=["mutant"]
STORIES = cluster.create_topic("stories-02", partitions=6, **replicated)

with KafkaProducer(**address, **safely) as producer:
    for event in events:  # "one source, one key"
        producer.send(STORIES, key=event.source.encode(), value=encode(event).value)
# > Only 1 of six partitions are used

# %% id="ch02-stories-by-type" tags=["mutant"]
STORIES = cluster.create_topic("stories-02", partitions=6, **replicated)

with KafkaProducer(**address, **safely) as producer:
    for event in sorted(events, key=lambda event: event.type):  # "tidy: type after type"
        producer.send(STORIES, **encode(event)._asdict())
# > 985 stories are not in the order they happened.

# %% id="ch02-stories-rows" tags=["mutant"]
STORIES = cluster.create_topic("stories-02", partitions=6, **replicated)

with KafkaProducer(**address, **safely) as producer:
    for story in stories.values():  # "the last state is all that matters"
        producer.send(STORIES, **encode(story[-1])._asdict())
# > 1000 records, and not all 4298 events once.

# %% id="ch02-stories-solution" tags=["solution"]
STORIES = cluster.create_topic("stories-02", partitions=6, **replicated)

with KafkaProducer(**address, **safely) as producer:
    for event in events:
        producer.send(STORIES, **encode(event)._asdict())

# %% [markdown]
# ## Exercise 2: the money goes back
#
# The customer of `paid` sends the teapots back.
# Make the event that says so, an `OrderRefunded` with the payment id `P-1R`, and send it to
# `refunds-02`.
# Somebody who finds it a year later should be able to tell what it follows from.

# %% id="ch02-refund" tags=["exercise"]
REFUNDS = cluster.create_topic("refunds-02", partitions=3, **replicated)

with KafkaProducer(**address, **safely) as producer:
    ...  # your lines here

# %% id="ch02-refund-check" tags=["check"]
found = observe.records(cluster, REFUNDS)

if found.empty:
    print("Not attempted yet: the topic refunds-02 is empty.")
else:
    assert len(found) == 1, f"The topic holds {len(found)} records, not one."
    record = next(found.itertuples())
    assert record.key == b"O-1", f"The key is {record.key}, which is not what it is about."
    refund = decode(record)
    assert isinstance(refund, OrderRefunded), f"It says {type(refund).__name__}."
    assert refund.causation_id, "It does not say what led to it."
    assert refund.causation_id == paid.event_id, "It follows from another event than the payment."
    assert refund.correlation_id == created.event_id, "It belongs to another story."
    assert refund.amount == paid.amount, f"{refund.amount} goes back, {paid.amount} came in."
    print("Correct: the money is back, and everybody can see why.")
# > Not attempted yet: the topic refunds-02 is empty.

# %% [markdown]
# <details><summary>A hint</summary>
#
# An event that follows from another one is made by that one: `paid.then(...)`.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `paid.then(OrderRefunded, "O-1", "P-1R", paid.amount, paid.method)`, and then `encode` as above.
#
# </details>

# %% id="ch02-refund-alone" tags=["mutant"]
REFUNDS = cluster.create_topic("refunds-02", partitions=3, **replicated)

with KafkaProducer(**address, **safely) as producer:
    refund = OrderRefunded("O-1", "P-1R", paid.amount, paid.method)
    producer.send(REFUNDS, **encode(refund)._asdict())
# > It does not say what led to it.

# %% id="ch02-refund-of-the-order" tags=["mutant"]
REFUNDS = cluster.create_topic("refunds-02", partitions=3, **replicated)

with KafkaProducer(**address, **safely) as producer:
    refund = created.then(OrderRefunded, "O-1", "P-1R", paid.amount, paid.method)
    producer.send(REFUNDS, **encode(refund)._asdict())
# > It follows from another event than the payment.

# %% id="ch02-refund-keyed-by-payment" tags=["mutant"]
REFUNDS = cluster.create_topic("refunds-02", partitions=3, **replicated)

with KafkaProducer(**address, **safely) as producer:
    refund = paid.then(OrderRefunded, "O-1", "P-1R", paid.amount, paid.method)
    producer.send(REFUNDS, **encode(refund)._replace(key=b"P-1R")._asdict())
# > The key is b'P-1R'

# %% id="ch02-refund-same-event" tags=["mutant"]
REFUNDS = cluster.create_topic("refunds-02", partitions=3, **replicated)

with KafkaProducer(**address, **safely) as producer:
    negative = paid.then(OrderPaid, "O-1", "P-1R", paid.amount, "refund")  # "a payment backwards"
    producer.send(REFUNDS, **encode(negative)._asdict())
# > It says OrderPaid.

# %% id="ch02-refund-solution" tags=["solution"]
REFUNDS = cluster.create_topic("refunds-02", partitions=3, **replicated)

with KafkaProducer(**address, **safely) as producer:
    refund = paid.then(OrderRefunded, "O-1", "P-1R", paid.amount, paid.method)
    producer.send(REFUNDS, **encode(refund)._asdict())

# %% [markdown]
# ## Exercise 3: version 2 of a payment
#
# The shop wants to note the `iban` of a payment by transfer, and who reads should go on reading.
# Send two records of `paid` to `next-02`: first as version 1, then as version 2 with the `iban`
# `"DE02120300000000202051"` in its data.
# (`changed` from above helps.)

# %% id="ch02-next" tags=["exercise"]
NEXT = cluster.create_topic("next-02", partitions=1, **replicated)

with KafkaProducer(**address, **safely) as producer:
    ...  # your lines here

# %% id="ch02-next-check" tags=["check"]
found = observe.records(cluster, NEXT)

if found.empty:
    print("Not attempted yet: the topic next-02 is empty.")
else:
    assert len(found) == 2, f"The topic holds {len(found)} records, not two."
    older, newer = found.itertuples()
    try:
        both = decode(older), decode(newer)
    except DomainError as error:
        raise AssertionError(f"Yesterday's program stops: {error}") from None
    assert both[0].event_id == both[1].event_id == paid.event_id, "They are two other events."
    assert both == (paid, paid), "Yesterday's program reads something else than was paid."
    said = [json.loads(record.value) for record in (older, newer)]
    versions = [fields["dataschema"].rpartition(".v")[2].partition(".")[0] for fields in said]
    assert versions == ["1", "2"], f"They call themselves version {' and '.join(versions)}."
    assert "iban" not in said[0]["data"], "Version 1 has no iban."
    assert said[1]["data"].get("iban") == "DE02120300000000202051", "Version 2 lacks the iban."
    print("Correct: tomorrow's program has the iban, yesterday's does not miss it.")
# > Not attempted yet: the topic next-02 is empty.

# %% [markdown]
# <details><summary>A hint</summary>
#
# A field is *added* to the data, nothing else changes, and the version grows by one.
#
# </details>
# <details><summary>A stronger hint</summary>
#
# `changed(paid, 2, lambda data: data.update(iban="DE02120300000000202051"))`, sent as the others
# are.
#
# </details>

# %% id="ch02-next-replaced" tags=["mutant"]
NEXT = cluster.create_topic("next-02", partitions=1, **replicated)


def method_is_iban(data):
    """Put the iban in place of the method."""
    data["iban"] = "DE02120300000000202051"
    del data["method"]


with KafkaProducer(**address, **safely) as producer:
    producer.send(NEXT, **encode(paid)._asdict())
    producer.send(NEXT, **changed(paid, 2, method_is_iban)._asdict())
# > Yesterday's program stops: data.method is missing.

# %% id="ch02-next-same-version" tags=["mutant"]
NEXT = cluster.create_topic("next-02", partitions=1, **replicated)

with KafkaProducer(**address, **safely) as producer:
    more = changed(paid, 1, lambda data: data.update(iban="DE02120300000000202051"))
    producer.send(NEXT, **encode(paid)._asdict())
    producer.send(NEXT, **more._asdict())
# > They call themselves version 1 and 1.

# %% id="ch02-next-in-the-method" tags=["mutant"]
NEXT = cluster.create_topic("next-02", partitions=1, **replicated)

with KafkaProducer(**address, **safely) as producer:
    more = changed(paid, 2, lambda data: data.update(method="DE02120300000000202051"))
    producer.send(NEXT, **encode(paid)._asdict())
    producer.send(NEXT, **more._asdict())
# > Yesterday's program reads something else than was paid.

# %% id="ch02-next-new-event" tags=["mutant"]
NEXT = cluster.create_topic("next-02", partitions=1, **replicated)

with KafkaProducer(**address, **safely) as producer:
    anew = created.then(OrderPaid, "O-1", "P-1", Decimal("79.80"), "card")  # "the same once more"
    more = changed(anew, 2, lambda data: data.update(iban="DE02120300000000202051"))
    producer.send(NEXT, **encode(paid)._asdict())
    producer.send(NEXT, **more._asdict())
# > They are two other events.

# %% id="ch02-next-solution" tags=["solution"]
NEXT = cluster.create_topic("next-02", partitions=1, **replicated)

with KafkaProducer(**address, **safely) as producer:
    more = changed(paid, 2, lambda data: data.update(iban="DE02120300000000202051"))
    producer.send(NEXT, **encode(paid)._asdict())
    producer.send(NEXT, **more._asdict())

# %% [markdown]
# ## If you like: the same event in Avro
#
# JSON says the name of each field, in each record.
# [Avro](https://avro.apache.org/docs/1.12.0/specification/) says names and types once, in a
# **schema**, and a record has the values alone.
# (It is an extra of the package, `eventlab[avro]`; `./lab` brings it along.)
#
# > **Predict.**
# > The data of this order are 134 bytes in JSON.
# > And in Avro?

# %% id="avro"
from eventlab.orders import avro

len(encode(created, "binary").value), len(avro.encode(created).value)
# > (134, 49)

# %%
avro.encode(created).value

# %% [markdown]
# No name is left in it, so nobody can read it without the schema *by which it was written*.
# Which one that was say the first ten bytes, by its fingerprint.
# A Schema Registry does the same with a number.
#
# Tomorrow's schema has the voucher:

# %% id="avro-later"
later = avro.schema(OrderCreated)
later["fields"].append({"name": "voucher", "type": ["null", "string"], "default": None})
record = avro.encode(created, later)
try:
    avro.decode(record)
except DomainError as error:
    print(error.args[0])

print("with its schema, the same event:", avro.decode(record, [later]) == created)
# > The Avro schema of this record is unknown.
# > with its schema, the same event: True

# %% [markdown]
# With JSON you read first and then see what is missing.
# With Avro you read nothing before you have the schema, and then a machine knows whether the two
# fit.

# %% [markdown]
# ## Three questions

# %% [markdown]
# **1. A program asks the warehouse to reserve two teapots. Is that an event?**
#
# <details><summary>Yes: `TeapotsReserved`.</summary>
#
# Not yet.
# That is what the warehouse may publish once it has done so.
#
# </details>
# <details><summary>No: the warehouse may still say no.</summary>
#
# Yes.
# It is a command, and both the yes and the no that follow are events.
#
# </details>
# <details><summary>It is one as soon as it is in Kafka.</summary>
#
# No.
# What is in Kafka is a record, and commands may travel in records as well.
#
# </details>

# %% [markdown]
# **2. An event comes in with an id that was seen before, and with another amount. What now?**
#
# <details><summary>Take the newer one, it corrects the older.</summary>
#
# No.
# What happened cannot be corrected, and a correction is an event of its own.
#
# </details>
# <details><summary>Drop it: the id was seen.</summary>
#
# No.
# A copy is the same in every field, and this one would get lost in silence.
#
# </details>
# <details><summary>Put it aside and tell somebody: one of the two is a mistake.</summary>
#
# Yes.
# `fold` calls it an `EventConflict`.
#
# </details>

# %% [markdown]
# **3. You must change the meaning of `amount` from "with tax" to "without tax". How?**
#
# <details><summary>As version 2: it is still text.</summary>
#
# No.
# Every reader goes on, and every sum is wrong.
# No schema can see that.
#
# </details>
# <details><summary>As a new field beside the old one, or as a new type of event.</summary>
#
# Yes.
# The old name keeps the old meaning for as long as anybody reads it.
#
# </details>
# <details><summary>By an announcement, and all teams deploy on the same day.</summary>
#
# No.
# Yesterday's events are still in the log, and they are read again.
#
# </details>

# %% [markdown]
# ## What Kafka calls this
#
# | word | what it is | where you met it |
# |---|---|---|
# | domain event | a fact of the business, in the past tense | `OrderCreated` |
# | envelope, CloudEvents | who, which, when, about what | `encode(paid)` |
# | structured and binary mode | the envelope in the value, or in the headers | `mode="binary"` |
# | correlation, causation | the same story, the event before | `then` |
# | record key | what keeps a story in one partition | `event.key` |
# | full compatibility | old and new programs read each other | `problems` |
#
# Kafka itself knows the last but one: to a broker, key, value and headers are bytes.
# *Fold* is the word of functional programming; event sourcing calls it *replay*.

# %% [markdown]
# ## Clean up
#
# This notebook lets go of the cluster.
# When nobody else holds it, no other notebook and no JupyterLab, the four processes end, and the
# records go with them.

# %% id="cleanup" tags=["cleanup"]
cluster.stop()
cluster
