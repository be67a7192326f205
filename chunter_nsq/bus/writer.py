"""pynsq's Writer with a Guard under it: which answer belongs to which publish."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import nsq  # noqa: TID251 - the bus is where pynsq lives

from chunter_nsq.bus.faults import LinkLost, PublishFailed, PublishFault, PublishInvalid, PublishUncertain
from chunter_nsq.bus.guard import Guard, Timerless
from chunter_nsq.bus.link import Link
from chunter_nsq.bus.settings import Connection

_INVALID = ("E_BAD_TOPIC", "E_BAD_MESSAGE", "E_BAD_BODY")
_UNREAD = ("E_AUTH_FAILED", "E_AUTH_FIRST", "E_AUTH_DISABLED", "E_UNAUTHORIZED", "E_INVALID")


class Writer(Guard, nsq.Writer, Timerless):  # type: ignore[misc]  # pynsq ships no types
    """nsqd answers in the order it was asked; each link has a queue of futures that wait."""

    def __init__(self, connection: Connection) -> None:
        Guard.__init__(self, connection, "publish")
        nsq.Writer.__init__(self, [str(address) for address in connection.nsqd] or list(connection.lookupd))

    def post(self, link: Link, command: bytes) -> asyncio.Future[None]:
        """Sends one publish; the future ends with nsqd's OK or a PublishFault."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        link.callback_queue.append(functools.partial(_settle, answer))
        link.send(command)
        return answer

    def _on_connection_ready(self, conn: Link, **_pynsq: Any) -> None:
        self._admit(conn)

    def _on_connection_response(self, conn: Link, data: bytes) -> None:
        nsq.Writer._on_connection_response(self, conn, data)  # noqa: SLF001 - pynsq's own matching, past Guard's

    def _on_connection_error(self, conn: Link, error: Exception, **_pynsq: Any) -> None:
        """The error is the answer to the oldest publish; nsqd reads nothing behind it."""
        if conn.callback_queue:
            conn.callback_queue.pop(0)(conn, error)
        super()._on_connection_error(conn, error)

    def _on_connection_close(self, conn: Link, **_pynsq: Any) -> None:
        super()._on_connection_close(conn)
        waiting, conn.callback_queue = conn.callback_queue, []
        for callback in waiting:
            callback(conn, conn.fault)


def _settle(answer: asyncio.Future[None], conn: Link, data: bytes | Exception) -> None:
    """Called by pynsq with what came for the oldest publish."""
    if answer.done():
        return
    if data == b"OK":
        answer.set_result(None)
        return
    answer.set_exception(_verdict(conn, data))
    answer.exception()  # it may be that nobody waits any more


def _verdict(conn: Link, data: bytes | Exception) -> PublishFault:
    text = str(data)
    if isinstance(data, LinkLost):
        return PublishUncertain(f"no answer to a publish: {text}", {"address": conn.name})
    if text.startswith(_INVALID):
        return PublishInvalid(f"nsqd {conn.name} refused the message: {text}", {"address": conn.name})
    if text.startswith(_UNREAD):
        return PublishFailed(f"nsqd {conn.name} takes nothing from us: {text}", {"address": conn.name})
    return PublishUncertain(f"nsqd {conn.name} answered a publish with {text}", {"address": conn.name})
