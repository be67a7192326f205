"""A tool that talks to a person: its input and output are a terminal of its own, what it complains of is not.

Theory: the child gets one end of a pseudo terminal as standard input and output; standard error stays a pipe, so that
a refusal can be told from what the tool shows. It is no controlling terminal: a new size is told with a signal. What
the tool said and nobody has taken is held to some size, then the tool waits; what is typed and not taken likewise.

Not promised: what is typed before the tool has set its terminal up may be echoed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from io import FileIO
from typing import NamedTuple

from chunter_nsq.errors import InsufficientResources
from chunter_nsq.smartos.process import Pipes, Process

HELD_BYTES = 64 * 1024


class Size(NamedTuple):
    """Of a terminal, in characters."""

    cols: int
    rows: int


class Terminal:
    """Our end; ``read`` and ``write`` are for one task each."""

    def __init__(self, size: Size) -> None:
        self.slave = -1
        self._size = size
        self._said: deque[bytes] = deque()
        self._held_bytes = 0
        self._typed = bytearray()
        self._news = asyncio.Event()
        self._taken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._writer = -1
        self._process: Process
        self._raise_fault: Callable[[], None]

    def open(self) -> int:
        """Make the terminal; the end for the child. Done by the runner."""
        self._writer, self.slave = os.openpty()
        os.set_blocking(self._writer, False)
        self._apply()
        return self.slave

    def keep(self, pipes: Pipes) -> Pipes:
        """The child has its end; ours is what is heard. Done by the runner."""
        self._let_go_of_slave()
        return replace(pipes, stdout=FileIO(os.dup(self._writer)))

    def attach(self, process: Process, raise_fault: Callable[[], None]) -> None:
        """Say whose terminal this is; done by the runner."""
        self._process = process
        self._raise_fault = raise_fault
        process.when_over(self._over)

    def close(self) -> None:
        """Give the terminal back; done by the runner."""
        self._let_go_of_slave()
        if self._writer >= 0:
            self._loop.remove_writer(self._writer)
            os.close(self._writer)
            self._writer = -1
        self._taken.set()

    def take(self, chunk: bytes) -> None:
        """What the tool has said next."""
        if chunk:
            self._said.append(chunk)
            self._held_bytes += len(chunk)
            if self._held_bytes > HELD_BYTES:
                self._process.pause()
        self._news.set()

    @property
    def stderr(self) -> str:
        """What it complained of."""
        return self._process.stderr

    @property
    def exit_status(self) -> int | None:
        """Negative for a death by signal; None as long as it runs."""
        return self._process.exit_status

    async def read(self, limit_bytes: int) -> bytes:
        """What was said since the last time, at most so much; nothing at the end. Raises as ``Runner.lines`` does."""
        while not self._said:
            if self._process.over:
                self._raise_fault()
                return b""
            self._news.clear()
            self._process.resume()
            await self._news.wait()
        content = b"".join(self._said)
        self._said.clear()
        self._held_bytes = max(0, len(content) - limit_bytes)
        if self._held_bytes:
            self._said.append(content[limit_bytes:])
        return content[:limit_bytes]

    async def write(self, content: bytes) -> None:
        """Type something; waits while the tool does not take what was typed before."""
        while len(self._typed) > HELD_BYTES and self._writer >= 0:
            self._taken.clear()
            await self._taken.wait()
        if self._writer < 0:
            return
        self._typed += content
        self._send()

    def resize(self, size: Size) -> None:
        """Another size; the tool is told."""
        self._size = size
        if self._writer >= 0:
            self._apply()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGWINCH)

    def _apply(self) -> None:
        fcntl.ioctl(self._writer, termios.TIOCSWINSZ, struct.pack("HHHH", self._size.rows, self._size.cols, 0, 0))

    def _send(self) -> None:
        if self._writer < 0:
            return
        try:
            del self._typed[: os.write(self._writer, self._typed)]
        except BlockingIOError:
            pass
        except OSError:  # the tool is gone; that is told where it is read
            self._typed.clear()
        if self._typed:
            self._loop.add_writer(self._writer, self._send)
        else:
            self._loop.remove_writer(self._writer)
        self._taken.set()

    def _over(self) -> None:
        self._news.set()
        self._taken.set()

    def _let_go_of_slave(self) -> None:
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1


def no_terminal(fault: OSError) -> InsufficientResources:
    """The fault for a system that has no terminal left."""
    return InsufficientResources(f"there is no pseudo terminal left: {fault.strerror}")
