"""When a process was born, as its kernel says: two processes with one number differ in it."""

from __future__ import annotations

import contextlib
import struct
import time
from pathlib import Path

_STAT_START_FIELD = 19  # of the fields after the command's closing parenthesis
_PSINFO_START = struct.Struct("@88x2q")  # pr_start of a 64-bit psinfo_t: seconds, nanoseconds
_EARLIEST_SECONDS = 10**9
_CLOCK_SLACK_SECONDS = 3600


def birth_of(pid: int, proc: Path = Path("/proc")) -> str | None:
    """An opaque text that stays the same for the life of a process; None when it is gone or the system does not tell.

    Linux gives the clock ticks from boot to its start, illumos the time of its start.
    """
    folder = proc / str(pid)
    with contextlib.suppress(OSError, ValueError, IndexError):
        return (
            (folder / "stat")
            .read_text(encoding="ascii", errors="replace")
            .rpartition(")")[2]
            .split()[_STAT_START_FIELD]
        )
    with contextlib.suppress(OSError, struct.error):
        seconds, nanoseconds = _PSINFO_START.unpack_from((folder / "psinfo").read_bytes())
        if _EARLIEST_SECONDS < seconds < time.time() + _CLOCK_SLACK_SECONDS:
            return f"{seconds}.{nanoseconds:09d}"
    return None
