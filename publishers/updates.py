"""How an update of the agent ended, whoever asked for it: told once, by the agent that runs after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chunter_nsq.messages.events import Event, Note
from chunter_nsq.release.state import CURRENT
from chunter_nsq.tools import Tools

_LOOK_SECONDS = 2.0
_SPACE = "update"


class Updates:
    """Looks at the state that the updater leaves."""

    name = "updates"
    interval_seconds = _LOOK_SECONDS

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._told = ""

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """The end of an update that was not told yet."""
        state = self._tools.updates.state()
        if state is None or not state.is_final or state.phase == CURRENT or state.id == self._told:
            return
        if (await self._tools.outbox.recall(_SPACE)).get("told") != state.id:
            said = {
                "from": state.from_version, "to": state.to_version or None, "outcome": state.phase,
                "reason": state.reason or None, "command": state.command or None,
            }  # fmt: skip
            note = Note(_SPACE, "told", state.id)
            data = {"event": "updated", "data": said}
            yield [Event("announce", "chunter.host.updated", self._tools.host.id, data, notes=(note,))]
        self._told = state.id
