"""``chunter top``: all hosts on a terminal, live."""

from __future__ import annotations

import asyncio
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chunter_nsq.cli.board import Board, HostRow
from chunter_nsq.cli.doors import Doors, nsq_options, speak
from chunter_nsq.cli.exits import Exit
from chunter_nsq.cli.outline import plain
from chunter_nsq.cli.signing import key_options
from chunter_nsq.client import Client, Key

TOPICS = ("announce", "zone", "memory", "result", "service", "snapshot", "backup", "metric")
_STYLES = {"alive": "green", "silent": "red", "left": "dim", "known": "dim"}
_RENEW_SECONDS = 1.0


@click.command()
@click.option("--once", is_flag=True, help="Print what is known after --wait seconds, and end.")
@click.option("--wait", "seconds", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True)
@key_options
@nsq_options
def top(*, doors: Doors, key: Key | None, once: bool, seconds: float) -> None:
    """Show all hosts: memory, machines by state, what runs, rates of events; q or ctrl-C ends it."""
    with suppress(KeyboardInterrupt):
        speak(_once(doors, key, seconds) if once else _live(doors, key))
    raise SystemExit(Exit.SUCCEEDED)


async def _once(doors: Doors, key: Key | None, seconds: float) -> None:
    board = Board()
    async with doors.client() as client:
        await client.subscribe(TOPICS)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await _follow(client, board, key)
    Console(highlight=False).print(view(board, time.monotonic()))


async def _live(doors: Doors, key: Key | None) -> None:
    board, console = Board(), Console(highlight=False)
    async with doors.client() as client:
        await client.subscribe(TOPICS)
        following = asyncio.create_task(_follow(client, board, key))
        ended = asyncio.Event()
        try:
            with _keys(ended), Live(console=console, screen=True, auto_refresh=False) as screen:
                while not ended.is_set() and not following.done():
                    screen.update(view(board, time.monotonic()), refresh=True)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_RENEW_SECONDS):
                            await ended.wait()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _follow(client: Client, board: Board, key: Key | None) -> None:
    """Fill the board until cancelled: events, and each host's own account of itself and of its machines."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_ask(client, board, "host.info", None, key))
        tasks.create_task(_ask(client, board, "machine.list", {"fields": ["uuid", "alias", "state"]}, key))
        async with aclosing(client.events(TOPICS)) as events:
            async for topic, event in events:
                board.take(topic.removeprefix(f"{client.prefix}."), event)


async def _ask(client: Client, board: Board, action: str, params: Mapping[str, Any] | None, key: Key | None) -> None:
    command = await client.send(action, host="*", params=params, key=key)
    async with aclosing(client.answers(command)) as answers:
        async for data in answers:
            board.answered(data)


@contextmanager
def _keys(ended: asyncio.Event) -> Iterator[None]:
    """Reads the keyboard without waiting for a line; q sets the event."""
    if not sys.stdin.isatty():
        yield
        return
    descriptor, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(descriptor)

    def pressed() -> None:
        if sys.stdin.read(1) in ("q", "Q", "\x03", ""):
            ended.set()

    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, pressed)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def view(board: Board, now: float) -> RenderableType:
    """The board as tables; what comes from afar is text and never rich's markup."""
    parts: list[RenderableType] = [_headline(board, now), _hosts(board, now)]
    if any(row.running for row in board.hosts.values()):
        parts.append(_running(board))
    for row in board.hosts.values():
        parts += [
            Text(f"{plain(row.alias)}: {plain(source)} {plain(says)}", "red") for source, says in row.warnings.items()
        ]
    return Group(*parts)


def _headline(board: Board, now: float) -> Text:
    states = [row.state(now) for row in board.hosts.values()]
    machines = ", ".join(f"{count} {plain(state)}" for state, count in board.machines().items()) or "no machines"
    rates = "  ".join(f"{plain(topic)} {rate:.1f}/s" for topic, rate in board.rates().items()) or "no events"
    hosts = f"{len(states)} hosts" if len(states) != 1 else "1 host"
    silent = f", {states.count('silent')} silent" if "silent" in states else ""
    return Text(f"{hosts}{silent}; {machines}\n{rates}\n")


def _hosts(board: Board, now: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("HOST")
    table.add_column("STATE")
    for name in ("FREE MB", "OF MB", "VMS", "RUN", "QUEUE", "UNSENT", "LAG MS"):
        table.add_column(name, justify="right")
    table.add_column("VERSION")
    for host, row in sorted(board.hosts.items(), key=lambda one: (one[1].alias, one[0])):
        table.add_row(*_cells(board, host, row, row.state(now)))
    return table


def _cells(board: Board, host: str, row: HostRow, state: str) -> Iterator[Text]:
    yield Text(plain(row.alias or host[:8]))
    yield Text(state, _STYLES[state])
    figures = (row.free, row.total, sum(board.machines(host).values()), len(row.running), row.queued, row.outbox)
    yield from (Text("-" if figure is None else str(figure)) for figure in figures)
    yield Text(f"{row.lag_seconds * 1000:.0f}", "red" if row.lag_seconds > 1 else "")
    yield Text(plain(row.version) + (" sim" if row.is_simulated else ""))


def _running(board: Board) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left", title="")
    for name in ("COMMAND", "ACTION", "MACHINE", "HOST", "SINCE"):
        table.add_column(name)
    for host, row in board.hosts.items():
        for one in row.running:
            uuid = str(one.get("uuid") or "")
            since = str(one.get("started") or "").partition("T")[2][:8]
            cells = (
                one.get("command"),
                one.get("action"),
                board.names.get(uuid) or uuid[:8],
                row.alias or host[:8],
                since,
            )
            table.add_row(*(Text(plain(cell or "-")) for cell in cells))
    return table
