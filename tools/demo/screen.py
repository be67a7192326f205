"""Two columns as things happen: what is commanded and answered, and beside it the events."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from tools.demo import words
from tools.demo.bar import Bar

WIDTH = 100
NARROWEST, WIDEST = 80, 120
QUIET = frozenset({"chunter.host.heartbeat"})
_TIME, _GAP, _BAR_WORDS = 6, 3, 26


class Screen:
    """As wide as the terminal, within reason; plain lines of 100 columns when stdout is none."""

    def __init__(self, console: Console | None = None) -> None:
        found = console or Console(highlight=False, markup=False)
        width = max(NARROWEST, min(found.width, WIDEST)) if found.is_terminal else WIDTH
        found.width = self.width = width
        self._console = found
        self._right = (width - _TIME - _GAP) // 2
        self._left = width - _TIME - _GAP - self._right
        self._line, self._dash = "|-" if found.options.ascii_only else "\u2502\u2500"
        self._bar = Bar(
            found,
            self._left - _BAR_WORDS,
            place=lambda line: self._joined(Text(" " * _TIME), line, Text()),
            leave=lambda line: self._print([line], []),
        )
        self._began = time.monotonic()
        self._names: dict[str, str] = {}
        self._shown: set[str] = set()
        self._scenes = 0

    def name(self, identity: str, name: str) -> None:
        """Show a uuid by a name."""
        self._names[identity] = name

    def say(self, text: str = "", style: str = "") -> None:
        """Words across the page."""
        for line in text.splitlines() or [""]:
            for part in textwrap.wrap(line, self.width, drop_whitespace=False, break_on_hyphens=False) or [""]:
                self._console.print(Text(part, style))

    def heads(self, left: str, right: str) -> None:
        """What stands in which column."""
        self._console.print(self._joined(Text(" " * _TIME), Text(left, "dim"), Text(right, "dim")))

    def scene(self, title: str) -> None:
        """What comes now."""
        self._scenes += 1
        head = f"{self._dash * 2} {self._scenes}. {title} "
        self.say()
        self.say(head + self._dash * (self.width - len(head)), "bold cyan")

    def by_hand(self, line: str) -> None:
        """What an operator typed on the host."""
        self._row(f"# {line}", "", "bold yellow")

    def seen(self, line: str) -> None:
        """What an operator's command showed."""
        self._row(f"  {line}", "", "")

    def command(self, command: Mapping[str, Any], remark: str = "") -> None:
        """What is published for the host."""
        self._row(f"> {words.command(command)}{f'  ({remark})' if remark else ''}", "", "bold")

    def event(self, event: Mapping[str, Any]) -> None:
        """What an agent published: results stand below the commands, events beside them."""
        is_again = event["id"] in self._shown
        self._shown.add(event["id"])
        if event["type"] == "chunter.host.announce":
            self.name(event["subject"], event["data"]["data"]["alias"])
        if event["type"] == "chunter.result":
            self._result(event["data"])
        elif event["type"] not in QUIET:
            told, style = words.event(event)
            self._row("", f"{told} (sent again, same id)" if is_again else told, "dim" if is_again else style)

    def close(self) -> None:
        """Nothing moves any more."""
        self._bar.end(full=False)

    def _result(self, data: Mapping[str, Any]) -> None:
        for machine in (data.get("result") or {}).get("machines", ()):
            self.name(machine["uuid"], machine["alias"])
        if data["status"] == "progress":
            self._bar.tell(data["progress"])
            return
        self._bar.end(full=data["status"] == "succeeded")
        told, style = words.answer(data)
        self._row(f"  {told}", "", style)

    def _row(self, left: str, right: str, style: str) -> None:
        for identity, name in self._names.items():
            left, right = left.replace(identity, name), right.replace(identity, name)
        lefts = textwrap.wrap(left, self._left, subsequent_indent="    ", break_on_hyphens=False)
        rights = textwrap.wrap(right, self._right, subsequent_indent="  ", break_on_hyphens=False)
        self._print([Text(one, style) for one in lefts], [Text(one, style) for one in rights])

    def _print(self, lefts: Sequence[Text], rights: Sequence[Text]) -> None:
        passed = Text(f"{time.monotonic() - self._began:5.1f} ", "dim")
        for at in range(max(len(lefts), len(rights))):
            left, right = (side[at] if at < len(side) else Text() for side in (lefts, rights))
            self._console.print(self._joined(passed if at == 0 else Text(" " * _TIME), left, right))

    def _joined(self, passed: Text, left: Text, right: Text) -> Text:
        row = Text.assemble(passed, left, " " * (self._left - left.cell_len), (f" {self._line} ", "dim"), right)
        row.rstrip()
        return row
