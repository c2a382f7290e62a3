"""What a client may send on a WebSocket: packets of Socket.IO 5 in those of Engine.IO 4, no other.

python-engineio 4.15 ends in an exception for what is no packet, and keeps the session for a while.
So what is none ends the connection here, as does a client that does not show the token in time.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from eventlab.orders import wire
from eventlab.orders.errors import EventDecodeError
from eventlab.waiting import Deadline

# Close, ping and pong; connect, disconnect, event and acknowledgement in the one namespace, without
# binary data. https://socket.io/docs/v4/socket-io-protocol/
_PACKET = re.compile(r"[123]|4(?:[01]|[23][0-9]{0,9})(?P<data>[\[{].*)?", re.DOTALL)
_GONE = {"type": "websocket.disconnect", "code": 1008}


def is_packet(text: object) -> bool:
    """Say whether this is a packet that is known here, with JSON that two programs read alike."""
    found = _PACKET.fullmatch(text) if isinstance(text, str) else None
    if found is None or found["data"] is None:
        return found is not None and not found[0].startswith(("42", "43"))
    try:
        data = wire.loads(b'{"data":%s}' % found["data"].encode("utf-8", "surrogatepass"))["data"]
    except EventDecodeError:
        return False
    named = isinstance(data, list) and bool(data) and isinstance(data[0], str)
    return named if found[0].startswith("42") else True


def checked(receive: Any, welcome: asyncio.Event, within: float) -> Any:
    """Return an ASGI `receive` that ends with what is no packet, or without a welcome in time."""
    deadline = Deadline(within)

    async def received() -> Any:
        message = await _patiently(receive, welcome, deadline)
        if message["type"] != "websocket.receive" or is_packet(message.get("text")):
            return message
        return _GONE

    return received


async def _patiently(receive: Any, welcome: asyncio.Event, deadline: Deadline) -> Any:
    if not welcome.is_set():
        try:
            async with asyncio.timeout(deadline.left):
                return await receive()
        except TimeoutError:
            if not welcome.is_set():
                return _GONE
    return await receive()
