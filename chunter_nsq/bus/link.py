"""One connection to one nsqd: pynsq's, with the parts that cannot be trusted replaced.

Responsibilities: dial, IDENTIFY, TLS, AUTH, frames in, commands out, and the moment of the last frame on the monotonic
clock. A link is used once; whoever keeps it makes a new one.

Kept from pynsq's AsyncConn: what IDENTIFY says, the order of feature negotiation and AUTH, RDY bookkeeping, its events.
Replaced, and why:

- connect: pynsq resolves names on the loop, has no time limit, and logs a traceback for each refusal;
- reading: two futures for each frame become one for whatever the socket holds;
- sending: commands of one turn of the loop leave in one write;
- TLS: the host name is checked, and an nsqd that answers IDENTIFY without TLS is left before AUTH, so that neither
  secret nor body goes out in the clear;
- messages: handed over as raw frames; nsq.Message with its three event tables is not made;
- wall clocks: a step of the host's clock changes nothing here.

deflate and snappy are never offered (they break under tornado 6), and no sample rate (it throws messages away). A
message timeout above nsqd's limit is fatal, and that limit is told only in the answer: the owner then asks for none.

Not promised: that a command that was sent arrived. FIN and REQ have no answer; a publish has one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import nsq  # noqa: TID251 - the bus is where pynsq lives
from nsq import conn as nsq_conn  # noqa: TID251 - same
from nsq import event, protocol  # noqa: TID251 - same
from tornado.iostream import IOStream, SSLIOStream, StreamBufferFullError, StreamClosedError

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.dial import dial
from chunter_nsq.bus.faults import LinkLost, LinkRefused
from chunter_nsq.bus.settings import Connection
from chunter_nsq.bus.tls import client_context

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
LARGEST_FRAME_BYTES = 64 * 1024 * 1024
UNBUFFERED = -1  # nsqd sends each message at once; buffered, a lone one waits for --output-buffer-timeout

_FRAME = struct.Struct(">ii")
_SIZE_BYTES = 4
_HEARTBEAT = b"_heartbeat_"
_NOP = b"NOP\n"


class Link(nsq.AsyncConn):  # type: ignore[misc]  # pynsq ships no types
    """A connection and three futures that tell of it.

    ``ready`` is settled when the owner says so or the handshake fails, ``dry`` when nsqd sends no more messages,
    ``closed`` when the socket is gone. ``held`` are the messages without an answer.
    """

    def __init__(self, address: Address, connection: Connection, message_timeout_seconds: float | None = None) -> None:
        super().__init__(
            address.host,
            address.port,
            timeout=float(connection.handshake_timeout_seconds),
            heartbeat_interval=connection.heartbeat_seconds,
            tls_v1=connection.tls is not None,
            user_agent=connection.user_agent,
            auth_secret=connection.auth_secret,
            hostname=connection.hostname,
            msg_timeout=message_timeout_seconds,
        )
        self.output_buffer_size = UNBUFFERED  # pynsq's own check refuses what nsqd understands
        self.address = address
        self.name = str(address)
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.dry: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.fault: LinkLost | None = None
        self.last_frame_at = time.monotonic()
        self.deliver: Callable[[Link, bytes], None] = _unexpected
        self.held: dict[bytes, asyncio.Future[None]] = {}
        self._tls = connection.tls
        self._securing: asyncio.Future[SSLIOStream] | None = None
        self._loop = loop
        self._outgoing: list[bytes] = []
        self._rest = b""

    def __str__(self) -> str:
        return self.name

    async def open(self) -> None:
        """Dials and shakes hands; returns when ``ready`` is settled. The caller sets the time limit.

        Raises:
            OSError: nothing accepts there.
            LinkLost: closed before it was ready; LinkRefused if nsqd said why.
        """
        self.stream: IOStream | None = await dial(self.address, self.timeout)
        self.socket = self.stream.socket
        self.state = nsq_conn.CONNECTED
        self.last_frame_at = time.monotonic()
        self.stream.set_close_callback(self._socket_close)
        self.stream.write(protocol.MAGIC_V2)
        self._start_read()
        self._on_connect()
        await self.ready

    def fail(self, fault: LinkLost) -> None:
        """Closes for a reason; the first reason stays."""
        self.fault = self.fault or fault
        self.close()

    def close(self) -> None:
        """Drops the connection in whatever state it is; nothing of it remains scheduled."""
        if self._securing is not None:
            self._securing.cancel()
        if self.stream is not None:
            self.stream.close()
        self._socket_close()

    def silent_seconds(self) -> float:
        """How long ago the last frame came."""
        return time.monotonic() - self.last_frame_at

    def send(self, data: bytes) -> None:
        """Queues a command for this turn of the loop's write."""
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(data)

    async def drain(self) -> None:
        """Returns when everything sent so far was handed to the system."""
        self._flush()
        if self.stream is not None and not self.stream.closed():
            await self.stream.write(b"")

    async def part(self, limit_seconds: float = 0.5) -> None:
        """Closes after nsqd has read everything: our side first, then, once nsqd answered that, the rest."""
        try:
            async with asyncio.timeout(limit_seconds):
                await self.drain()
                if self.stream is not None and not self.stream.closed():
                    self.stream.socket.shutdown(socket.SHUT_WR)
                await self.closed
        except (TimeoutError, OSError) as error:
            log.debug("nsq.parted_late", extra={"nsqd": self.name, "reason": str(error)})
        self.close()

    def finish(self, message_id: bytes) -> None:
        """FIN: nsqd may forget the message."""
        self.send(b"FIN %b\n" % message_id)

    def requeue(self, message_id: bytes, delay_ms: int) -> None:
        """REQ: nsqd delivers it again, to anyone on the channel, after ``delay_ms``."""
        self.send(b"REQ %b %d\n" % (message_id, delay_ms))

    def _flush(self) -> None:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        if not data or self.stream is None or self.stream.closed():
            return
        try:
            self.stream.write(data)
        except (OSError, StreamBufferFullError) as error:
            self.fail(LinkLost(f"nsqd {self.name} takes no more data: {error}"))

    def _socket_close(self) -> None:
        if self.closed.done():
            return
        self.state = nsq_conn.DISCONNECTED
        cause = getattr(self.stream, "error", None)
        self.fault = self.fault or LinkLost(f"nsqd {self.name} closed the connection" + (f": {cause}" if cause else ""))
        self.closed.set_result(None)
        if not self.dry.done():
            self.dry.set_result(None)
        if not self.ready.done():
            self.ready.set_exception(self.fault)
            self.ready.exception()  # it may be that nobody waits any more
        self.trigger(event.CLOSE, conn=self)

    def _start_read(self) -> None:
        if self.stream is None or self.stream.closed():
            return
        chunk = asyncio.ensure_future(self.stream.read_bytes(CHUNK_BYTES, partial=True))  # a future already
        chunk.add_done_callback(self._on_chunk)

    def _on_chunk(self, future: asyncio.Future[bytes]) -> None:
        try:
            chunk = future.result()
        except (StreamClosedError, asyncio.CancelledError):
            return  # the close callback tells
        self.last_frame_at = time.monotonic()
        try:
            self._feed(self._rest + chunk if self._rest else chunk)
        except Exception as error:
            log.exception("nsq.frame_unreadable", extra={"nsqd": self.name})
            self.fail(LinkLost(f"nsqd {self.name} sent what cannot be read: {error}"))
        self._start_read()

    def _feed(self, data: bytes) -> None:
        at, end = 0, len(data)
        while end - at >= _FRAME.size:
            size, kind = _FRAME.unpack_from(data, at)
            if not _SIZE_BYTES <= size <= LARGEST_FRAME_BYTES:
                self.fail(LinkLost(f"{self.name} does not speak as nsqd does: a frame of {size} bytes"))
                return
            stop = at + _SIZE_BYTES + size
            if stop > end:
                break
            self._on_frame(kind, data[at + _FRAME.size : stop])
            at = stop
        self._rest = data[at:]

    def _on_frame(self, kind: int, body: bytes) -> None:
        if kind == protocol.FRAME_TYPE_MESSAGE:
            self.deliver(self, body)
        elif kind == protocol.FRAME_TYPE_ERROR:
            self.trigger(event.ERROR, conn=self, error=protocol.Error(body.decode("utf-8", "replace")))
        elif body == _HEARTBEAT:
            self.send(_NOP)
        else:
            self.trigger(event.RESPONSE, conn=self, data=body)

    def _on_identify_response(self, data: bytes, **kwargs: Any) -> None:
        if self.tls_v1 and not _offers_tls(data):
            self.fail(LinkRefused(f"nsqd {self.name} does not offer TLS, and nothing is sent in the clear"))
            return
        super()._on_identify_response(data=data, **kwargs)

    def upgrade_to_tls(self, _options: dict[str, Any] | None = None) -> None:
        """Called by pynsq's negotiation; reading goes on when the handshake is through."""
        stream = self.stream
        assert stream is not None, "negotiated over a stream"  # noqa: S101 - for the type checker
        try:
            context = client_context(self._tls)  # type: ignore[arg-type]  # tls_v1 is only set with it
            securing = stream.start_tls(False, context, server_hostname=self.host)
        except (OSError, ValueError) as error:
            self.fail(LinkRefused(f"TLS towards nsqd {self.name} cannot begin: {error}"))
            return
        self.stream = None  # the old one is dead, the new one comes with the future
        self._securing = securing
        securing.add_done_callback(self._on_secured)

    def _on_secured(self, future: asyncio.Future[SSLIOStream]) -> None:
        self._securing = None
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            cause = getattr(error, "real_error", None) or error
            self.fail(LinkRefused(f"TLS with nsqd {self.name} failed: {cause}"))
            return
        self.stream = future.result()
        self.socket = self.stream.socket
        self._start_read()


def _offers_tls(answer: bytes) -> bool:
    try:
        return json.loads(answer).get("tls_v1") is True
    except (ValueError, AttributeError):
        return False  # "OK" of a very old nsqd, or no nsqd at all


def _unexpected(link: Link, _frame: bytes) -> None:
    log.error("nsq.unexpected_message", extra={"nsqd": link.name})
