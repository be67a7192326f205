"""What Reader and Writer share: keepers of links in the place of pynsq's own timers and reconnects.

pynsq's Client starts a timer that nothing stops, judges by the wall clock, and sees only connections that became ready.
A Guard has one :class:`Keeper` for each address; what the fixed list and nsqlookupd name is merged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

from nsq import client as nsq_client  # noqa: TID251 - same
from nsq import event  # noqa: TID251 - same
from tornado.ioloop import IOLoop

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import LinkLost, LinkRefused
from chunter_nsq.bus.keeper import Keeper
from chunter_nsq.bus.link import Link
from chunter_nsq.bus.lookup import Discovery
from chunter_nsq.bus.settings import Connection

log = logging.getLogger(__name__)

_HARMLESS = ("E_FIN_FAILED", "E_REQ_FAILED", "E_TOUCH_FAILED")
_TIMEOUT_REFUSED = "msg timeout"
_PASSING = "E_SUB_FAILED"  # an nsqd that is about to end
FORGET_SECONDS = 300.0  # as long as nsqlookupd itself; an nsqd that restarts is unknown to it for a while


class Timerless(nsq_client.Client):  # type: ignore[misc]  # pynsq ships no types
    """Last in the order of inheritance before Client, whose constructor starts a timer and so must never run."""

    def __init__(self, **_pynsq: Any) -> None:
        self.io_loop = IOLoop.current()


class Guard:
    """First in the order of inheritance: its ways of connecting and closing replace those of Reader and Writer."""

    conns: dict[str, Link]

    def __init__(self, connection: Connection, purpose: str) -> None:
        self.connection = connection
        self.purpose = purpose
        self.keepers: dict[Address, Keeper] = {}
        self.any_ready = asyncio.Event()
        self._discovery: Discovery | None = None
        self._named_at: dict[Address, float] = {}
        self._message_timeout_seconds = connection.message_timeout_seconds
        logging.getLogger("tornado.general").addFilter(_untold)

    def _run(self) -> None:
        """Pynsq calls this on the next turn of the loop; ``open`` does it instead."""

    def open(self, discovery: Discovery | None) -> None:
        """Begins to keep connections; returns at once."""
        self._keep(self.connection.nsqd)
        self._discovery = discovery
        if discovery is not None:
            discovery.start(self.adopt)

    def retire(self) -> None:
        """From here on no connection is opened again."""
        for keeper in self.keepers.values():
            keeper.retire()

    async def shut(self) -> None:
        """Closes everything for good."""
        if self._discovery is not None:
            await self._discovery.stop()
        keepers = list(self.keepers.values())
        self.keepers.clear()
        await asyncio.gather(*(keeper.stop() for keeper in keepers))

    async def adopt(self, found: frozenset[Address]) -> None:
        """Takes what nsqlookupd names; drops what it has not named for long and is not connected either."""
        self._keep(found)
        now = time.monotonic()
        self._named_at.update(dict.fromkeys(found, now))
        for address in set(self.keepers) - set(self.connection.nsqd):
            if now - self._named_at[address] > FORGET_SECONDS and str(address) not in self.conns:
                await self.keepers.pop(address).stop()

    def links(self) -> list[Link]:
        """The ready ones, in the order of the addresses (fixed ones first)."""
        fixed = {str(address): place for place, address in enumerate(self.connection.nsqd)}
        return sorted(self.conns.values(), key=lambda link: (fixed.get(link.name, len(fixed)), link.name))

    def connected(self) -> tuple[str, ...]:
        """The addresses of the ready ones."""
        return tuple(link.name for link in self.links())

    def last_frame_age_seconds(self) -> float | None:
        """Of the link that was heard last; None without any."""
        return min((time.monotonic() - link.last_frame_at for link in self.conns.values()), default=None)

    def last_error(self) -> str | None:
        """Of an address that is not connected now."""
        errors = [keeper.last_error for keeper in self.keepers.values() if keeper.last_error]
        if self._discovery is not None and self._discovery.last_error:
            errors.append(self._discovery.last_error)
        return errors[0] if errors else None

    def _keep(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            if address not in self.keepers:
                self.keepers[address] = Keeper(address, self.connection, self._make_link, self.purpose)

    def _make_link(self, address: Address) -> Link:
        link = Link(address, self.connection, self._message_timeout_seconds)
        link.on(event.READY, self._on_connection_ready)
        link.on(event.RESPONSE, self._on_connection_response)
        link.on(event.ERROR, self._on_connection_error)
        link.on(event.CLOSE, self._on_connection_close)
        return link

    def _on_connection_response(self, conn: Link, data: bytes) -> None:
        raise NotImplementedError

    def _on_connection_error(self, conn: Link, error: Exception, **_pynsq: Any) -> None:
        """An error frame, or pynsq's own; all but three end the connection at nsqd's side too."""
        text = str(error)
        if text.startswith(_HARMLESS):
            log.info("nsq.answer_refused", extra={"nsqd": conn.name, "reason": text})
            return
        if _TIMEOUT_REFUSED in text:
            self._message_timeout_seconds = None
        kind = LinkLost if conn.ready.done() or text.startswith(_PASSING) else LinkRefused
        conn.fail(kind(f"nsqd {conn.name} refused: {text}"))

    def _on_connection_ready(self, conn: Link, **_pynsq: Any) -> None:
        raise NotImplementedError

    def _admit(self, conn: Link) -> None:
        """The link can be used from here on."""
        if conn.closed.done() or conn.ready.done():
            return
        self.conns[conn.name] = conn
        conn.ready.set_result(None)
        self.any_ready.set()

    def _on_connection_close(self, conn: Link, **_pynsq: Any) -> None:
        if self.conns.get(conn.name) is conn:
            del self.conns[conn.name]
        if not self.conns:
            self.any_ready.clear()


def _untold(record: logging.LogRecord) -> bool:
    """Tornado's own line for each failed TLS handshake goes; the keeper tells it once."""
    return not str(record.msg).startswith("SSL Error on")
