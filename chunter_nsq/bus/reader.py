"""pynsq's Reader with a Guard around it: it subscribes, shares RDY out over the connections, passes raw messages on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nsq  # noqa: TID251 - the bus is where pynsq lives
from nsq import protocol  # noqa: TID251 - same

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.guard import Guard, Timerless
from chunter_nsq.bus.link import Link
from chunter_nsq.bus.settings import Connection

_CLOSE = b"CLS\n"
_CLOSING = b"CLOSE_WAIT"


class Reader(Guard, nsq.Reader, Timerless):  # type: ignore[misc]  # pynsq ships no types
    """One topic and channel; SUB creates both on the nsqd.

    RDY is shared out evenly, never less than one each: pynsq's own way of moving a scarce RDY around leaves a message
    on an idle nsqd waiting for half a minute.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        channel: str,
        deliver: Callable[[Link, bytes], None],
        *,
        max_in_flight: int,
    ) -> None:
        Guard.__init__(self, connection, f"{topic}/{channel}")
        nsq.Reader.__init__(
            self,
            topic,
            channel,
            message_handler=_never,
            nsqd_tcp_addresses=[str(address) for address in connection.nsqd],
            lookupd_http_addresses=list(connection.lookupd),
            max_tries=0,
            max_in_flight=max_in_flight,
        )
        self._deliver = deliver
        self._share = max_in_flight
        self._subscribing: set[Link] = set()

    def pause(self) -> None:
        """RDY 0 everywhere."""
        self.set_max_in_flight(0)

    def resume(self) -> None:
        """RDY as before."""
        self.max_in_flight = self._share
        self.share_rdy()

    def close_channel(self) -> None:
        """CLS: nsqd sends nothing more, and says so; FIN and REQ are still taken."""
        for link in self.conns.values():
            link.send(_CLOSE)

    def share_rdy(self) -> None:
        """Gives each connection its part."""
        for link in self.conns.values():
            self._send_rdy(link, self._connection_max_in_flight() if self.max_in_flight else 0)

    def _make_link(self, address: Address) -> Link:
        link = super()._make_link(address)
        link.deliver = self._deliver
        return link

    def _on_connection_ready(self, conn: Link, **_pynsq: Any) -> None:
        conn.send(protocol.subscribe(self.topic, self.channel))
        self._subscribing.add(conn)

    def _on_connection_response(self, conn: Link, data: bytes) -> None:
        """Of those that come here after READY, the first answers SUB, and a later one CLS."""
        if conn in self._subscribing:
            self._subscribing.discard(conn)
            self._admit(conn)
        elif data == _CLOSING and not conn.dry.done():
            conn.dry.set_result(None)

    def _admit(self, conn: Link) -> None:
        super()._admit(conn)
        self.share_rdy()

    def _on_connection_close(self, conn: Link, **_pynsq: Any) -> None:
        self._subscribing.discard(conn)
        super()._on_connection_close(conn)
        self.share_rdy()


def _never(_message: Any) -> None:
    raise AssertionError("messages go to deliver, never through pynsq's handler")
