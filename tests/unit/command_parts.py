"""What the tests of commands share: some actions, one host, and what becomes of a message there."""

from __future__ import annotations

import json

import pytest
from core_parts import row

from chunter_nsq.actions import Lane, Subject
from chunter_nsq.messages.backup_params import BackupList, BackupPrune
from chunter_nsq.messages.command import Addressee, Origin, Refused, read
from chunter_nsq.messages.params import MachineStop, Nothing, Replay, Snapshot
from chunter_nsq.messages.reading import Unreadable

VM = "0a1b2c3d-0000-4000-8000-000000000001"
HOST = "5c2b0e9e-7d5e-4c59-8a6f-0e5d2f3a1b4c"
ME = Addressee(HOST, "gz-1", "chunter")
OWN, SHARED = f"chunter.command.{HOST}", "chunter.command"
ACTIONS = {
    one.name: one
    for one in (
        row("host.ping", Lane.QUERY, Subject.NONE, Nothing),
        row("machine.stop", subject=Subject.REQUIRED, form=MachineStop),
        row("snapshot.create", subject=Subject.REQUIRED, form=Snapshot),
        row("backup.list", Lane.QUERY, Subject.OPTIONAL, BackupList),
        row("backup.prune", Lane.TRANSFER, Subject.OPTIONAL, BackupPrune),
        row("host.replay", Lane.TRANSFER, Subject.NONE, Replay),
    )
}


def origin(body, topic=OWN, **place):
    """A message from nsqd."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Origin(topic, **{"nsqd": "10.0.0.1:4150", "message_id": "0d", "timestamp_ns": 7, **place}, body=raw)


def decoded(body, topic=OWN):
    """The command in a message, or None."""
    return read(origin(body, topic), ACTIONS, ME)


def refused(body, topic=OWN):
    """The refusal of a message."""
    with pytest.raises(Refused) as caught:
        decoded(body, topic)
    return caught.value


def faults(body):
    """The places and texts of a message's faults."""
    return {fault["path"]: fault["message"] for fault in refused(body).fault.details["faults"]}


def unreadable(body):
    """Why a message is no JSON object."""
    with pytest.raises(Unreadable) as caught:
        decoded(body)
    return str(caught.value)
