"""Messages about messages: the rejection of a command, the dead letter of what is none."""

from __future__ import annotations

import base64
import hashlib
import time

from chunter_nsq.errors import Fault
from chunter_nsq.journal import Record
from chunter_nsq.messages.command import Command, Origin, Refused
from chunter_nsq.messages.events import SIZE_LIMIT_BYTES, Event, compact

_KEPT_BYTES = 512 * 1024
_TEXT_BYTES = SIZE_LIMIT_BYTES - 8192


def dead_letter(origin: Origin, reason: str, host: str) -> Event:
    """A message that could not be understood, whole as far as it fits; base64 when it is not UTF-8."""
    kept = origin.body[:_KEPT_BYTES]
    try:
        text, encoding = kept.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text, encoding = "", "base64"
    if encoding == "base64" or len(compact(text)) > _TEXT_BYTES:
        text, encoding = base64.b64encode(kept).decode("ascii"), "base64"
    data = {
        "reason": reason,
        "topic": origin.topic,
        "nsqd": origin.nsqd,
        "message_id": origin.message_id,
        "encoding": encoding,
        "body": text,
        "bytes": len(origin.body),
        "truncated": len(kept) < len(origin.body),
        "sha256": hashlib.sha256(origin.body).hexdigest(),
    }
    return Event("deadletter", "chunter.deadletter", host, {"event": "deadletter", "data": data})


def rejection(refused: Refused, host: str) -> Event:
    """The result of a command that is not run; it is not journalled, so that it may be mended and sent again."""
    now = time.time()
    record = Record(
        refused.id, refused.action or "", refused.uuid, refused.reply_to, None,
        "rejected", None, refused.fault.as_dict(), None, now, None, now,
    )  # fmt: skip
    return record.event(host)


def refused(command: Command, fault: Fault) -> Refused:
    """The refusal of a command that could be read."""
    return Refused(command.id, command.action.name, command.uuid, command.reply_to, fault)
