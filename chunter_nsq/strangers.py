"""Who else reads the commands of this host: each message that a stranger gets on our channel, we never see.

Two kinds: a program that was pointed at the channel (``nsq_tail --channel=<hostid>``), and another agent with this
host's id (a copied ``etc/hostid``). nsqd tells names and programs of a channel's clients on its HTTP door only; an
nsqd whose door cannot be reached is not looked at, which is told in ``Look.hidden`` and is no fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chunter_nsq.bus import admin, doors
from chunter_nsq.bus.admin import ChannelClient
from chunter_nsq.bus.faults import NsqFault
from chunter_nsq.bus.settings import Connection

AGENT = "chunter/"


@dataclass(frozen=True, slots=True)
class Reader:
    """A client of the channel of one topic on one nsqd (its HTTP door)."""

    nsqd: str
    topic: str
    hostname: str
    user_agent: str
    remote_address: str

    def as_dict(self) -> dict[str, Any]:
        """For an event."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Look:
    """All clients of the channel, those of this host too; ``hidden`` are the nsqd that could not be asked."""

    readers: tuple[Reader, ...]
    hidden: tuple[str, ...]

    def foreign(self, host_id: str) -> tuple[Reader, ...]:
        """Readers that are no agent of this host."""
        return tuple(one for one in self.readers if not _is_agent(one, host_id))

    def agents(self, host_id: str) -> dict[str, Reader]:
        """One reader of each agent that has this host's id, by its user agent, which no two have in common."""
        return {one.user_agent: one for one in self.readers if _is_agent(one, host_id)}


async def look(connection: Connection, named: Sequence[str], topics: Sequence[str], channel: str) -> Look:
    """Ask every nsqd whose door is found; ``named`` are doors from the configuration. Never raises."""
    found = await doors.find(connection, named)
    places = [(door, topic) for door in found.open for topic in topics]
    answers = await asyncio.gather(*(_clients(door, topic, channel) for door, topic in places))
    readers = [
        Reader(door, topic, one.hostname, one.user_agent, one.remote_address)
        for (door, topic), clients in zip(places, answers, strict=True)
        for one in clients or ()
    ]
    silent = {door for (door, _), clients in zip(places, answers, strict=True) if clients is None}
    return Look(tuple(readers), (*map(str, found.hidden), *sorted(silent)))


async def _clients(door: str, topic: str, channel: str) -> tuple[ChannelClient, ...] | None:
    try:
        return await admin.channel_clients(door, topic, channel)
    except NsqFault:
        return None


def _is_agent(reader: Reader, host_id: str) -> bool:
    return reader.hostname == host_id and reader.user_agent.startswith(AGENT)


class Watch:
    """What an agent asks from time to time: the strangers of now."""

    def __init__(self, connection: Connection, named: Sequence[str], topics: Sequence[str], user_agent: str) -> None:
        self._connection = connection
        self._named = tuple(named)
        self._topics = tuple(topics)
        self._user_agent = user_agent
        self._doubles: frozenset[str] = frozenset()
        self.found: tuple[Reader, ...] = ()

    async def look(self) -> tuple[Reader, ...]:
        """Strangers; another agent with our id counts from the second look on.

        nsqd keeps the connection of a host that crashed for a minute, and that was ourselves.
        """
        host = self._connection.hostname
        seen = await look(self._connection, self._named, self._topics, host)
        others = [one for one in seen.agents(host).values() if one.user_agent != self._user_agent]
        stayed = [one for one in others if one.user_agent in self._doubles]
        self._doubles = frozenset(one.user_agent for one in others)
        self.found = (*seen.foreign(host), *stayed)
        return self.found
