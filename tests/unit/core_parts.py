"""What the tests of the core share: a database and an outbox on a real file, and a list for a nsqd."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

from chunter_nsq.actions import Done, Lane, Subject, action
from chunter_nsq.database import Database
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.events import Event
from chunter_nsq.messages.params import Change
from chunter_nsq.outbox import Outbox

HOST = "5c2b0e9e-7d5e-4c59-8a6f-0e5d2f3a1b4c"


class Refusal(Exception):
    """What no retry can mend."""


class Nsqd:
    """Takes what is published; ``faults`` are raised first, one at each call."""

    def __init__(self):
        self.taken = []
        self.faults = []
        self.calls = 0

    async def publish(self, topic, bodies):
        """Take the bodies, unless a fault comes first."""
        self.calls += 1
        if self.faults:
            fault = self.faults.pop(0)
            if fault is not None:
                raise fault
        self.taken.extend((topic, bytes(body)) for body in bodies)

    def sequences(self, topic):
        """The sequences that came on a topic, in their order."""
        return [int(json.loads(body)["sequence"]) for name, body in self.taken if name == topic]


@asynccontextmanager
async def opened_database(path):
    """A database that is closed at the end."""
    database = Database(path)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def opened_outbox(path, nsqd=None, *, limit_bytes=2**30, retention_seconds=3600.0):
    """An outbox on its file; it sends when there is a nsqd."""
    async with opened_database(path) as database:
        outbox = Outbox(
            database, prefix="chunter", host=HOST, limit_bytes=limit_bytes, retention_seconds=retention_seconds
        )
        await outbox.open()
        if nsqd is not None:
            outbox.attach(nsqd.publish, Refusal)
        try:
            yield outbox
        finally:
            await outbox.close()


def told(topic="zone", number=0, *, size=0, absolute=False):
    """An event that carries a number."""
    return Event(topic, f"chunter.{topic}.test", HOST, {"number": number, "pad": "x" * size}, absolute=absolute)


def row(name="machine.stop", lane=Lane.MACHINE, subject=Subject.OPTIONAL, form=Change, **columns):
    """A row of the table of actions whose handler does nothing."""

    @action(name, lane=lane, subject=subject, form=form, **columns)
    async def nothing(_tools, _command):
        """Nothing."""
        yield Done({})

    return nothing


def command(number, kind=None, **members):
    """A command with an id made of a number."""
    kind = kind or row()
    document = {"id": f"c{number}", "action": kind.name, **members.pop("document", {})}
    values = {"uuid": None, "params": Change(), "reply_to": None, "expires": None, "traceparent": None}
    return Command(id=f"c{number}", action=kind, document=document, **{**values, **members})
