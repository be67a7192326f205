"""How far a command is, on a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from chunter_nsq.cli.outline import plain

HINT_SECONDS = 5.0


class Display(Protocol):
    """Is shown every result as it comes."""

    def show(self, data: Mapping[str, Any]) -> None:
        """The newest result."""


class Silent:
    """For pipes and files."""

    def show(self, data: Mapping[str, Any]) -> None:
        """Nothing."""


class Bar:
    """One line on stderr that moves and is gone in the end."""

    def __init__(self, progress: Progress, action: str, host: str) -> None:
        self._progress = progress
        self._action = action
        self._host = host
        self._task: TaskID = progress.add_task(f"{action}: sent to {host}", total=None, note="")

    def show(self, data: Mapping[str, Any]) -> None:
        """Phase, share and time left, as far as they are told."""
        told = data.get("progress")
        told = told if isinstance(told, Mapping) else {}
        phase = plain(told.get("phase") or data.get("status"))
        total, done, left = told.get("total"), told.get("done"), told.get("eta_seconds")
        note = f"about {left:.0f} s left" if isinstance(left, int | float) else ""
        self._progress.update(
            self._task,
            description=f"{self._action}: {phase}",
            total=total if isinstance(total, int | float) and total > 0 else None,
            completed=done if isinstance(done, int | float) else 0,
            note=note,
        )

    def hint(self) -> None:
        """Nothing was heard yet."""
        self._progress.update(
            self._task, description=f"{self._action}: nothing heard of {self._host} yet", note="(see chunter hosts)"
        )


class _Words(TextColumn):
    """Text without rich's markup: names come from afar."""

    def render(self, task: Any) -> Text:
        return Text(self.text_format.format(task=task), style=self.style)


@contextmanager
def display(action: str, host: str, *, console: Console | None = None) -> Iterator[Display]:
    """A bar when stderr is a terminal; the hint comes by itself when nothing is shown for a while."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield Silent()
        return
    words, note = _Words("{task.description}"), _Words("{task.fields[note]}", style="dim")
    progress = Progress(
        SpinnerColumn(), words, BarColumn(bar_width=24), TimeElapsedColumn(), note, console=console, transient=True
    )
    with progress:
        bar = Bar(progress, action, host)
        timer = asyncio.get_running_loop().call_later(HINT_SECONDS, bar.hint)
        try:
            yield _Until(bar, timer)
        finally:
            timer.cancel()


class _Until:
    """Ends the wait for a hint with the first result."""

    def __init__(self, bar: Bar, timer: asyncio.TimerHandle) -> None:
        self._bar = bar
        self._timer = timer

    def show(self, data: Mapping[str, Any]) -> None:
        self._timer.cancel()
        self._bar.show(data)
