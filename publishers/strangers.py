"""That somebody else reads this host's commands, and that nobody does any more."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence

from chunter_nsq.messages.events import Event
from chunter_nsq.tools import Tools

log = logging.getLogger(__name__)

_HEARTBEATS = 12  # between two looks: a minute


class Strangers:
    """Warns when strangers come, when others come in their place, and when the last has gone."""

    name = "strangers"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._told: frozenset[tuple[str, str]] = frozenset()

    @property
    def interval_seconds(self) -> float:
        """With every twelfth heartbeat."""
        return self._tools.config().heartbeat_interval_seconds * _HEARTBEATS

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """A warning when it is another company than the last time."""
        found = await self._tools.strangers.look()
        company = frozenset((one.hostname, one.remote_address) for one in found)
        if company == self._told:
            return
        state = "foreign" if found else "recovered"
        clients = [one.as_dict() for one in found]
        log.warning("host.channel_shared" if found else "host.channel_free", extra={"clients": clients})
        says = (
            "others read this host's commands, and what they get does not arrive here: end them, or give a host that "
            "was copied an id of its own (remove its etc/hostid and restart its agent)"
            if found
            else "nobody else reads this host's commands any more"
        )
        data = {"source": "channel", "state": state, "message": says, "clients": clients}
        yield [Event("announce", "chunter.host.warning", self._tools.host.id, {"event": "warning", "data": data})]
        self._told = company
