"""What a process says on stderr: lines for people, or a JSON object a line for programs."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # an event may carry what moves a cursor
_PEOPLE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_LOUD = ("kafka", "uvicorn", "engineio", "socketio", "asyncio")  # of these, warnings alone


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, process and, if any, error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said)


class ForPeople(logging.Formatter):
    """A line for a terminal, without the control characters that somebody may have sent."""

    def __init__(self) -> None:
        super().__init__(_PEOPLE, "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the line without its traceback."""
        return _CONTROL.sub("?", super().formatMessage(record)).replace("\n", " ")


def begin(form: str = "people", level: int = logging.INFO) -> None:
    """Let this process log to stderr as "people" read it, or as "json"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else ForPeople())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL if name == "kafka" else logging.WARNING)
