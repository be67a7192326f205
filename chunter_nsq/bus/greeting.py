"""One handshake with one nsqd, for a look whether it would have us: dial, IDENTIFY, TLS, AUTH, good-bye.

What nsqd demands but does not ask for in the handshake is looked for too: that it wants AUTH stands in its answer to
IDENTIFY, that it wants TLS it says to the first command. That is a CLS, which means nothing before SUB: nsqd refuses
it in any case, and the words of the refusal tell.
"""

from __future__ import annotations

import asyncio
from typing import Any

from nsq import event  # noqa: TID251 - the bus is where pynsq lives

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import LinkLost, LinkRefused
from chunter_nsq.bus.link import Link
from chunter_nsq.bus.settings import Connection

_TLS_WANTED = "TLS required"


async def greet(address: Address, connection: Connection) -> None:
    """Returns when nsqd would take commands of ours.

    Raises:
        LinkRefused: nsqd is there, and will not have us as we are (TLS, AUTH, a limit).
        LinkLost: it cannot be reached, or does not answer in time.
    """
    greeting = _Greeting(address, connection)
    try:
        async with asyncio.timeout(connection.handshake_timeout_seconds):
            await greeting.exchanged()
    except TimeoutError:
        limit = connection.handshake_timeout_seconds
        raise LinkLost(f"nsqd {address} did not shake hands within {limit:g} s") from None
    except OSError as error:
        raise LinkLost(f"nsqd {address} cannot be reached: {error}") from error
    finally:
        greeting.link.close()


class _Greeting:
    """A link and what nsqd says on it."""

    def __init__(self, address: Address, connection: Connection) -> None:
        self.link = Link(address, connection)
        self._has_secret = connection.auth_secret is not None
        self._refusal: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.link.on(event.IDENTIFY_RESPONSE, self._identified)
        self.link.on(event.READY, self._admitted)
        self.link.on(event.ERROR, self._refused)

    async def exchanged(self) -> None:
        """Raises LinkRefused, LinkLost, OSError."""
        await self.link.open()
        self.link.send(b"CLS\n")
        ends: set[asyncio.Future[Any]] = {self._refusal, self.link.closed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self._refusal.done() and _TLS_WANTED in self._refusal.result():
            raise LinkRefused(f"nsqd {self.link.name} wants TLS, and it is off here")

    def _identified(self, conn: Link, data: Any, **_pynsq: Any) -> None:
        # pynsq hands on what it decoded; "OK" of a very old nsqd is no mapping
        if not self._has_secret and isinstance(data, dict) and data.get("auth_required") is True:
            conn.fail(LinkRefused(f"nsqd {conn.name} wants AUTH, and there is no secret for it"))

    def _admitted(self, conn: Link, **_pynsq: Any) -> None:
        if not conn.ready.done():
            conn.ready.set_result(None)

    def _refused(self, conn: Link, error: Exception, **_pynsq: Any) -> None:
        if not conn.ready.done():
            conn.fail(LinkRefused(f"nsqd {conn.name} refused: {error}"))
        elif not self._refusal.done():
            self._refusal.set_result(str(error))
