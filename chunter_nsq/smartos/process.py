"""One child process with its group and its three pipes, driven by callbacks of the loop.

Responsibilities: feed standard input, hand on standard output as it comes, keep the tail of standard error,
end the whole group when told to, reap the child, and say when all of that is over (``wait``).

Theory: nothing here is a task, so no cancellation can interrupt it. A process is over when the child has been reaped
and both of its pipes are at their end; a pipe that somebody else still holds open (a daemon that the tool left behind)
is given up when it was silent for a while. A process that was told to end is over when its group is empty.

Not promised: daemons that a tool left behind in its group are not ended when the tool ended by itself; a process
that called setsid(2) escapes; what a killed tool had done is not undone.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from chunter_nsq.smartos.exits import ExitWatch
from chunter_nsq.smartos.group import GroupEnd, signal_group

log = logging.getLogger(__name__)

HELD_PIPE_SECONDS = 0.5
ABANDONED_SECONDS = 1.0
STDERR_TAIL_BYTES = 64 * 1024
READ_BYTES = 64 * 1024


class Ending(Enum):
    """Why a process was made to end."""

    TIMEOUT = "timeout"
    STALLED = "stalled"
    OUTPUT = "output"
    SILENT = "silent"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    LEFT = "left"


class Child(Protocol):
    """What was started: its number, and its exit status once it can be reaped."""

    pid: int

    def poll(self) -> int | None:
        """Reap the child if it has ended; the exit status, negative for a signal."""


@dataclass(frozen=True, slots=True)
class Pipes:
    """Our ends; closed when the process is over. What somebody else reads or writes is not among them."""

    stdin: io.FileIO | None
    stdout: io.FileIO | None
    stderr: io.FileIO


class Process:
    """A started child; made, watched and ended in one loop."""

    def __init__(
        self, child: Child, pipes: Pipes, stdin: bytes, on_stdout: Callable[[bytes], None], watch: ExitWatch
    ) -> None:
        self.pid = child.pid
        self.exit_status: int | None = None
        self.ending: Ending | None = None
        self.stdout_bytes = 0
        self._child = child
        self._pipes = pipes
        self._stdin = memoryview(stdin)
        self._on_stdout = on_stdout
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._stderr = bytearray()
        self._paused = False
        self._heard_at = self._loop.time()
        self._timers: list[asyncio.TimerHandle] = []
        self._holding = False
        self._group = GroupEnd(self.pid, self._settle)
        self._open: set[io.FileIO] = set()
        self._forget_exit = watch(self.pid, self._exited)
        self._listen()

    def _listen(self) -> None:
        for pipe, heard in ((self._pipes.stdout, self._hear_stdout), (self._pipes.stderr, self._hear_stderr)):
            if pipe is None:
                continue
            os.set_blocking(pipe.fileno(), False)
            self._open.add(pipe)
            self._loop.add_reader(pipe.fileno(), heard)
        if self._pipes.stdin is not None:
            os.set_blocking(self._pipes.stdin.fileno(), False)
            self._open.add(self._pipes.stdin)
            self._loop.add_writer(self._pipes.stdin.fileno(), self._speak)
            self._speak()

    @property
    def over(self) -> bool:
        """Whether it has ended and all it said has been heard."""
        return self._over.done()

    @property
    def stderr(self) -> str:
        """The tail of standard error so far."""
        return self._stderr[-STDERR_TAIL_BYTES:].decode(errors="replace")

    def end_after(self, seconds: float, why: Ending = Ending.TIMEOUT) -> None:
        """End it when it is not over by then."""
        self._timers.append(self._loop.call_later(seconds, self.end, why))

    def when_over(self, call: Callable[[], None]) -> None:
        """Have something called, in the loop, once it is over."""
        self._over.add_done_callback(lambda _: call())

    def end(self, why: Ending) -> None:
        """SIGTERM to the whole group, SIGKILL to what is left of it after the grace time. Returns at once."""
        if self.over or self.ending is not None:
            return
        if self.exit_status is not None and why is Ending.TIMEOUT:  # it ended in time; only its pipes are still held
            self._settle()
            return
        self.ending = why
        self.resume()
        if self._pipes.stdin is not None:
            self._close(self._pipes.stdin)
        self._group.terminate()
        if self.exit_status is not None:
            self._group.child_reaped()

    def kill(self) -> None:
        """SIGKILL to the whole group, at once."""
        self.end(Ending.CANCELLED)
        if not self.over:
            self._group.kill()

    def abandon(self) -> None:
        """Kill and reap without the loop, for a caller that cannot wait; blocks for some milliseconds."""
        if self.over:
            return
        if self.exit_status is None:
            signal_group(self.pid, signal.SIGKILL)
        give_up_at = time.monotonic() + ABANDONED_SECONDS
        while self._child.poll() is None and time.monotonic() < give_up_at:
            time.sleep(0.002)
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._forget_exit()
            self._settle()

    async def wait(self) -> None:
        """Wait until it is over; a cancellation of the waiting task leaves it running."""
        await asyncio.shield(self._over)

    async def wait_despite_cancellation(self) -> None:
        """Wait until it is over; being cancelled meanwhile makes the end a harder one, and is raised after it."""
        cancelled: asyncio.CancelledError | None = None
        while not self.over:
            try:
                await self.wait()
            except asyncio.CancelledError as again:
                cancelled = again
                self.kill()
        if cancelled is not None:
            raise cancelled

    def pause(self) -> None:
        """Read no standard output for now; the tool blocks when the pipe is full."""
        stdout = self._pipes.stdout
        if not self._paused and stdout is not None and stdout in self._open and self.ending is None:
            self._paused = True
            self._loop.remove_reader(stdout.fileno())

    def resume(self) -> None:
        """Read standard output again."""
        stdout = self._pipes.stdout
        if self._paused and stdout is not None and stdout in self._open:
            self._loop.add_reader(stdout.fileno(), self._hear_stdout)
        self._paused = False

    def _hear_stdout(self) -> None:
        heard = self._read(self._pipes.stdout) if self._pipes.stdout is not None else None
        if heard is not None and self.ending is None:
            self.stdout_bytes += len(heard)
            self._on_stdout(heard)

    def _hear_stderr(self) -> None:
        self._stderr += self._read(self._pipes.stderr) or b""
        if len(self._stderr) > 2 * STDERR_TAIL_BYTES:
            del self._stderr[:-STDERR_TAIL_BYTES]

    def _read(self, pipe: io.FileIO) -> bytes | None:
        """What the pipe holds; empty at its end, which closes it; None when there is nothing yet."""
        try:
            heard = os.read(pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return None
        except OSError as fault:
            if fault.errno != errno.EIO:
                raise
            heard = b""  # the end of a terminal that nobody has open any more
        self._heard_at = self._loop.time()
        if not heard:
            self._close(pipe)
            self._settle_when_silent()
        return heard

    def _speak(self) -> None:
        pipe = self._pipes.stdin
        if pipe is None or pipe not in self._open:
            return
        try:
            self._stdin = self._stdin[os.write(pipe.fileno(), self._stdin) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it does not want to read on; its exit status says whether that is a failure
            self._stdin = self._stdin[:0]
        if not self._stdin:
            self._close(pipe)

    def _close(self, pipe: io.FileIO) -> None:
        if pipe in self._open:
            self._open.remove(pipe)
            self._loop.remove_reader(pipe.fileno())
            self._loop.remove_writer(pipe.fileno())
            pipe.close()

    def _exited(self) -> None:
        self.exit_status = self._child.poll()
        if self.over:  # it had been given up
            return
        if self._pipes.stdin is not None:
            self._close(self._pipes.stdin)
        if self.ending is not None:
            self._group.child_reaped()
            return
        self._settle_when_silent()
        if not self.over:
            self._drop_held_pipes()

    def _settle_when_silent(self) -> None:
        if self.exit_status is not None and self.ending is None and not self._open:
            self._settle()

    def _drop_held_pipes(self) -> None:
        now = self._loop.time()
        if not self._holding or self._paused:
            self._holding, self._heard_at = True, now
        elif now >= self._heard_at + HELD_PIPE_SECONDS:
            log.warning("process.pipes_held_by_others", extra={"pid": self.pid})
            self._settle()
            return
        self._timers.append(self._loop.call_at(self._heard_at + HELD_PIPE_SECONDS, self._drop_held_pipes))

    def _settle(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._group.forget()
        for pipe in tuple(self._open):
            self._close(pipe)
        if not self._over.done():
            self._over.set_result(None)
