"""One command to hosts, from its sending to the exit status: what ``chunter call`` and its shorter forms share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import click

from chunter_nsq.cli import answer
from chunter_nsq.cli.conversation import Data, Order, every, is_final, one
from chunter_nsq.cli.display import display
from chunter_nsq.cli.doors import Doors, speak
from chunter_nsq.cli.exits import Exit, Failure, of_status
from chunter_nsq.client import Client

EVERYBODY = "*"
_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Talk:
    """``order`` without a host goes to the only one that answers.

    ``summary`` tells a success in words, ``judge`` gives the exit status of a result.
    """

    doors: Doors
    order: Order
    timeout_seconds: float
    is_json: bool = False
    is_waiting: bool = True
    summary: Callable[[Data], Sequence[str]] = answer.summary
    judge: Callable[[Data], Exit] = lambda data: of_status(data.get("status"))
    asked: str | None = None
    is_sent: bool = False

    def run(self) -> Exit:
        """Send, show how far it is, tell what became of it."""
        try:
            return speak(self._talk())
        except KeyboardInterrupt:
            if self.asked is not None:
                now = "The command goes on." if self.is_sent else "The command may have been sent."
                click.echo(f"{now} Ask with: {answer.asking(self.order.host, self.asked)}", err=True)
            return Exit.STOPPED

    async def _talk(self) -> Exit:
        async with self.doors.client() as client:
            if not self.order.host:
                self.order = replace(self.order, host=await only_host(client))
            self.asked = self.order.id or str(uuid4())  # chosen here: who stops us while it is sent must know it
            await replace(self.order, id=self.asked).send(client)
            self.is_sent = True
            if not self.is_waiting:
                click.echo(json.dumps({"command": self.asked}) if self.is_json else self.asked)
                return Exit.SUCCEEDED
            heard = await self._hear(client, self.asked)
        return self._tell(heard)

    async def _hear(self, client: Client, command: str) -> Sequence[Data]:
        order = self.order
        with display(order.action, order.host) as shown:
            if order.host != EVERYBODY:
                last = await one(client, command, self.timeout_seconds, shown.show)
                return [] if last is None else [last]

            def told(data: Data) -> None:
                shown.show(data)
                if is_final(data):
                    click.echo(json.dumps(data) if self.is_json else answer.line(data))

            return await every(client, command, self.timeout_seconds, told)

    def _tell(self, heard: Sequence[Data]) -> Exit:
        order = self.order
        if not heard:
            click.echo(answer.silence(order.action, order.host, self.timeout_seconds), err=True)
            asked = {"command": self.asked, "action": order.action, "uuid": order.uuid, "host": order.host}
            self._document(answer.late(asked, self.timeout_seconds))
            return Exit.TIMED_OUT
        for data in heard:
            if not self._is_own(data):
                click.echo(answer.other(data, order.action), err=True)
            elif not is_final(data):
                click.echo(answer.unfinished(data, self.timeout_seconds), err=True)
            if not is_final(data):
                self._document(answer.late(data, self.timeout_seconds))
            elif order.host == EVERYBODY:
                continue  # told when it came
            elif self.is_json:
                self._document(data)
            elif self._is_own(data):
                is_good = data.get("status") == "succeeded"
                click.echo("\n".join(self.summary(data) if is_good else answer.failure(data)), err=not is_good)
        return max(self._status(data) for data in heard)

    def _document(self, data: Data) -> None:
        """One for each host, however it ended; on one line when nobody reads along, or when there are several."""
        if self.is_json:
            is_read = sys.stdout.isatty() and self.order.host != EVERYBODY
            click.echo(json.dumps(data, indent=2 if is_read else None))

    def _is_own(self, data: Data) -> bool:
        """Whether it is of this action and machine, and not of an earlier command under the same id."""
        order = self.order
        return data.get("action") in (order.action, None) and (
            order.uuid is None or data.get("uuid") in (order.uuid, None)
        )

    def _status(self, data: Data) -> Exit:
        """A result of another command under the same id is no success of this one."""
        return self.judge(data) if self._is_own(data) else Exit.FAILED


async def only_host(client: Client) -> str:
    """The id of the host that answers; raises Failure when none does, or several."""
    found = await client.hosts(_LOOK_SECONDS)
    if len(found) == 1:
        return str(found[0].get("host"))
    if not found:
        raise Failure(f"no host answered within {_LOOK_SECONDS:g} s; name one with --host", Exit.TIMED_OUT)
    names = ", ".join(str(each.get("alias") or each.get("host")) for each in found)
    raise Failure(f"several hosts answer: say which with --host (or CHUNTER_HOST): {names}", Exit.USAGE)
