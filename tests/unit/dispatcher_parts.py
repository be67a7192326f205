"""A dispatcher on a real journal, with actions whose handlers do as the test says."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from core_parts import HOST, Nsqd, opened_outbox, row

from chunter_nsq.actions import Done, Lane, Recovery, Subject
from chunter_nsq.authority import Authority
from chunter_nsq.dispatcher import Dispatcher, Limits
from chunter_nsq.journal import Journal
from chunter_nsq.messages.command import Addressee
from chunter_nsq.messages.params import Change, MachineCreate, Nothing

VM = "0a1b2c3d-0000-4000-8000-000000000001"
OTHER = "0a1b2c3d-0000-4000-8000-000000000002"
LANES = {Lane.QUERY: 10, Lane.MACHINE: 2, Lane.TRANSFER: 1}
FINAL = {"succeeded", "failed", "rejected", "expired", "cancelled", "interrupted"}


@dataclass(frozen=True)
class Delivery:
    """A message as the bus hands it over."""

    body: bytes
    message_id: str = "0d"
    topic: str = f"chunter.command.{HOST}"
    nsqd: str = "127.0.0.1:4150"
    timestamp_ns: int = 7


class Script:
    """What the handlers do: each command waits for its gate, then yields its steps."""

    def __init__(self):
        self.began = []
        self.seen = {}
        self.gates = defaultdict(asyncio.Event)
        self.steps = defaultdict(lambda: [Done({})])
        self.faults = {}

    async def handle(self, _tools, command):
        """A handler."""
        self.began.append(command.id)
        self.seen[command.id] = command
        await self.gates[command.id].wait()
        if command.id in self.faults:
            raise self.faults[command.id]
        for step in self.steps[command.id]:
            yield step

    async def at_once(self, _tools, command):
        """A handler that waits for nothing."""
        self.began.append(command.id)
        if command.id in self.faults:
            raise self.faults[command.id]
        for step in self.steps[command.id]:
            yield step

    def actions(self):
        """One action of each kind."""
        vm = {"subject": Subject.REQUIRED, "form": Change}
        rows = [
            (self.at_once, row("host.ping", Lane.QUERY, Subject.NONE, Nothing)),
            (self.handle, row("machine.get", Lane.QUERY, Subject.REQUIRED, Nothing)),
            (self.handle, row("machine.stop", **vm)),
            (self.handle, row("machine.copy", Lane.TRANSFER, cancellable=True, **vm)),
            (self.handle, row("machine.push", recovery=Recovery.INTERRUPT, cancellable=True, **vm)),
            (self.handle, row("snapshot.create", group="snapshot_api", **vm)),
            (self.handle, row("machine.create", form=MachineCreate)),
        ]
        return {kind.name: replace(kind, run=run) for run, kind in rows}


class Host:
    """A dispatcher with all that belongs to it."""

    def __init__(self, outbox, script, nsqd, *, keys=None, limits=None, off=()):
        self.outbox, self.script, self.nsqd = outbox, script, nsqd
        self.journal = Journal(outbox._database, outbox, HOST)
        self.orphans = []
        self.dispatcher = Dispatcher(
            actions=script.actions(),
            journal=self.journal,
            outbox=outbox,
            addressee=Addressee(HOST, "gz-1", "chunter"),
            authority=Authority(keys),
            allows=lambda group: group not in off,
            limits=limits or Limits(LANES, 60.0),
            current=ContextVar("current", default=None),
            settle_orphans=self._settle_orphans,
        )

    async def _settle_orphans(self, command_id, timeout_seconds):
        self.orphans.append((command_id, timeout_seconds))

    async def send(self, command_id, action="machine.stop", *, uuid=VM, **members):
        """Deliver a command."""
        whole = {"id": command_id, "action": action, **({"uuid": uuid} if uuid else {}), **members}
        await self.dispatcher.accept(Delivery(json.dumps(whole).encode()))

    async def began(self, *names):
        """Wait until these run."""
        await until(lambda: set(names) <= set(self.script.began))

    def let_go(self, *names):
        """Let these handlers go on."""
        for name in names:
            self.script.gates[name].set()

    def told(self):
        """The data of each result so far."""
        return [json.loads(body)["data"] for topic, body in self.nsqd.taken if b'"chunter.result"' in body]

    def statuses(self, name):
        """The statuses told of a command."""
        return [one["status"] for one in self.told() if one["command"] == name]

    async def end(self, name, seconds=5):
        """Wait for a command's final result."""
        await until(lambda: FINAL & set(self.statuses(name)), seconds)
        return next(one for one in self.told() if one["command"] == name and one["status"] in FINAL)


async def until(condition, seconds=5):
    """Wait for something that must come."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


@asynccontextmanager
async def opened_host(path, script=None, **kwargs):
    """A host on its journal; at the end it is drained at once."""
    nsqd = Nsqd()
    async with opened_outbox(path, nsqd) as outbox:
        host = Host(outbox, script or Script(), nsqd, **kwargs)
        try:
            yield host
        finally:
            await host.dispatcher.drain(0)
