"""Trying again, for minutes: stores restart, networks heal."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from chunter_nsq.errors import Fault
from chunter_nsq.storage.stop import Stop

log = logging.getLogger(__name__)

T = TypeVar("T")

_chance = random.SystemRandom()  # one of its own: threads that wait must not draw from what others have seeded


@dataclass(frozen=True, slots=True)
class Patience:
    """Try for ``total_seconds``; pauses of 0 to ``first_seconds``, doubling to ``longest_seconds`` (full jitter)."""

    total_seconds: float = 1800.0
    first_seconds: float = 0.5
    longest_seconds: float = 60.0

    def attempt(self, do: Callable[[], T], stop: Stop, what: str) -> T:
        """What ``do`` returns in the end; only faults marked transient are tried again.

        Raises:
            Fault: the last one, when time is up or it is not transient.
            Cancelled: the transfer was stopped.
        """
        give_up_at = time.monotonic() + self.total_seconds
        ceiling_seconds = self.first_seconds
        while True:
            stop.check()
            try:
                return do()
            except Fault as fault:
                stop.check()  # it may have failed because everything was hung up
                pause_seconds = _chance.uniform(0, ceiling_seconds)
                if not fault.transient or time.monotonic() + pause_seconds > give_up_at:
                    raise
                note = {"what": what, "why": fault.message, "pause_seconds": round(pause_seconds, 2)}
                log.warning("storage.trying_again", extra=note)
            stop.wait(pause_seconds)
            ceiling_seconds = min(2 * ceiling_seconds, self.longest_seconds)
