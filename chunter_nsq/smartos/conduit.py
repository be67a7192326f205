"""Our end of a pipe, for a thread that blocks in it and a loop that may have to wake it.

Theory: a thread that sleeps in read(2) cannot be woken by closing the descriptor under it: the number may belong to
a stranger a moment later. So the end does not block, the thread sleeps in poll(2) on it and on a pipe of its own that
wakes it, and closing waits for the few microseconds that a thread which is awake needs to let go.

Not promised: more than one thread at a time; they wait for each other.
"""

from __future__ import annotations

import fcntl
import io
import logging
import os
import select
import threading

log = logging.getLogger(__name__)

PIPE_BYTES = 2**20
_MILLISECONDS = 1000


class Woken(Exception):
    """Somebody woke the thread; whether it goes on is its own decision."""


class Silence(Exception):
    """Nothing could be moved for the time given."""


class Conduit:
    """A pipe's end, with larger pipes where the system has them (Linux)."""

    def __init__(self, pipe: io.FileIO) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._pipe = pipe
        self._lock = threading.Lock()
        self._shut = False
        self._hearing, self._waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _quiet_pipe()
        self._poll = select.poll()
        self._poll.register(self._hearing, select.POLLIN)
        self._poll.register(pipe.fileno(), select.POLLIN if pipe.readable() else select.POLLOUT)
        _widen(pipe.fileno())

    def read_into(self, view: memoryview, seconds: float) -> int:
        """Move what the pipe holds, as far as it fits; how much, 0 at its end.

        Raises:
            Silence: nothing came within the time.
            Woken: by ``wake`` or ``close``.
        """
        with self._lock:
            while True:
                self._check()
                try:
                    return os.readv(self._pipe.fileno(), [view])
                except BlockingIOError:
                    self._sleep(seconds)

    def write_from(self, view: memoryview, seconds: float) -> int:
        """Move what the pipe takes; how much.

        Raises:
            Silence: nothing was taken within the time.
            Woken: by ``wake`` or ``close``.
            BrokenPipeError: nobody reads any more.
        """
        with self._lock:
            while True:
                self._check()
                try:
                    return os.write(self._pipe.fileno(), view)
                except BlockingIOError:
                    self._sleep(seconds)

    def wake(self) -> None:
        """Wake the thread that sleeps, or that falls asleep next."""
        if not self._shut:
            os.write(self._waking, b"!")

    def close(self) -> None:
        """Close the end, whoever uses it; what they do next raises Woken."""
        if self._shut:
            return
        self.wake()
        self._shut = True
        with self._lock:
            self._pipe.close()
            os.close(self._hearing)
            os.close(self._waking)

    def _check(self) -> None:
        if self._shut:
            raise Woken

    def _sleep(self, seconds: float) -> None:
        ready = self._poll.poll(seconds * _MILLISECONDS)
        if not ready:
            raise Silence
        if any(descriptor == self._hearing for descriptor, _ in ready):
            os.read(self._hearing, PIPE_BYTES)
            raise Woken


def _quiet_pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _widen(descriptor: int) -> None:
    widen = getattr(fcntl, "F_SETPIPE_SZ", None)
    if widen is None:
        return
    try:
        fcntl.fcntl(descriptor, widen, PIPE_BYTES)
    except OSError as fault:  # this user's pipes are at their limit: it works as well, only slower
        log.debug("conduit.not_widened", extra={"why": str(fault)})
