"""One handshake with one nsqd, for a look whether it would have us: dial, IDENTIFY, TLS, AUTH, good-bye."""

from __future__ import annotations

import asyncio
from typing import Any

from nsq import event  # noqa: TID251 - the bus is where pynsq lives

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import LinkLost, LinkRefused
from chunter_nsq.bus.link import Link
from chunter_nsq.bus.settings import Connection


async def greet(address: Address, connection: Connection) -> None:
    """Returns when nsqd would take commands of ours.

    Raises:
        LinkRefused: nsqd is there, and will not have us as we are (TLS, AUTH, a limit).
        LinkLost: it cannot be reached, or does not answer in time.
    """
    link = Link(address, connection)
    link.on(event.READY, _admit)
    link.on(event.ERROR, _refuse)
    try:
        async with asyncio.timeout(connection.handshake_timeout_seconds):
            await link.open()
    except TimeoutError:
        limit = connection.handshake_timeout_seconds
        raise LinkLost(f"nsqd {address} did not shake hands within {limit:g} s") from None
    except OSError as error:
        raise LinkLost(f"nsqd {address} cannot be reached: {error}") from error
    finally:
        link.close()


def _admit(conn: Link, **_pynsq: Any) -> None:
    if not conn.ready.done():
        conn.ready.set_result(None)


def _refuse(conn: Link, error: Exception, **_pynsq: Any) -> None:
    conn.fail(LinkRefused(f"nsqd {conn.name} refused: {error}"))
