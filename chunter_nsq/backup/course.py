"""Work that goes on while somebody tells of it, step by step; leaving early ends the work, and waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from chunter_nsq.actions import Progress
from chunter_nsq.messages.events import Event

T = TypeVar("T")
Step = Event | Progress
Tell = Callable[[Step], None]


class Course(Generic[T]):
    """``async with`` it, iterate over what it tells, then take ``result``; ``work`` may tell from any thread."""

    def __init__(self, work: Callable[[Tell], Awaitable[T]]) -> None:
        self._work = work
        self._told: asyncio.Queue[Step | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[T]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: self._told.put_nowait(None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await ended(self._task)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Step:
        step = await self._told.get()
        if step is None:
            raise StopAsyncIteration
        return step

    @property
    def result(self) -> T:
        """What the work returned; raises what it raised."""
        return self._task.result()

    async def _run(self) -> T:
        return await self._work(self._tell)

    def _tell(self, step: Step) -> None:
        self._loop.call_soon_threadsafe(self._told.put_nowait, step)


async def ended(task: asyncio.Task[Any] | asyncio.Future[Any]) -> None:
    """Wait for a task whatever becomes of it; a cancellation meanwhile is raised after that."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as again:
            cancelled = again
    if not task.cancelled():
        task.exception()  # whoever wants it asks for the result
    if cancelled is not None:
        raise cancelled
