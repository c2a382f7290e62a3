"""Histories that Kafka could have made: whatever is unusual in them is allowed.

Producers that are idempotent and such that are not, acknowledgements that come late, or never, or
for what was refused; transactions that end either way; offsets with gaps; groups that rebalance,
members that die without a word, seeks, commits that are refused; retention; records that are
equal. `of(seed)` is always the same history.
"""

from __future__ import annotations

import random

from eventlab.history.recorder import BEGINNING, Recorder
from eventlab.history.tables import FAIL, INFO, OK, PENDING
from tests.unit.history.story import Part, Story, Written


class Valid:
    """A history that goes on step by step, as the dice say."""

    def __init__(self, seed: int) -> None:
        self.dice, self.story = random.Random(seed), Story()
        self.equal = self.dice.random() < 0.3  # whether values repeat
        self.parts = [
            (topic, number)
            for topic in ("orders", "payments")[: self.dice.randint(1, 2)]
            for number in range(self.dice.randint(1, 3))
        ]
        self.producers = [
            self.story.producer(
                enable_idempotence=self.dice.random() < 0.7,
                max_in_flight_requests_per_connection=self.dice.choice([1, 5]),
            )
            for _ in range(self.dice.randint(1, 3))
        ]
        self.groups = [Group(self, name) for name in ("billing", None)[: self.dice.randint(1, 2)]]
        self.values = 0

    def tell(self, steps: int) -> Story:
        """Go so many steps."""
        acts = [self.send] * 8 + [self.group] * 8 + [self.gap, self.transaction, self.retention]
        self.send()
        for _ in range(steps):
            self.dice.choice(acts)()
        return self.story

    def value(self) -> bytes:
        """Return a value to send: a new one, or one of three."""
        self.values += 1
        return b"%d" % (self.values % 3 if self.equal else self.values)

    def send(self) -> None:
        """Send some records to a partition; each ends as it may."""
        producer, part = self.dice.choice(self.producers), self.dice.choice(self.parts)
        key = self.dice.choice([None, b"%s-%d" % (part[0].encode(), part[1])])
        partition = part[1] if self.dice.random() < 0.5 else None
        waiting = []
        for _ in range(self.dice.randint(1, 4)):
            value = self.value()
            send = producer.sent(part[0], key, value, partition=partition, at=self.story.tick())
            waiting.append((send, value))
        for send, value in waiting:
            self.end(producer, part, send, key, value)

    def end(
        self, producer: Recorder, part: Part, send: int, key: bytes | None, value: bytes
    ) -> None:
        """Let a send be acknowledged, refused, or never be heard of."""
        story, fate = self.story, self.dice.random()
        if fate < 0.7:
            if not producer.settings["enable_idempotence"] and fate < 0.1:
                story.write(part, value, key)  # it was written, and the answer got lost
            producer.acked(send, part[1], story.write(part, value, key), at=story.tick())
        elif fate < 0.8:
            if not self.equal:  # equal values would make a refused send look like another
                producer.failed(send, "MessageSizeTooLargeError", at=story.tick())
        else:
            if fate < 0.9:
                story.write(part, value, key)
            if fate < 0.95:
                producer.unknown(send, "KafkaTimeoutError", at=story.tick())

    def gap(self) -> None:
        """Let offsets be taken that nobody reads."""
        part = self.dice.choice(self.parts)
        self.story.ends[part] = self.story.ends.get(part, 0) + self.dice.randint(1, 3)

    def transaction(self) -> None:
        """Write in a transaction, which ends in one of the ways there are."""
        story, part = self.story, self.dice.choice(self.parts)
        producer = story.producer("transactional", transactional_id="t")
        outcome = self.dice.choice([OK, FAIL, INFO])
        producer._event(9, PENDING, -1, 0, None, story.tick(), story.tick())
        before = list(story.logs.get(part, []))
        for _ in range(self.dice.randint(1, 3)):
            story.send(producer, self.value() + b" in a transaction", part)
        if outcome == FAIL or (outcome == INFO and self.dice.random() < 0.5):
            story.logs[part] = before
        producer._event(9, outcome, -1, 0, None, story.tick(), story.tick())
        story.ends[part] += 1  # the control record

    def retention(self) -> None:
        """Remove the oldest records of a partition."""
        story, part = self.story, self.dice.choice(self.parts)
        if self.dice.random() < 0.2 and story.logs.get(part):
            story.starts[part] = self.dice.choice(story.logs[part]).offset
            kept = [r for r in story.logs[part] if r.offset >= story.starts[part]]
            story.logs[part] = kept

    def group(self) -> None:
        """Let a group do something."""
        self.dice.choice(self.groups).act()


class Group:
    """Consumers of a group, or one that assigns itself, and where they are."""

    def __init__(self, valid: Valid, name: str | None) -> None:
        self.valid, self.story, self.name, self.dice = valid, valid.story, name, valid.dice
        count = self.dice.randint(1, 3) if name else 1
        self.members = [self.story.consumer(name) for _ in range(count)]
        self.generation = 0 if name else -1
        self.owners: dict[Part, Recorder] = {}
        self.positions: dict[Part, int] = {}
        self.commits: dict[Part, int] = {}
        self.handled: set[tuple[Part, int]] = set()
        self.handles = self.dice.random() < 0.5
        self.rebalance()

    def act(self) -> None:
        """Poll most of the time."""
        acts = [self.poll] * 8 + [self.commit] * 3 + [self.seek]
        self.dice.choice([*acts, self.rebalance] if self.name else acts)()

    def records(self, part: Part) -> list[Written]:
        """Return what is there from the position on."""
        story = self.story
        self.positions[part] = max(self.positions[part], story.starts.get(part, 0))
        return [r for r in story.logs.get(part, []) if r.offset >= self.positions[part]]

    def poll(self) -> None:
        """Give the owner of a partition some records, and handle them."""
        part = self.dice.choice(list(self.owners))
        owner = self.owners[part]
        for record in self.records(part)[: self.dice.randint(1, 5)]:
            owner.read(*part, record.offset, record.key, record.value, at=self.story.tick())
            self.positions[part] = record.offset + 1
            if self.handles and (part, record.offset) not in self.handled:
                self.handled.add((part, record.offset))
                owner.handled(*part, record.offset, at=self.story.tick())

    def commit(self) -> None:
        """Commit positions; some commits are refused."""
        part = self.dice.choice(list(self.owners))
        if not self.name:
            return
        refused = self.dice.random() < 0.1
        offsets = {part: self.positions[part]}
        error = "IllegalGenerationError" if refused else None
        self.owners[part].committed(offsets, error, at=self.story.tick())
        self.commits |= {} if refused else offsets

    def seek(self) -> None:
        """Tell a consumer to go on elsewhere."""
        part = self.dice.choice(list(self.owners))
        if self.dice.random() < 0.5:
            offset = self.dice.randint(0, self.story.ends.get(part, 0))
            self.owners[part].sought(*part, offset, at=self.story.tick())
        else:
            offset = 0
            self.owners[part].sought(*part, BEGINNING, at=self.story.tick())
        self.positions[part] = offset

    def rebalance(self) -> None:
        """Divide the partitions anew; one member may have died, and tells nobody."""
        dead = self.dice.choice(self.members) if self.dice.random() < 0.2 else None
        for part, owner in self.owners.items():
            if owner is not dead:
                owner.revoked([part], at=self.story.tick())
        if dead is not None:
            self.members = [m for m in self.members if m is not dead]
            self.members.append(self.story.consumer(self.name))
        self.generation += 1 if self.name else 0
        for part in self.valid.parts:
            self.owners[part] = self.dice.choice(self.members)
            self.owners[part].assigned([part], self.generation, at=self.story.tick())
            self.positions[part] = self.commits.get(part, 0)


def of(seed: int) -> Story:
    """Return the valid history of a seed."""
    valid = Valid(seed)
    return valid.tell(valid.dice.randint(5, 60))
