"""The memory of the host: what there is, what the machines were given, what is left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from chunter_nsq.memory import memory_event
from chunter_nsq.messages.events import Event
from chunter_nsq.tools import Tools

_EVERY_TICKS = 30


class Memory:
    """Speaks at once when machines come, go or get another size, and every thirtieth tick.

    A create tells what it takes by itself.
    """

    name = "memory"

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._said: Mapping[str, Any] = {}
        self._silent = 0

    @property
    def interval_seconds(self) -> float:
        """The services' tick."""
        return self._tools.config().update_services_interval_seconds

    def prompted_by(self, prompt: Callable[[], None]) -> None:
        """Whatever the machines are given is accounted for at once."""
        self._tools.inventory.resizers.append(prompt)

    def tell(self, event: Event) -> None:
        """A handler said how much memory there is."""
        if event.type == "chunter.memory.update":
            self._say(event.data["data"])

    async def tick(self) -> AsyncIterator[Sequence[Event]]:
        """The accounting, in MiB."""
        figures = await self._tools.memory.figures()
        self._silent += 1
        if figures == self._said and self._silent < _EVERY_TICKS:
            return
        self._say(figures)
        yield [memory_event(self._tools.host.id, figures)]

    def _say(self, figures: Mapping[str, int]) -> None:
        self._said, self._silent = figures, 0
