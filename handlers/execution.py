"""machine.execute: a program inside a machine, its output as it comes and at the end.

Off unless the host's owner switches it on: whoever may send it is root in every machine. What a program does cannot
be seen from outside, so a command that was cut off is reported interrupted and never run twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

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


@dataclass(slots=True)
class _Output:
    """What was said: the end of it, how much in all, and what is not told yet."""

    kept: str = ""
    untold: str = ""
    characters: int = 0

    def add(self, text: str) -> None:
        """More of it."""
        self.characters += len(text)
        self.kept = (self.kept + text)[-_KEPT_CHARACTERS:]
        self.untold = (self.untold + text)[-_KEPT_CHARACTERS:]

    def take(self) -> str:
        """What was said since it was asked last."""
        untold, self.untold = self.untold, ""
        return untold


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
        async with running as lines:
            async for _ in _seconds(lines, stdout):
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


async def _seconds(lines: Lines, stdout: _Output) -> AsyncIterator[None]:
    """Once a second until the program has ended, and once more then; what it said meanwhile is in ``stdout``."""
    loop = asyncio.get_running_loop()
    step: asyncio.Task[bytes] | None = None
    tell_at = loop.time() + _TELL_SECONDS
    try:
        while True:
            step = step or asyncio.ensure_future(_next(lines))
            done, _ = await asyncio.wait({step}, timeout=max(0.0, tell_at - loop.time()))
            if done:
                line, step = step.result(), None
                if not line:
                    break
                stdout.add(line.decode(errors="replace"))
            if loop.time() >= tell_at:
                yield
                tell_at = loop.time() + _TELL_SECONDS
        yield
    finally:
        if step is not None:
            step.cancel()
            await asyncio.gather(step, return_exceptions=True)


async def _next(lines: Lines) -> bytes:
    """The next line with its end; nothing at the end of all."""
    try:
        line = await anext(lines)
    except StopAsyncIteration:
        return b""
    return line if lines.unterminated else line + b"\n"


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
