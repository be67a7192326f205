"""Work that goes on all the time, sometimes more and sometimes less of it, so that counters only ever grow.

How much was done by now follows from the clock alone: nothing is stored, and two readings agree with each other.
"""

from __future__ import annotations

from math import cos, pi, sin

SWING = 0.6  # between 0.4 and 1.6 times the average
QUIET_SECONDS = 60.0  # whoever has little to do does it once in so long


class Wave:
    """The work of somebody at an instant, told apart by a number."""

    __slots__ = ("busy", "done")

    def __init__(self, number: int, age_seconds: float, *, quiet: bool = False) -> None:
        period = 180.0 + number % 240
        phase = number % 1000 * pi / 500
        angle = 2 * pi * age_seconds / period + phase
        # What the rate now is, as a part of the average, and the seconds of average work done so far.
        self.busy = 1 + SWING * cos(angle)
        self.done = age_seconds + SWING * period / (2 * pi) * (sin(angle) - sin(phase))
        if quiet:
            self.done -= self.done % QUIET_SECONDS

    def counted(self, per_second: float) -> int:
        """A counter that grows so fast on average."""
        return int(self.done * per_second)
