"""What every transfer is given."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.budget import Budget
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.progress import Meter
from chunter_nsq.storage.rate import Rate
from chunter_nsq.storage.stop import Stop
from chunter_nsq.storage.turns import Turns

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Transfer:
    """``budget``, ``rate`` and turns are shared by all transfers of a host; the others are this one's own.

    ``uploads`` and ``downloads`` are turns for parts, of which each transfer has some on their way.

    The bucket is hung up when the transfer is stopped, so another transfer has another one.
    """

    bucket: Bucket
    stop: Stop
    budget: Budget
    rate: Rate = field(default_factory=Rate)
    patience: Patience = field(default_factory=Patience)
    meter: Meter = field(default_factory=Meter)
    uploads: Turns = field(default_factory=Turns)
    downloads: Turns = field(default_factory=Turns)

    def attempt(self, do: Callable[[], T], what: str) -> T:
        """Try patiently. Raises Cancelled when stopped."""
        return self.patience.attempt(do, self.stop, what)

    def pay(self, size_bytes: int) -> None:
        """Wait for one's turn to move bytes."""
        self.rate.pay(size_bytes, self.stop)


async def in_thread(work: Callable[[], T], stop: Stop) -> T:
    """Run a transfer in a thread of its own; a task that is cancelled stops it, and waits for that to be over."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, fault: BaseException | None) -> None:
        if not outcome.done():
            outcome.set_exception(fault) if fault is not None else outcome.set_result(result)  # type: ignore[arg-type] # one or the other

    def run() -> None:
        try:
            result = work()
        except BaseException as fault:  # noqa: BLE001 - it is raised where the task waits
            loop.call_soon_threadsafe(settle, None, fault)
        else:
            loop.call_soon_threadsafe(settle, result, None)

    threading.Thread(target=run, name="transfer", daemon=True).start()
    try:
        return await asyncio.shield(outcome)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([outcome])
        outcome.exception()  # that it was stopped is what is wanted
        raise
