"""The consoles of this host's machines that somebody sits at, by the names of their sessions.

There is at most one session of a name, and a bounded number of them. A session ends when it is closed, when its
machine stops or is gone, when the console itself ends, when nobody types for long, and with the agent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from chunter_nsq.errors import AlreadyExists, InsufficientResources, InvalidMessage, NotFound
from chunter_nsq.messages.events import Event
from chunter_nsq.messages.fields import TOPIC_SIZE_LIMIT
from chunter_nsq.sitting import Means, Sitting
from chunter_nsq.smartos.terminal import Size

MOST_SESSIONS = 16
_GONE = frozenset({"stored", "deleted"})


class Consoles:
    """The sessions of one host."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._sessions: dict[str, Sitting] = {}

    def topics(self, session: str) -> dict[str, str]:
        """Where a session's keys come from and its screen goes to; raises InvalidMessage for too long a name."""
        names = {way: f"{self._means.prefix}.console.{session}.{way}" for way in ("in", "out")}
        if len(names["out"]) > TOPIC_SIZE_LIMIT:
            raise InvalidMessage(f"params.session is too long: {names['out']} is no topic's name; take a shorter one")
        return {"input": names["in"], "output": names["out"]}

    def check(self, session: str, uuid: str) -> bool:
        """Whether that machine has that session already.

        Raises:
            AlreadyExists: another machine has it.
            InsufficientResources: there are too many.
        """
        known = self._sessions.get(session)
        if known is not None and known.uuid != uuid:
            raise AlreadyExists(f"the session {session} is one of another machine: take another name")
        if known is None and len(self._sessions) >= MOST_SESSIONS:
            raise InsufficientResources(f"there are {MOST_SESSIONS} consoles open on this host: close one of them")
        return known is not None

    def has(self, session: str, uuid: str) -> bool:
        """Whether that machine has that session now."""
        one = self._sessions.get(session)
        return one is not None and one.uuid == uuid

    async def open(self, session: str, uuid: str, argv: tuple[str, ...], size: Size, *, runs: bool) -> dict[str, str]:
        """Open a session, or give one that is open another size; its topics.

        Raises:
            Locked: somebody else has that console.
            Fault: what the tool said when it refused.
        """
        topics = self.topics(session)
        if self.check(session, uuid):
            self._sessions[session].resize(size)
            return topics
        one = self._sessions[session] = Sitting(self._means, session, uuid, topics, ran=runs)
        await one.open(argv, size, self._over)
        return topics

    async def close(self, session: str, uuid: str) -> dict[str, str]:
        """Close a session and wait for its end; its topics. Raises NotFound."""
        if not self.has(session, uuid):
            raise NotFound(f"the machine {uuid} has no console session {session}")
        one = self._sessions[session]
        one.end("closed")
        await one.ended()
        return one.topics

    async def close_all(self) -> None:
        """The agent ends."""
        sessions = tuple(self._sessions.values())
        for one in sessions:
            one.end("agent_stopped")
        await asyncio.gather(*(one.ended() for one in sessions))

    def saw(self, events: Iterable[Any]) -> None:
        """What is told of zones: a machine that stopped, or is gone, has nobody at its console."""
        for event in events if self._sessions else ():
            if isinstance(event, Event) and event.type in ("chunter.zone.state", "chunter.zone.deleted"):
                state = "deleted" if event.type == "chunter.zone.deleted" else str(event.data["data"])
                for one in tuple(self._sessions.values()):
                    if one.uuid == event.subject:
                        one.ran = one.ran or state == "running"
                        if state in _GONE or (state == "stopped" and one.ran):
                            one.end("machine_stopped")

    def _over(self, one: Sitting) -> None:
        if self._sessions.get(one.name) is one:
            del self._sessions[one.name]
