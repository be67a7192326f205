"""What is known of a tool that runs, has run, and has run so far."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Completed:
    """A tool that has ended, well or not.

    ``argv`` and ``stderr`` have their secrets starred; ``stderr`` is the tail of what was said; ``stdout`` is whole.
    ``exit_status`` is negative for a death by signal.
    """

    argv: tuple[str, ...]
    exit_status: int
    stdout: bytes
    stderr: str
    seconds: float

    @property
    def tool(self) -> str:
        """The tool's name without its folder."""
        return tool_of(self.argv)


@dataclass(frozen=True, slots=True)
class Running:
    """A tool that runs now; ``pid`` is its process group too, ``started`` is in epoch seconds."""

    argv: tuple[str, ...]
    pid: int
    started: float
    command: str | None


@dataclass(frozen=True, slots=True)
class ToolCounts:
    """How often a tool was started, how often it ended badly, and for how long it ran in all."""

    starts: int = 0
    failures: int = 0
    seconds: float = 0.0


def tool_of(argv: tuple[str, ...]) -> str:
    """The name of the tool that an argument vector runs."""
    return posixpath.basename(argv[0])


class Tally:
    """The counts of all tools."""

    def __init__(self) -> None:
        self._counts: dict[str, ToolCounts] = {}

    def add(self, tool: str, *, failed: bool, seconds: float) -> None:
        """Count one start that is over, or that could not be made."""
        count = self._counts.get(tool, ToolCounts())
        self._counts[tool] = replace(
            count, starts=count.starts + 1, failures=count.failures + failed, seconds=count.seconds + seconds
        )

    def counts(self) -> dict[str, ToolCounts]:
        """A copy, by tool."""
        return dict(self._counts)
