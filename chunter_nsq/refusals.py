"""Messages about messages: the rejection of a command, the dead letter of what is none."""

from __future__ import annotations

import base64
import hashlib
import time

from chunter_nsq.errors import Fault
from chunter_nsq.journal import Record
from chunter_nsq.messages.command import Command, Origin, Refused
from chunter_nsq.messages.events import SIZE_LIMIT_BYTES, Event, compact

_ROOM_BYTES = SIZE_LIMIT_BYTES - 8192  # what stands around a body has the rest
_KEPT_BYTES = _ROOM_BYTES // 4 * 3  # as many fit in base64


def dead_letter(origin: Origin, reason: str, host: str) -> Event:
    """A message that could not be understood, whole as far as it fits; base64 when it is not UTF-8, or shorter so."""
    text = _text(origin.body)
    kept = len(origin.body) if text is not None else min(len(origin.body), _KEPT_BYTES)
    data = {
        "reason": reason,
        "topic": origin.topic,
        "nsqd": origin.nsqd,
        "message_id": origin.message_id,
        "encoding": "base64" if text is None else "utf-8",
        "body": base64.b64encode(origin.body[:kept]).decode("ascii") if text is None else text,
        "bytes": len(origin.body),
        "truncated": kept < len(origin.body),
        "sha256": hashlib.sha256(origin.body).hexdigest(),
    }
    return Event("deadletter", "chunter.deadletter", host, {"event": "deadletter", "data": data})


def _text(body: bytes) -> str | None:
    """The body as it reads, unless it is no UTF-8 or has no room with all that JSON has to escape."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if len(compact(text)) <= _ROOM_BYTES else None


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
