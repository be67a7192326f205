"""machine.execute: a program inside a machine, its output as it comes and at the end.

Off unless the host's owner switches it on: whoever may send it is root in every machine. What a program does cannot
be seen from outside, so a command that was cut off is reported interrupted and never run twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from chunter_nsq.actions import Done, Lane, Progress, Recovery, Subject, Yield, action
from chunter_nsq.endings import MACHINE, TOOLS
from chunter_nsq.errors import InvalidState, NotFound, ToolTimeout, Unsupported
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.execution_params import Execution
from chunter_nsq.smartos import zlogin
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.smartos.runner import Lines
from chunter_nsq.smartos.zoneadm import Zone
from chunter_nsq.tools import Tools

_KEPT_CHARACTERS = 64 * 1024
_TELL_SECONDS = 1.0
_OURS = "zlogin: "


class _Tail:
    """The end of a text that grows by pieces; adding one costs its own length, however long the text is."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._characters = 0

    def __str__(self) -> str:
        return "".join(self._pieces)[-_KEPT_CHARACTERS:]

    def add(self, text: str) -> None:
        """One more piece."""
        self._pieces.append(text)
        self._characters += len(text)
        if self._characters > 2 * _KEPT_CHARACTERS:
            self._pieces = [str(self)]
            self._characters = len(self._pieces[0])


class _Output:
    """What was said: the end of it, how much in all, and what is not told yet."""

    def __init__(self) -> None:
        self.characters = 0
        self._kept = _Tail()
        self._untold = _Tail()

    @property
    def kept(self) -> str:
        """The end of all of it."""
        return str(self._kept)

    def add(self, text: str) -> None:
        """More of it."""
        self.characters += len(text)
        self._kept.add(text)
        self._untold.add(text)

    def take(self) -> str:
        """What was said since it was asked last."""
        untold, self._untold = self._untold, _Tail()
        return str(untold)


@action(
    "machine.execute",
    form=Execution,
    lane=Lane.MACHINE,
    subject=Subject.REQUIRED,
    group="execute_api",
    recovery=Recovery.INTERRUPT,
    cancellable=True,
    limited=False,
    errors=MACHINE
    | {InvalidState: "the machine does not run", Unsupported: "a machine of its brand cannot be entered"}
    | TOOLS
    | {ToolTimeout: "the program did not end within `timeout` and was killed, with all that it had started"},
)
async def execute(tools: Tools, command: Command) -> AsyncIterator[Yield]:
    """Run a program in a machine as root; a result with any exit status of it is a success."""
    params: Execution = command.params
    uuid = checked_uuid(command.uuid or "")
    zone = await _zone(tools, uuid)
    if command.dry_run:
        found = {"state": zone.state, "brand": zone.brand}
        yield Done({"dry_run": True, "argv": [list(zlogin.execute_argv(uuid, params.argv))], "found": found})
        return
    _check(zone)
    stdout, stderr = _Output(), _Output()
    running = tools.zlogin.execute(
        uuid, params.argv, stdin=params.stdin.encode(errors="surrogatepass"), timeout_seconds=params.timeout
    )
    try:
        async with running as lines, aclosing(_seconds(lines, stdout)) as seconds:
            async for _ in seconds:
                stderr.add(lines.stderr[stderr.characters :])
                yield Progress("running", stdout.characters, None, stdout.take(), stderr.take())
            status, said = lines.exit_status, lines.stderr
    except ToolTimeout as fault:
        fault.details |= {"stdout": stdout.kept}
        raise
    if status == 1 and said.startswith(_OURS):
        raise InvalidState(f"cannot run {params.argv[0]} in machine {uuid}: {said.strip()}", {"stderr": said})
    result = {"exit_status": status, "stdout": stdout.kept, "stderr": said[-_KEPT_CHARACTERS:]}
    yield Done({**result, "truncated": stdout.characters > len(stdout.kept)})


async def _seconds(lines: Lines, stdout: _Output) -> AsyncGenerator[None]:
    """Once a second until the program has ended, and once more then; what it said meanwhile is in ``stdout``."""
    reading = asyncio.create_task(_read(lines, stdout))
    try:
        while not (await asyncio.wait({reading}, timeout=_TELL_SECONDS))[0]:
            yield
        reading.result()
        yield
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read(lines: Lines, stdout: _Output) -> None:
    """All lines with their ends."""
    async for line in lines:
        stdout.add((line if lines.unterminated else line + b"\n").decode(errors="replace"))


async def _zone(tools: Tools, uuid: str) -> Zone:
    zone = next((one for one in await tools.zoneadm.list() if uuid in (one.uuid, one.name)), None)
    if zone is None:
        raise NotFound(f"There is no machine {uuid} here")
    return zone


def _check(zone: Zone) -> None:
    if zone.brand in zlogin.WITHOUT_LOGIN:
        raise Unsupported(f"A machine of brand {zone.brand} cannot be entered from its host; use its console")
    if zone.state != "running":
        raise InvalidState(f"The machine {zone.name} does not run: start it first", {"state": zone.state})
