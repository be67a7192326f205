"""The one gate through which processes start: every tool of the platform runs here.

Responsibilities: an absolute path below the platform root, a fixed environment and a group of its own for each tool; a
time limit; bounded output; start and end in the log, secrets starred; what runs now, what ran so far; an end for
whole groups on time-out, cancellation and close; for changing tools a small file that outlives a killed agent.

Theory: a start is synchronous (a few milliseconds, most of them the kernel's), so there is no instant at which a
process exists that nobody answers for. A changing tool has its file before its first instruction: an agent killed at
any instant leaves none that the next one does not find. From then on the process drives itself (process.py); a task
that runs a tool only waits, and when it is cancelled it tells the process to end and waits for that before the
cancellation goes on.

Not promised: that a tool which was killed had no effect; that stdout is whole when a tool ended and left it to a
daemon which still speaks; any limit on how many tools run at once, which is the caller's to keep.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess  # noqa: TID251  # the one gate
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import cast

from chunter_nsq.errors import Fault, Interrupted, InvalidMessage
from chunter_nsq.smartos.errand import Errand, Order, not_started
from chunter_nsq.smartos.exits import ExitWatch, best_exit_watch
from chunter_nsq.smartos.group import signal_group
from chunter_nsq.smartos.invocation import Completed, Running, Tally, ToolCounts
from chunter_nsq.smartos.leftovers import Leftovers
from chunter_nsq.smartos.lines import LINE_LIMIT_BYTES, Lines
from chunter_nsq.smartos.process import Ending, Pipes, Process
from chunter_nsq.smartos.streams import SILENCE_SECONDS, Judge, Sink, Source
from chunter_nsq.smartos.terminal import Size, Terminal, no_terminal

__all__ = ["Completed", "Lines", "Runner", "Running", "Sink", "Source", "Terminal", "ToolCounts", "current_command"]

log = logging.getLogger(__name__)

current_command: ContextVar[str | None] = ContextVar("current_command", default=None)

ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/usr/sbin"}
ORPHAN_POLL_SECONDS = 0.1
ORPHAN_END_SECONDS = 5.0

Stream = Source | Sink | Terminal


class Runner:
    """Runs tools below one platform root, in one event loop.

    ``run_dir`` is where changing tools leave their files; without it there are none.
    """

    def __init__(
        self,
        root: Path,
        *,
        run_dir: Path | None = None,
        timeout_seconds: float = 60.0,
        output_limit_bytes: int = 64 * 2**20,
        exit_watch: ExitWatch | None = None,
    ) -> None:
        self.root = root.absolute()
        self._leftovers = Leftovers(run_dir) if run_dir is not None else None
        self._timeout_seconds = timeout_seconds
        self._output_limit_bytes = output_limit_bytes
        self._exit_watch = exit_watch or best_exit_watch()
        self._errands: dict[int, Errand] = {}
        self._tally = Tally()
        self._closed = False
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            # Inherited from whoever started the agent; every exit status would be lost, and taken for 0.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    async def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_seconds: float | None = None,
        secrets: Collection[str] = (),
        mutates: bool = False,
    ) -> Completed:
        """Run a tool to its end and return whatever its exit status is.

        ``argv[0]`` is a path below the platform root ("usr/sbin/zoneadm"). ``mutates`` says that it changes the host.

        Raises:
            ToolTimeout: it did not end in time and was killed with all its children.
            ToolFailed: it could not be started, or said more than the limit and was killed.
            Interrupted: the runner was closed.
        """
        chunks: list[bytes] = []

        def take(chunk: bytes) -> None:
            chunks.append(chunk)
            if errand.process.stdout_bytes > self._output_limit_bytes:
                errand.process.end(Ending.OUTPUT)

        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        errand = self._start(Order(argv, secrets, mutates, seconds), stdin, take)
        async with self._until_over(errand):
            await errand.process.wait()
        errand.raise_fault()
        stdout = b"".join(chunks)
        chunks.clear()  # the closure lives on until the collector comes by
        return errand.completed(stdout)

    @asynccontextmanager
    async def lines(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes = b"",
        timeout_seconds: float | None = None,
        secrets: Collection[str] = (),
        mutates: bool = False,
        line_limit_bytes: int = LINE_LIMIT_BYTES,
    ) -> AsyncIterator[Lines]:
        """Run a tool and read its lines as they come; without a time limit unless one is given.

        Leaving the context ends the tool with all its children. Raises as ``run`` does, and so does the iteration.
        """
        lines = Lines(line_limit_bytes)
        errand = self._start(Order(argv, secrets, mutates, timeout_seconds), stdin, lines.take)
        lines.attach(errand.process, errand.raise_fault)
        async with self._until_over(errand):
            yield lines

    @asynccontextmanager
    async def source(
        self, argv: tuple[str, ...], judge: Judge | None = None, *, silence_seconds: float = SILENCE_SECONDS
    ) -> AsyncIterator[Source]:
        """Run a tool and have threads read its output as it comes; it may stand still for ``silence_seconds``.

        ``judge`` raises what a bad end means, else any exit status but 0 is one. Leaving the context ends the tool
        with all its children. Raises as ``run`` does.
        """
        source = Source(argv, judge, silence_seconds)
        async with self._streamed(source):
            yield source

    @asynccontextmanager
    async def sink(
        self, argv: tuple[str, ...], judge: Judge | None = None, *, silence_seconds: float = SILENCE_SECONDS
    ) -> AsyncIterator[Sink]:
        """The same for a changing tool whose input threads write; it ends well only through ``Sink.finish``."""
        sink = Sink(argv, judge, silence_seconds)
        async with self._streamed(sink):
            yield sink

    @asynccontextmanager
    async def terminal(self, argv: tuple[str, ...], size: Size) -> AsyncIterator[Terminal]:
        """Run a tool on a terminal of its own, without a time limit; leaving the context ends it with its children.

        Raises as ``run`` does, and InsufficientResources when the system has no terminal left.
        """
        terminal = Terminal(size)
        try:
            terminal.open()
        except OSError as fault:
            raise no_terminal(fault) from fault
        try:
            errand = self._start(Order(argv, (), mutates=True, timeout_seconds=None), b"", terminal.take, terminal)
            terminal.attach(errand.process, errand.raise_fault)
            async with self._until_over(errand):
                yield terminal
        finally:
            terminal.close()

    def active(self) -> tuple[Running, ...]:
        """What runs now, oldest first."""
        return tuple(errand.running for errand in self._errands.values())

    def durations(self) -> dict[str, ToolCounts]:
        """What ran so far, by tool."""
        return self._tally.counts()

    async def close(self) -> None:
        """End what runs and start nothing more."""
        self._closed = True
        processes = [errand.process for errand in self._errands.values()]
        for process in processes:
            process.end(Ending.CLOSED)
        for process in processes:
            await process.wait()

    async def orphans(self) -> tuple[Running, ...]:
        """The changing tools that an agent which was killed has left running; files of those that ended are removed."""
        if self._leftovers is None:
            return ()
        return await asyncio.to_thread(self._leftovers.sweep, frozenset(self._errands))

    async def end_orphan(self, running: Running) -> None:
        """Kill the whole group of an orphan that nobody waits for, such as a stream whose reader was killed."""
        if self._leftovers is not None and self._leftovers.is_alive(running.pid):
            log.warning("runner.orphan_ended", extra={"pid": running.pid, "argv": list(running.argv)})
            signal_group(running.pid, signal.SIGKILL)
            await self.wait_orphan(running, ORPHAN_END_SECONDS)

    async def wait_orphan(self, running: Running, timeout_seconds: float) -> bool:
        """Wait for the whole group of an orphan to end; whether it did in time."""
        if self._leftovers is None:
            return True
        give_up_at = time.monotonic() + timeout_seconds
        # A stranger's process cannot be waited for: there is no event, hence the polling.
        while await asyncio.to_thread(self._leftovers.is_alive, running.pid):
            remaining_seconds = give_up_at - time.monotonic()
            if remaining_seconds <= 0:
                return False
            await asyncio.sleep(min(ORPHAN_POLL_SECONDS, remaining_seconds))
        self._leftovers.drop(running.pid)
        return True

    @asynccontextmanager
    async def _until_over(self, errand: Errand) -> AsyncIterator[None]:
        process = errand.process
        try:
            yield
        except GeneratorExit:  # whoever waited was thrown away: nobody can wait any more
            process.abandon()
            raise
        except BaseException:
            process.end(Ending.CANCELLED)
            await process.wait_despite_cancellation()
            raise
        else:
            process.end(Ending.LEFT)
            await process.wait_despite_cancellation()
        finally:
            self._ended(errand)

    @asynccontextmanager
    async def _streamed(self, stream: Source | Sink) -> AsyncIterator[None]:
        try:
            errand = self._start(stream.order, b"", stream.take, stream)
            stream.attach(errand)
            async with self._until_over(errand):
                yield
        finally:
            stream.close()  # after the tool's end: nothing that was cut short shall look like the end of a stream

    def _start(self, order: Order, stdin: bytes, take: Callable[[bytes], None], stream: Stream | None = None) -> Errand:
        """Start a tool; from here on ``_errands`` answers for it."""
        if self._closed:
            raise Interrupted(f"{order.tool} was not started: the agent is closing", {"argv": list(order.shown)})
        begun, running = time.monotonic(), Running(order.shown, 0, time.time(), current_command.get())
        leftovers = self._leftovers if order.mutates else None
        try:
            first = leftovers.noting(running) if leftovers is not None else None
            process = self._process(order, stdin, take, stream, first)
        except Fault:
            self._tally.add(order.tool, failed=True, seconds=time.monotonic() - begun)
            if leftovers is not None:
                leftovers.sweep(frozenset(self._errands))  # the child's, which did not become a tool, is one
            raise
        errand = Errand(order, replace(running, pid=process.pid), process, begun)
        self._errands[process.pid] = errand
        if order.timeout_seconds is not None:
            process.end_after(order.timeout_seconds)
        if leftovers is not None and not leftovers.has(process.pid):
            log.warning("runner.leftover_not_written", extra={"pid": process.pid})
        errand.log_start()
        return errand

    def _process(
        self,
        order: Order,
        stdin: bytes,
        take: Callable[[bytes], None],
        stream: Stream | None,
        first: Callable[[], None] | None,
    ) -> Process:
        path = order.path_below(self.root)
        try:
            child = self._spawn(order, path, first, *_ends(stream, is_told=bool(stdin)))
        except ValueError as fault:
            message = f"{order.tool} was not started: a word of its command line cannot be given to a program: {fault}"
            raise InvalidMessage(message, {"argv": list(order.shown)}) from fault
        except OSError as fault:
            raise not_started(order, path, fault) from fault
        try:
            pipes = _pipes(child) if stream is None else stream.keep(_pipes(child))
            return Process(child, pipes, stdin, take, self._exit_watch)
        except (OSError, RuntimeError) as fault:  # neither descriptor nor thread left to watch it with
            signal_group(child.pid, signal.SIGKILL)
            child.__exit__(None, None, None)
            raise not_started(order, path, fault) from fault

    @staticmethod
    def _spawn(
        order: Order, path: str, first: Callable[[], None] | None, stdin: int, stdout: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [path, *(word.encode(errors="surrogateescape") for word in order.argv[1:])],
            bufsize=0,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            preexec_fn=first,  # noqa: PLW1509 - it takes no lock that another thread could have
        )

    def _ended(self, errand: Errand) -> None:
        del self._errands[errand.process.pid]
        if errand.order.mutates and self._leftovers is not None:
            self._leftovers.drop(errand.process.pid)
        self._tally.add(errand.order.tool, failed=errand.failed, seconds=errand.seconds)
        errand.log_end()


def _ends(stream: Stream | None, *, is_told: bool) -> tuple[int, int]:
    """What the child has as standard input and output."""
    if isinstance(stream, Terminal):
        return stream.slave, stream.slave
    return subprocess.PIPE if is_told or isinstance(stream, Sink) else subprocess.DEVNULL, subprocess.PIPE


def _pipes(child: subprocess.Popen[bytes]) -> Pipes:
    """Our ends; without a buffer size they are plain files."""
    return Pipes(cast("FileIO | None", child.stdin), cast("FileIO", child.stdout), cast("FileIO", child.stderr))
