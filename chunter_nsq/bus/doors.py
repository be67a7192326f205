"""The HTTP doors of the nsqd that an agent speaks to: they alone say who else reads a channel, and what time it is.

A door is one that was named, else one that nsqlookupd tells, else the port after nsqd's own, where nsqd has it unless
it was moved. A door counts only when it says itself that it is that nsqd's: behind a port may be anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chunter_nsq.bus import admin
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import NsqFault
from chunter_nsq.bus.settings import Connection

_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Doors:
    """``open`` are ``host:port`` of doors that answer; ``hidden`` are nsqd of which none was found."""

    open: tuple[str, ...]
    hidden: tuple[Address, ...]


async def find(connection: Connection, named: Sequence[str] = ()) -> Doors:
    """The doors of the fixed nsqd and of those that nsqlookupd knows; ``named`` are asked first. Never raises."""
    listed = await asyncio.gather(*map(_listed, connection.lookupd))
    nodes = {node.tcp: node.http for some in listed for node in some}
    wanted = dict.fromkeys((*connection.nsqd, *nodes))
    told = dict(zip(named, await asyncio.gather(*map(_info, named)), strict=True))
    found: dict[Address, str | None] = {}
    for address in wanted:
        candidates = [door for door, said in told.items() if _is_of(door, said, address)]
        found[address] = candidates[0] if candidates else None
    asked = [address for address, door in found.items() if door is None]
    answers = await asyncio.gather(*(_door(address, nodes.get(address)) for address in asked))
    found.update(zip(asked, answers, strict=True))
    spare = (door for door, said in told.items() if said and door not in found.values())
    return Doors(
        tuple(dict.fromkeys((*filter(None, found.values()), *spare))),
        tuple(address for address, door in found.items() if door is None),
    )


async def _listed(lookupd: str) -> tuple[admin.Node, ...]:
    try:
        return await admin.lookup_nodes(lookupd)
    except NsqFault:
        return ()


async def _door(address: Address, listed: str | None) -> str | None:
    """The first door that says it is this nsqd's."""
    for candidate in _candidates(address, listed):
        said = await _info(candidate)
        if said and (candidate == listed or _is_of(candidate, said, address)):
            return candidate
    return None


def _candidates(address: Address, listed: str | None) -> Iterable[str]:
    if listed is not None:
        yield listed
    if address.port < _LAST_PORT:
        yield str(Address(address.host, address.port + 1))


async def _info(door: str) -> dict[str, object]:
    """What a door says of its nsqd; empty when it says nothing."""
    try:
        return await admin.info(door)
    except NsqFault:
        return {}


def _is_of(door: str, said: dict[str, object], address: Address) -> bool:
    hosts = (Address.parse(door).host, said.get("broadcast_address"))
    return said.get("tcp_port") == address.port and address.host in hosts
