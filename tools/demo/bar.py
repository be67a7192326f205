"""How far a long command is: one line that moves below the rows, where lines can move; else a row now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tools.demo.words import MB

_TIMES_A_SECOND = 10


class Bar:
    """Shown from the first ``tell`` to ``end``.

    ``place`` puts a line where it belongs on the page; ``leave`` prints one that stays.
    """

    def __init__(
        self, console: Console, cells: int, *, place: Callable[[Text], Text], leave: Callable[[Text], None]
    ) -> None:
        self._moves = console.is_terminal and not console.is_dumb_terminal
        self._console = console
        self._cells = cells
        self._place = place
        self._leave = leave
        self._marks = "#-" if console.options.ascii_only else "\u2588\u2591"
        self._live: Live | None = None
        self._told: Mapping[str, Any] = {}
        self._told_at = 0.0
        self._left = ""

    def tell(self, progress: Mapping[str, Any]) -> None:
        """The newest of the command."""
        if self._told and self._told["phase"] != progress["phase"]:
            self.end(full=True)
        self._told, self._told_at = progress, time.monotonic()
        if not self._moves:
            self._stay(self._drawn(progress))
        elif self._live is None:
            self._live = Live(
                console=self._console, get_renderable=self._now, refresh_per_second=_TIMES_A_SECOND, transient=True
            )
            self._live.start()

    def end(self, *, full: bool) -> None:
        """It is gone; when it came to its end, and bytes were counted, a full one is left in its place."""
        told, self._told = self._told, {}
        if self._live is not None:
            self._live.stop()
            self._live = None
        if full and _counts_bytes(told):
            self._stay(self._drawn({**told, "done": told["total"]}))
        self._left = ""

    def _stay(self, line: Text) -> None:
        """Once is enough of a line that says the same."""
        if line.plain != self._left:
            self._leave(line)
        self._left = line.plain

    def _now(self) -> Text:
        """Between two tells it goes on at the rate that was told."""
        told = self._told
        passed = (told.get("rate") or 0) * (time.monotonic() - self._told_at)
        done = told.get("done", 0) + int(passed)
        return self._place(self._drawn({**told, "done": min(done, told.get("total") or done)}))

    def _drawn(self, progress: Mapping[str, Any]) -> Text:
        if not _counts_bytes(progress):
            return Text(f"  {progress.get('phase', '')} ...", "dim")
        done, total = progress["done"], progress["total"]
        full = self._cells * done // total
        text = Text(f"  {progress['phase']} ")
        text.append(self._marks[0] * full, "green").append(self._marks[1] * (self._cells - full), "dim")
        return text.append(f" {done / MB:.0f} of {total / MB:.0f} MB")


def _counts_bytes(progress: Mapping[str, Any]) -> bool:
    """Else there is only a phase, or steps are counted."""
    return (progress.get("total") or 0) >= MB
