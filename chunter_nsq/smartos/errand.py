"""One start of one tool: what was asked for, what became of it, and how both are told in log and fault."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from chunter_nsq.errors import Interrupted, ToolFailed, ToolTimeout
from chunter_nsq.smartos.invocation import Completed, Running, tool_of
from chunter_nsq.smartos.process import Ending, Process
from chunter_nsq.smartos.stars import starred, starred_argv

log = logging.getLogger(__name__)

_STDERR_SHOWN_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Order:
    """What is to run; ``shown`` is its argument vector with the secrets starred."""

    argv: tuple[str, ...] = field(repr=False)
    secrets: Collection[str] = field(repr=False)
    mutates: bool
    timeout_seconds: float | None
    silence_seconds: float | None = None
    shown: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", starred_argv(self.argv, self.secrets))

    @property
    def tool(self) -> str:
        """The tool's name without its folder."""
        return tool_of(self.argv)

    def path_below(self, root: Path) -> str:
        """The tool's absolute path; raises ToolFailed when it would not be below the root."""
        relative = PurePosixPath(self.argv[0])
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise ToolFailed(f"{self.argv[0]!r} is not a tool's path below {root}", {"argv": list(self.shown)})
        return str(root / relative)


class Errand:
    """An order that has been started."""

    def __init__(self, order: Order, running: Running, process: Process, begun: float) -> None:
        self.order = order
        self.running = running
        self.process = process
        self._begun = begun
        self._ended: float | None = None
        process.when_over(self._stop_the_clock)

    def _stop_the_clock(self) -> None:
        self._ended = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it ran, or has been running."""
        return (self._ended or time.monotonic()) - self._begun

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than by itself with status 0; a stream that was left has done its work."""
        return self.process.ending not in {None, Ending.LEFT} or (
            self.process.ending is None and self.process.exit_status != 0
        )

    def completed(self, stdout: bytes) -> Completed:
        """What there is to say of it once it has ended by itself."""
        status = self.process.exit_status
        stderr = starred(self.process.stderr, self.order.secrets)
        return Completed(self.order.shown, -1 if status is None else status, stdout, stderr, self.seconds)

    def raise_fault(self) -> None:
        """Raise what its end was, unless it ended by itself or because nobody wanted to hear more.

        Raises:
            ToolTimeout: its time had passed, or its stream stood still.
            ToolFailed: it said more than it may.
            Interrupted: the runner was closed.
        """
        tool, ending = self.order.tool, self.process.ending
        stderr = starred(self.process.stderr, self.order.secrets)[-_STDERR_SHOWN_CHARACTERS:]
        details: dict[str, object] = {
            "argv": list(self.order.shown),
            "exit_status": self.process.exit_status,
            "stderr": stderr,
        }
        effect = " What it had done by then is unknown." if self.order.mutates else ""
        if ending is Ending.TIMEOUT:
            details["timeout_seconds"] = self.order.timeout_seconds
            seconds = f"{self.order.timeout_seconds:g} s" if self.order.timeout_seconds is not None else "its time"
            raise ToolTimeout(f"{tool} did not end within {seconds} and was killed.{effect}", details)
        if ending is Ending.STALLED:
            details["silence_seconds"] = self.order.silence_seconds
            message = f"the stream of {tool} stood still for {self.order.silence_seconds:g} s; it was killed.{effect}"
            raise ToolTimeout(message, details)
        if ending is Ending.OUTPUT:
            details["stdout_bytes"] = self.process.stdout_bytes
            raise ToolFailed(f"{tool} said more than may be kept and was killed.{effect}", details)
        if ending is Ending.CLOSED:
            raise Interrupted(f"{tool} was ended because the agent is closing.{effect}", details)

    def log_start(self) -> None:
        """One debug line."""
        if log.isEnabledFor(logging.DEBUG):
            log.debug("tool.start", extra=self._extra())

    def log_end(self) -> None:
        """One debug line, with the outcome."""
        if log.isEnabledFor(logging.DEBUG):
            process = self.process
            outcome = {
                "exit_status": process.exit_status,
                "ending": process.ending.value if process.ending else None,
                "seconds": round(self.seconds, 6),
                "stdout_bytes": process.stdout_bytes,
            }
            log.debug("tool.end", extra=self._extra() | outcome)

    def _extra(self) -> dict[str, object]:
        return {"argv": self.running.argv, "pid": self.running.pid, "command": self.running.command}


def not_started(order: Order, path: str, fault: OSError | RuntimeError) -> ToolFailed:
    """Why a tool could not be started, and what to do about it."""
    number = fault.errno if isinstance(fault, OSError) and fault.errno else 0
    why = os.strerror(number) if number else str(fault)
    if number == errno.ENOENT:
        missing = not os.path.lexists(path)
        remedy = "it is not there: check platform_root" if missing else "its interpreter or what it links to is missing"
    elif number in {errno.EACCES, errno.EPERM, errno.ENOEXEC}:
        remedy = f"{why}: it must be an executable file that this user may run"
    elif number in {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}:
        remedy = f"{why}: the limits of this host or of the agent's service are too low"
    else:
        remedy = why
    details = {"argv": list(order.shown), "path": path, "errno": errno.errorcode.get(number, "")}
    return ToolFailed(f"{path} cannot be started: {remedy}", details)
