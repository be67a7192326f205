"""Bytes that stream out of a tool or into it, for threads that block, with no more of them held than the pipe holds.

Responsibilities: let a thread read a tool's output (``Source``) or write its input (``Sink``) as if it were a file;
say at the end whether the tool ended well; end a tool whose stream stands still; let go of the thread when the tool
was ended from elsewhere.

Theory: the end of a pipe says nothing: a tool that was killed leaves one that looks like any other. So a Source shows
its end, and a Sink reports success, only after the tool has ended with what the caller calls success; everything else
is raised. Only the time that a thread waits for the tool counts as silence, not what the caller does meanwhile.

Not promised: anything to a thread that runs the loop, which would wait for itself and is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar

from chunter_nsq.errors import Interrupted, ToolFailed, ToolTimeout
from chunter_nsq.smartos.conduit import Conduit, Silence, Woken
from chunter_nsq.smartos.errand import Errand, Order
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.process import Ending, Pipes
from chunter_nsq.smartos.refusal import check

SILENCE_SECONDS = 900.0
LAST_WORDS_BYTES = 64 * 1024
# SIGTERM, its grace, SIGKILL, and giving up on a process that cannot be killed.
_END_SECONDS = 10.0

# Raises when what the tool did is not what the caller calls success.
Judge = Callable[[Completed], object]


class _Stream:
    mutates: ClassVar[bool]

    def __init__(self, argv: tuple[str, ...], judge: Judge | None, silence_seconds: float) -> None:
        self.order = Order(argv, (), self.mutates, timeout_seconds=None, silence_seconds=silence_seconds)
        self.moved_bytes = 0
        self.whole = False
        self._judge = judge or partial(check, attempted=f"run {self.order.tool}")
        self._silence_seconds = silence_seconds
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._over = threading.Event()
        self._words = bytearray()
        self._conduit: Conduit
        self._errand: Errand

    def take(self, chunk: bytes) -> None:
        """What the tool says besides its stream; the beginning is kept."""
        self._words += chunk[: LAST_WORDS_BYTES - len(self._words)]

    def attach(self, errand: Errand) -> None:
        """Say whose stream this is; done by the runner."""
        self._errand = errand
        errand.process.when_over(self._ended)

    def close(self) -> None:
        """Let go of the pipe; done by the runner when the context is left."""
        if hasattr(self, "_conduit"):
            self._conduit.close()

    @property
    def pid(self) -> int:
        """The tool's process, and its group."""
        return self._errand.process.pid

    async def completed(self) -> Completed:
        """What the tool did, once it ended well; raises as reading and writing do. For the loop, after the thread."""
        return await asyncio.to_thread(self._outcome)

    def _outcome(self) -> Completed:
        """Wait for the tool's end, and raise unless it was a good one."""
        if not self._over.wait(self._silence_seconds):
            self._give_up()
        self._errand.raise_fault()
        if self._errand.process.ending is not None:
            tool = self.order.tool
            raise Interrupted(f"{tool} was ended before its stream was whole", {"argv": list(self.order.shown)})
        completed = self._errand.completed(bytes(self._words))
        self._judge(completed)
        self.whole = True
        return completed

    def _give_up(self) -> None:
        """The stream stands still: end the tool."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the tool
            self._loop.call_soon_threadsafe(self._errand.process.end, Ending.STALLED)
        if not self._over.wait(_END_SECONDS):
            details = {"argv": list(self.order.shown), "pid": self.pid}
            raise ToolTimeout(f"{self.order.tool} stands still and cannot be killed", details)

    def _ended(self) -> None:
        self._over.set()
        if self._wants_waking():
            self._conduit.wake()

    def _wants_waking(self) -> bool:
        return self._errand.process.ending is not None

    def _check_thread(self) -> None:
        if threading.get_ident() == self._loop_thread:
            raise RuntimeError("a stream is for threads; the loop would wait for itself")


class Source(_Stream):
    """What a tool says, for one thread to read; ``moved_bytes`` counts, ``whole`` says that it ended well.

    Raises, while reading: ToolTimeout (it stood still), Interrupted (it was ended, the context was left), and what the
    judge says of a tool that ended badly, ToolFailed for one.
    """

    mutates = False

    def keep(self, pipes: Pipes) -> Pipes:
        """Take standard output out of the pipes that the loop hears; done by the runner."""
        if pipes.stdout is not None:
            self._conduit = Conduit(pipes.stdout)
        return replace(pipes, stdout=None)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill the buffer; fewer bytes than it holds only at the end of a whole stream, where the next call gives 0."""
        self._check_thread()
        view = memoryview(buffer)
        filled = 0
        while filled < len(view):
            moved = self._read(view[filled:])
            if not moved:
                self._outcome()
                break
            filled += moved
            self.moved_bytes += moved
        return filled

    def read(self, size_bytes: int) -> bytes:
        """So many bytes; fewer only at the end of a whole stream, and none after it."""
        buffer = bytearray(size_bytes)
        filled = self.readinto(buffer)
        return bytes(memoryview(buffer)[:filled])

    def _read(self, view: memoryview) -> int:
        try:
            return self._conduit.read_into(view, self._silence_seconds)
        except Silence:
            self._give_up()
        except Woken:
            pass  # why is known when it has ended
        completed = self._outcome()
        raise Interrupted(f"the stream of {completed.tool} was left before its end", {"argv": list(completed.argv)})


class Sink(_Stream):
    """What a tool is told, for one thread to write; ``moved_bytes`` counts, ``whole`` says that it took all.

    Raises, while writing and finishing: ToolTimeout (it stood still), Interrupted (it was ended, the context was
    left), and what the judge says of a tool that ended badly, ToolFailed for one.
    """

    mutates = True

    def keep(self, pipes: Pipes) -> Pipes:
        """Take standard input out of the pipes that the loop feeds; done by the runner."""
        if pipes.stdin is not None:
            self._conduit = Conduit(pipes.stdin)
        return replace(pipes, stdin=None)

    def write(self, content: bytes | bytearray | memoryview) -> None:
        """Have the tool take all of it."""
        self._check_thread()
        view = memoryview(content)
        while view:
            moved = self._write(view)
            self.moved_bytes += moved
            view = view[moved:]

    def finish(self) -> Completed:
        """Say that this was all, wait for the tool, and return what it did. Nothing but this makes a stream whole."""
        self._check_thread()
        if not self._over.is_set():
            self._conduit.close()
        return self._outcome()

    def _write(self, view: memoryview) -> int:
        try:
            return self._conduit.write_from(view, self._silence_seconds)
        except Silence:
            self._give_up()
        except (Woken, BrokenPipeError):
            pass  # why is known when it has ended
        completed = self._outcome()
        details = {"argv": list(completed.argv), "stderr": completed.stderr, "moved_bytes": self.moved_bytes}
        raise ToolFailed(f"{completed.tool} ended well before it had read all that it was told", details)

    def _wants_waking(self) -> bool:
        return True
