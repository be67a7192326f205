"""A file system in memory, where one has room: tests sync so often that a disk costs them a fifth of their time.

What a process wrote outlives its end there as well; only the end of the machine would be another matter, and no test
tries that.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

PLACE = Path("/dev/shm")
ROOM_BYTES = 4 * 2**30  # a whole run takes a part of it


def memory_disk() -> Path | None:
    """Where it is; None leaves temporary files where they usually are."""
    is_there = os.access(PLACE, os.W_OK) and shutil.disk_usage(PLACE).free >= ROOM_BYTES
    return PLACE if is_there else None
