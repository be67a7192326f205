"""How the loop learns that a child process has ended, leaving it to be reaped by its owner.

The child stays a zombie until its owner reaps it, so that its number, which is also its group's, still belongs to it
when the loop is told. With a process descriptor (Linux) this costs a file descriptor, elsewhere a thread that sleeps
in waitid(2).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import TypeAlias

log = logging.getLogger(__name__)

# Called with the child's number and what to call, once, in the loop; returns how to stop watching.
ExitWatch: TypeAlias = Callable[[int, Callable[[], None]], Callable[[], None]]


def watch_by_descriptor(pid: int, ended: Callable[[], None]) -> Callable[[], None]:
    """Call ``ended`` in the running loop when the child ends; the kernel must offer pidfd_open(2)."""
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(pid)
    open_descriptors = [descriptor]

    def forget() -> None:
        if open_descriptors:
            open_descriptors.clear()
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def readable() -> None:
        forget()
        ended()

    loop.add_reader(descriptor, readable)
    return forget


def watch_by_thread(pid: int, ended: Callable[[], None]) -> Callable[[], None]:
    """Call ``ended`` in the running loop when the child ends; a thread of its own waits for it."""
    loop = asyncio.get_running_loop()
    wanted = threading.Event()
    wanted.set()

    def told() -> None:
        if wanted.is_set():
            ended()

    def wait() -> None:
        with contextlib.suppress(ChildProcessError):  # reaped by its owner meanwhile
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            loop.call_soon_threadsafe(told)

    threading.Thread(target=wait, name=f"exit-of-{pid}", daemon=True).start()
    return wanted.clear


def best_exit_watch() -> ExitWatch:
    """The cheapest watch that this kernel offers."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError) as fault:
        log.debug("runner.exits_by_thread", extra={"why": str(fault)})
        return watch_by_thread
    return watch_by_descriptor
