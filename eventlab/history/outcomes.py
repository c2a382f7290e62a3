"""Whether a send that failed certainly did not happen, or may have happened all the same."""

from __future__ import annotations

from typing import Any

# Errors by which a broker refuses a record before it writes it (Kafka's protocol guide, "Error
# Codes"): too large, invalid topic, list too large, invalid acks, not authorised (topic, cluster,
# transactional id), invalid timestamp, message format, policy, compression, invalid record.
REFUSED = frozenset({10, 17, 18, 21, 29, 31, 32, 43, 44, 53, 76, 87})
# Refused too, before writing, but retried: the attempt before it may have been written.
REFUSED_AT_FIRST = frozenset({19})  # NOT_ENOUGH_REPLICAS; 20, ..._AFTER_APPEND, is written


def refused(error: Any, retries: float) -> bool:
    """Say whether this error of a future means that the record is certainly not in the log.

    Timeouts, disconnects and everything that says nothing of the log do not.
    """
    code = getattr(error, "errno", None)
    return code in REFUSED or (code in REFUSED_AT_FIRST and not retries)
