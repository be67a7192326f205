"""A TCP connection to an address, its name resolved off the loop."""

from __future__ import annotations

import asyncio
import socket

from tornado.iostream import IOStream, StreamClosedError

from chunter_nsq.bus.address import Address

WRITE_BUFFER_BYTES = 64 * 1024 * 1024


async def dial(address: Address) -> IOStream:
    """Tries what the name resolves to, one after the other; the caller sets the time limit by cancelling.

    Raises:
        OSError: the name is unknown, or nothing of it accepted; the last reason.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    last: Exception = OSError(f"{address.host} has no address")
    for family, kind, protocol, _name, target in found:
        stream = IOStream(socket.socket(family, kind, protocol), max_write_buffer_size=WRITE_BUFFER_BYTES)
        try:
            await stream.connect(target)
        except StreamClosedError as closed:
            last = stream.error if isinstance(stream.error, Exception) else closed
        except BaseException:
            stream.close()
            raise
        else:
            stream.set_nodelay(True)
            return stream
    raise last
