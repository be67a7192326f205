"""Which nsqd there are, asked of their HTTP doors and of nsqlookupd."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chunter_nsq.bus import admin
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import NsqFault

_CONNECT_SECONDS = 2.0
_SERVER_FAULT = 500
_T = TypeVar("_T")


class Unreachable(NsqFault):
    """No nsqd, or none that takes us."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """HTTP doors to publish through, TCP addresses to read from."""

    doors: tuple[str, ...]
    tcp: tuple[Address, ...]

    async def create(self, topic: str, channel: str) -> None:
        """Makes both on each nsqd that answers. Raises Unreachable when none does."""
        made, told = await _gathered([admin.create_topic_channel(door, topic, channel) for door in self.doors])
        if not made:
            raise Unreachable(told)

    async def delete(self, topic: str, channel: str) -> None:
        """Takes the channel away on each nsqd that answers."""
        await _gathered([admin.delete_channel(door, topic, channel) for door in self.doors])

    async def sweep(self, topic: str, is_stale: Callable[[str], bool]) -> None:
        """Takes away what nobody reads and ``is_stale``, on each nsqd that answers."""
        await _gathered([_swept(door, topic, is_stale) for door in self.doors])

    async def publish(self, topic: str, body: bytes) -> None:
        """To the first nsqd that answers; what one refuses is not offered to the next.

        Raises:
            Unreachable: no nsqd said that it has the message.
            PublishInvalid: above 1 MiB.
        """
        faults: list[str] = []
        for door in self.doors:
            try:
                await admin.publish_http(door, topic, body)
            except admin.Unanswered as fault:
                faults.append(fault.message)
                if fault.details.get("status", _SERVER_FAULT) < _SERVER_FAULT:
                    break
            else:
                return
        raise Unreachable("; ".join(faults))


async def find(nsqd_http: Sequence[str], lookupd_http: Sequence[str]) -> Nodes:
    """Everything that answers. Raises Unreachable when that is nothing."""
    named, fault = await _gathered([_named(door) for door in nsqd_http])
    listed, more = await _gathered([admin.lookup_nodes(lookupd) for lookupd in lookupd_http])
    found = [*named, *(node for some in listed for node in some)]
    doors = tuple(dict.fromkeys(node.http for node in found if node.http is not None))
    if not doors:
        told = "; ".join(filter(None, (fault, more)))
        raise Unreachable(told or f"nsqlookupd {', '.join(lookupd_http)} knows no nsqd with an HTTP door")
    return Nodes(doors, tuple(dict.fromkeys(node.tcp for node in found)))


async def _swept(door: str, topic: str, is_stale: Callable[[str], bool]) -> None:
    for channel in await admin.idle_channels(door, topic):
        if is_stale(channel):
            await admin.delete_channel(door, topic, channel)


async def _named(door: str) -> admin.Node:
    """The nsqd behind a door; its TCP port is on the same host, or where nsqd says that it is."""
    told = await admin.info(door)
    given = Address.parse(door)
    try:
        beside = Address(given.host, int(told["tcp_port"]))
        if await _listens(beside):
            return admin.Node(beside, door)
        return admin.Node(Address(str(told["broadcast_address"]), beside.port), door)
    except (KeyError, TypeError, ValueError) as error:
        raise admin.Unanswered(f"{door} answered /info in a form that is not nsqd's: {error!r}") from error


async def _listens(address: Address) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _reader, writer = await asyncio.open_connection(address.host, address.port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


async def _gathered(questions: Sequence[Coroutine[Any, Any, _T]]) -> tuple[list[_T], str]:
    """All answers, and in words why others did not come."""
    answers = await asyncio.gather(*questions, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, NsqFault):
            raise answer
    good = [answer for answer in answers if not isinstance(answer, BaseException)]
    return good, "; ".join(answer.message for answer in answers if isinstance(answer, NsqFault))
