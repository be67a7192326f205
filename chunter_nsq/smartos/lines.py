"""The standard output of a long-running tool, line by line, with no more of it in memory than is being looked at.

Theory: what has been read and not yet asked for is held to about a mebibyte; beyond that the pipe is left full and
the tool waits. A line may be longer than that, up to a limit of its own, which ends the tool. A tool that closes its
output has two seconds to end as well.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from chunter_nsq.smartos.process import Ending, Process

HELD_BYTES = 2**20
LINE_LIMIT_BYTES = 64 * 2**20
CLOSING_SECONDS = 2.0


class LineSplitter:
    """Bytes in, whole lines out, without their line feeds; what has no line feed yet is kept."""

    def __init__(self) -> None:
        self.rest_bytes = 0
        self._rest: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes."""
        head, line_feed, tail = chunk.rpartition(b"\n")
        if not line_feed:
            self._keep(tail)
            return []
        lines = head.split(b"\n")
        if self._rest:
            lines[0] = self.rest() + lines[0]
        self._keep(tail)
        return lines

    def rest(self) -> bytes:
        """What came after the last line feed; it is kept no longer."""
        rest = b"".join(self._rest)
        self._rest.clear()
        self.rest_bytes = 0
        return rest

    def _keep(self, part: bytes) -> None:
        if part:
            self._rest.append(part)
            self.rest_bytes += len(part)


class Lines:
    """Iterates over the lines of one running tool.

    ``exit_status`` and ``stderr`` are known when the iteration has ended; ``unterminated`` then says whether the last
    line lacked its line feed, as it does when a tool is killed while it speaks.

    Raises:
        ToolTimeout, ToolFailed (a line over the limit), Interrupted (the runner was closed): while iterating.
    """

    def __init__(self, line_limit_bytes: int) -> None:
        self.unterminated = False
        self._splitter = LineSplitter()
        self._lines: deque[bytes] = deque()
        self._held_bytes = 0
        self._line_limit_bytes = line_limit_bytes
        self._heard = asyncio.Event()
        self._process: Process
        self._raise_fault: Callable[[], None]

    def attach(self, process: Process, raise_fault: Callable[[], None]) -> None:
        """Say whose output this is, and what raises a fault when its end was not its own; done by the runner."""
        self._process = process
        self._raise_fault = raise_fault
        process.when_over(self._heard.set)

    def take(self, chunk: bytes) -> None:
        """What the process has said next; nothing at all for the end of its output."""
        lines = self._splitter.feed(chunk)
        self._lines.extend(lines)
        self._held_bytes += sum(map(len, lines))
        if not chunk:
            self._process.end_after(CLOSING_SECONDS, Ending.SILENT)
        elif self._splitter.rest_bytes > self._line_limit_bytes:
            self._process.end(Ending.OUTPUT)
        elif self._held_bytes > HELD_BYTES:
            self._process.pause()
        if lines:
            self._heard.set()

    @property
    def pid(self) -> int:
        """The tool's process, and its group."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Negative for a death by signal; None as long as it runs."""
        return self._process.exit_status

    @property
    def stderr(self) -> str:
        """The tail of what it said on standard error."""
        return self._process.stderr

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> bytes:
        while not self._lines:
            if self._process.over:
                return self._last()
            self._held_bytes = 0
            self._heard.clear()
            self._process.resume()
            await self._heard.wait()
        return self._lines.popleft()

    def _last(self) -> bytes:
        self._raise_fault()
        rest = self._splitter.rest()
        if not rest:
            raise StopAsyncIteration
        self.unterminated = True
        return rest
