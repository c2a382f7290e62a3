"""The numbers of partitions, errors and keys, which every client of a run shares."""

from __future__ import annotations

import threading
from typing import Any
from zlib import crc32

MOST_KEYS = 10_000  # that are kept as they are; those beyond are told apart, and have no name
NO_KEY = -1  # no hash is -1
SEED = 1  # the CRC of nothing at all is then not 0, which stands for "not known"
SALT = 0x9E3779B9  # between key and value: (1, 23) is not (12, 3)


class Names:
    """Numbers for names: a column of numbers costs eight bytes, one of strings ten times that."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, int]] = []
        self.errors: list[str] = []
        self.keys: dict[Any, tuple[int, int]] = {None: (NO_KEY, SEED)}  # its hash, and its CRC
        self.topic_ids: dict[str, str] = {}  # of the topics that were sent to
        self.lock = threading.Lock()
        self._numbers: dict[Any, int] = {}
        self.error(None)

    def part(self, topic: str, partition: int) -> int:
        """Return the number of a partition; partition -1 is one that is not known yet."""
        number = self._numbers.get((topic, partition))
        return self._new((topic, partition), self.parts) if number is None else number

    def error(self, error: BaseException | str | None) -> int:
        """Return the number of an error, which is that of its type; 0 is none."""
        name = error if isinstance(error, str) else type(error).__name__ if error else ""
        number = self._numbers.get(name)
        return self._new(name, self.errors) if number is None else number

    def key(self, key: Any) -> tuple[int, int]:
        """Return what tells a key from others, and where the checksum of its value begins.

        Keys are kept as they are while there are not too many.
        """
        try:
            known = self.keys.get(key) or (hash(key), crc32(key, SEED) ^ SALT)
        except TypeError:  # a bytearray, or something that only its serializer knows
            return NO_KEY, SEED
        if len(self.keys) < MOST_KEYS:
            self.keys[key] = known
        return known

    def _new(self, name: Any, names: list[Any]) -> int:
        with self.lock:
            if name not in self._numbers:
                self._numbers[name] = len(names)
                names.append(name)
            return self._numbers[name]


def checksum(key: Any, value: Any) -> int:
    """Return the CRC-32 of key and value; 0, which is "not known", when they are no bytes."""
    try:
        begun = SEED if key is None else crc32(key, SEED) ^ SALT
        return crc32(value, begun) if value is not None else begun ^ 0xFFFFFFFF
    except TypeError:
        return 0


def checksums(records: list[Any]) -> list[int]:
    """Return the checksums of kafka-python's records, whose key and value are items 6 and 7."""
    try:
        return [
            crc32(record[7], crc32(key, SEED) ^ SALT if (key := record[6]) is not None else SEED)
            for record in records
        ]
    except TypeError:
        return [checksum(record[6], record[7]) for record in records]
