"""Runs a program and sees to it that nothing which it started outlives it: `python3 alone.py PROGRAM ...`.

On Linux orphans are handed to this process. What still runs two seconds after the program is named, ended by its id,
and counts as a failure.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
PATIENCE_SECONDS = 2.0


def main(argv: list[str]) -> int:
    """The program's exit status; 1 when it was 0 and something was left."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    child = os.posix_spawnp(argv[0], argv, os.environ)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    status = os.waitstatus_to_exitcode(_ended(child))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is nobody left to pass it on to
    left = _left()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = _left()
    for pid, words in left.items():
        print(f"left behind and ended: {pid} {words}", file=sys.stderr)
    while left:
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        left = _left()
        status = status or 1
    return status


def _ended(child: int) -> int:
    """The wait status of the program; every orphan that ends before it is buried at once, for thousands slow /proc."""
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except KeyboardInterrupt:
            continue  # the program was asked as well
        if pid == child:
            return status


def _left() -> dict[int, str]:
    """Processes handed to us, by their ids; ended ones are buried on the way."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return {}
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid():
            found[int(folder.name)] = words.strip()
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
