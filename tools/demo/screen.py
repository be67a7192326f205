"""Two columns as things happen: what is commanded and answered, and beside it the events."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

WIDTH = 100
LEFT, RIGHT = 52, 36
COLOURS = {
    "accepted": "dim", "progress": "dim", "succeeded": "green", "failed": "red", "rejected": "yellow",
    "expired": "yellow", "cancelled": "yellow", "interrupted": "yellow",
}  # fmt: skip
_FEW = 3
QUIET = frozenset({"chunter.host.heartbeat"})


class Screen:
    """Plain lines when stdout is no terminal; never wider than 100 columns."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(width=WIDTH, highlight=False, markup=False, soft_wrap=True)
        self._began = time.monotonic()
        self._names: dict[str, str] = {}
        self._shown: set[str] = set()

    def name(self, identity: str, name: str) -> None:
        """Show a uuid by a name."""
        self._names[identity] = name

    def say(self, text: str = "", style: str = "") -> None:
        """Words across the page."""
        for line in text.splitlines() or [""]:
            self._console.print(Text(line, style))

    def scene(self, title: str) -> None:
        """What comes now."""
        self.say()
        self.say(f"== {title} {'=' * (WIDTH - len(title) - 4)}", "bold cyan")

    def by_hand(self, line: str) -> None:
        """What an operator typed on the host."""
        self._row(f"# {line}", "", "bold")

    def command(self, command: Mapping[str, Any], remark: str = "") -> None:
        """What is published for the host."""
        members = {name: one for name, one in command.items() if name not in ("id", "host", "action", "uuid")}
        parameters = members.pop("params", {})
        words = [str(command.get("action", "")), str(command.get("uuid", ""))]
        words += [f"{name}={_short(one)}" for name, one in {**parameters, **members}.items()]
        self._row(f"> {' '.join(word for word in words if word)}{f'  ({remark})' if remark else ''}", "", "bold")

    def event(self, event: Mapping[str, Any]) -> None:
        """What an agent published: results stand below the commands, events beside them."""
        is_again = event["id"] in self._shown
        self._shown.add(event["id"])
        if event["type"] == "chunter.host.announce":
            self.name(event["subject"], event["data"]["data"]["alias"])
        if event["type"] == "chunter.result":
            self._learn((event["data"].get("result") or {}).get("machines", []))
            self._row(f"  {_answer(event['data'])}", "", COLOURS.get(event["data"]["status"], ""))
        elif event["type"] not in QUIET:
            told = f"{_event(event)}{' (sent again, same id)' if is_again else ''}"
            self._row("", told, "dim" if is_again else "magenta")

    def _learn(self, machines: Sequence[Mapping[str, Any]]) -> None:
        for machine in machines:
            self.name(machine["uuid"], machine["alias"])

    def _row(self, left: str, right: str, style: str) -> None:
        passed = f"{time.monotonic() - self._began:5.1f}s  "
        for identity, name in self._names.items():
            left, right = left.replace(identity, name), right.replace(identity, name)
        lefts = textwrap.wrap(left, LEFT, subsequent_indent="    ", break_on_hyphens=False) or [""]
        rights = textwrap.wrap(right, RIGHT, subsequent_indent="  ", break_on_hyphens=False) or [""]
        for at in range(max(len(lefts), len(rights))):
            row = Text(passed if at == 0 else " " * len(passed), "dim")
            row.append(f"{lefts[at] if at < len(lefts) else '':<{LEFT}}", "" if right else style)
            row.append(" | ", "dim")
            row.append(rights[at] if at < len(rights) else "", style if right else "")
            row.rstrip()
            self._console.print(row)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{...}"
    return json.dumps(value) if not isinstance(value, str) or " " in value else value


def _answer(data: Mapping[str, Any]) -> str:
    status = f"{data['status']}{' (duplicate)' if data.get('duplicate') else ''}"
    brought = data.get("result") or {}
    if data.get("error"):
        return f"{status}: {data['error']['code']}. {data['error']['message']}"
    if data["status"] == "progress":
        return f"progress: {data['progress']['phase']}"
    if brought.get("dry_run"):
        return f"{status}: would run {' '.join(brought['argv'][0])}"
    told = [f"{name} {_short(one)}" for name, one in brought.items() if isinstance(one, str | int | float)]
    told += [f"{len(one)} {name}" for name, one in brought.items() if isinstance(one, list)]
    return f"{status}: {', '.join(told)}" if told else status


def _event(event: Mapping[str, Any]) -> str:
    inner, subject = event["data"].get("data"), event["subject"]
    family, _, kind = event["type"].removeprefix("chunter.").partition(".")
    match family, kind:
        case "zone", "state":
            before = event["data"].get("previous")
            told = f"zone {subject}: {f'{before} -> ' if before else ''}{inner}"
        case "snapshot", "sizes":
            told = f"snapshots of {subject}: {len(inner['data'])}, {inner['bytes']} bytes"
        case "snapshot", _:
            told = f"snapshot {subject}@{inner['uuid']}: {kind}"
        case "service", _:
            told = f"services of {subject}: {_services(event['data']['changes']) or 'not listed any more'}"
        case "zpool", _:
            told = ", ".join(f"pool {name}: {one['health']}" for name, one in inner.items())
        case "host", "announce":
            told = f"host {inner['alias']}: announce, {len(inner['actions'])} actions"
        case "deadletter", _:
            told = f"deadletter: {inner['reason']}"
        case _:
            told = f"{family} {subject}: {kind}"
    return told


def _services(changes: Mapping[str, Mapping[str, Any]]) -> str:
    if len(changes) > _FEW:
        return f"{len(changes)}"
    return ", ".join(
        f"{fmri.removeprefix('svc:/').removesuffix(':default')} {one['old']} -> {one['new']}"
        for fmri, one in changes.items()
    )
