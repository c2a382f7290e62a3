"""A live Apache Kafka cluster in a notebook, and what it takes to learn from it."""

from __future__ import annotations

__version__ = "0.1.0"
