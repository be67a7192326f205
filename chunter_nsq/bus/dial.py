"""A TCP connection to an address, its name resolved off the loop."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tornado.iostream import IOStream, StreamClosedError

from chunter_nsq.bus.address import Address

WRITE_BUFFER_BYTES = 128 * 1024 * 1024  # far more than a producer leaves unanswered


async def dial(address: Address, limit_seconds: float) -> IOStream:
    """Tries what the name resolves to, one after the other, each with its part of the time.

    Raises:
        OSError: the name is unknown, or nothing of it accepted; the last reason.
    """
    found = await _resolve(address)
    last: Exception = OSError(f"{address.host} has no address")
    for family, kind, protocol, _name, target in found:
        stream = IOStream(socket.socket(family, kind, protocol), max_write_buffer_size=WRITE_BUFFER_BYTES)
        try:
            async with asyncio.timeout(limit_seconds / len(found)):
                await stream.connect(target)
        except TimeoutError as late:
            stream.close()
            last = late
        except StreamClosedError as closed:
            last = stream.error if isinstance(stream.error, Exception) else closed
        except BaseException:
            stream.close()
            raise
        else:
            stream.set_nodelay(True)
            return stream
    raise last


async def _resolve(address: Address) -> list[tuple[Any, ...]]:
    try:  # a numeric address needs no thread, and cannot block
        numeric = socket.AI_NUMERICHOST
        return socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=numeric)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        return await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
