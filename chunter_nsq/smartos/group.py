"""The end of a process group: SIGTERM, a time of grace, SIGKILL, and the moment when nobody is left.

Driven by timers of the loop, so that no cancellation of a task can interrupt it. While the child that leads the
group is not reaped, its number cannot be given to a stranger; after that the group is signalled only until it
was seen empty once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

TERMINATION_GRACE_SECONDS = 2.0
STRAGGLER_SECONDS = 0.5
UNKILLABLE_SECONDS = 5.0
POLL_SECONDS = 0.01
SLOWEST_POLL_SECONDS = 0.1


def signal_group(group: int, number: int) -> bool:
    """Send a signal (0 only asks) to a process group; whether there was anybody."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        log.warning("process.may_not_signal", extra={"pid": group, "signal": number})
    return True


def is_populated(group: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process group has a living member; one that is dead and not reaped is none where that can be told."""
    if not signal_group(group, 0):
        return False
    if not (proc / "self/stat").exists():  # not Linux: whoever adopts orphans reaps them at once
        return True
    return any(_is_living_member(stat, group) for stat in proc.glob("[0-9]*/stat"))


def _is_living_member(stat: Path, group: int) -> bool:
    try:
        state, _parent, group_of_it = stat.read_bytes().rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):  # it went away meanwhile
        return False
    return int(group_of_it) == group and state not in {b"Z", b"X"}


class GroupEnd:
    """Ends one group; ``gone`` is called once, when it is over or given up."""

    def __init__(self, group: int, gone: Callable[[], None]) -> None:
        self._group = group
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        self._kill_by = 0.0
        self._leave_by: float | None = None
        self._poll_seconds = POLL_SECONDS

    def terminate(self) -> None:
        """SIGTERM to all; what is left after the grace time is killed."""
        self._kill_by = self._loop.time() + TERMINATION_GRACE_SECONDS
        signal_group(self._group, signal.SIGTERM)
        self._after(TERMINATION_GRACE_SECONDS, self.kill)

    def kill(self) -> None:
        """SIGKILL to all, at once."""
        if self._leave_by is None:
            self._leave_by = self._loop.time() + STRAGGLER_SECONDS
            signal_group(self._group, signal.SIGKILL)
            self._after(UNKILLABLE_SECONDS, self._give_up)

    def child_reaped(self) -> None:
        """The leader is gone: wait for the others, who were told to end too."""
        now = self._loop.time()
        if not is_populated(self._group):
            self._finish()
            return
        if now >= self._kill_by:
            self.kill()
        if self._leave_by is not None and now >= self._leave_by:
            signal_group(self._group, signal.SIGKILL)
            self._finish()
        else:
            self._after(self._poll_seconds, self.child_reaped)
            self._poll_seconds = min(2 * self._poll_seconds, SLOWEST_POLL_SECONDS)

    def forget(self) -> None:
        """No more signals, no more calls."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, call))

    def _give_up(self) -> None:
        log.error("process.unkillable", extra={"pid": self._group})
        self._finish()

    def _finish(self) -> None:
        self.forget()
        self._gone()
