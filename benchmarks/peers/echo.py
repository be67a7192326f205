"""What each peer does with a command: load it, check it by a schema, and make the answer."""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

_STARTED = time.monotonic()
_NUMBERS = itertools.count(1)


class CommandSchema(Schema):
    """The members that a command may have."""

    id = fields.String(required=True, validate=validate.Length(1, 128))
    action = fields.String(required=True, validate=validate.Length(1, 128))
    uuid = fields.UUID()
    params = fields.Dict(keys=fields.String())
    reply_to = fields.String(validate=validate.Regexp(r"[.a-zA-Z0-9_-]{1,64}(#ephemeral)?"))


SCHEMA = CommandSchema(unknown=RAISE)


def answer(document: Any) -> dict[str, Any]:
    """The answer to a ping, with the members that the agent's has."""
    command = SCHEMA.load(document)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    number = next(_NUMBERS)
    uptime = round(time.monotonic() - _STARTED, 3)
    data = {
        "command": command["id"],
        "action": command["action"],
        "uuid": None,
        "host": "echo",
        "status": "succeeded",
        "result": {"version": "1", "uptime_seconds": uptime, "simulated": True},
        "error": None,
        "progress": None,
        "received": now,
        "started": None,
        "finished": now,
        "duplicate": False,
    }
    head = {"specversion": "1.0", "id": f"echo.{number}", "source": "echo", "type": "chunter.result"}
    body = {"subject": "echo", "time": now, "datacontenttype": "application/json", "sequence": str(number)}
    return {**head, **body, "epoch": "echo", "data": data}


def echo(body: bytes) -> bytes:
    """The same from bytes to bytes."""
    return json.dumps(answer(json.loads(body)), separators=(",", ":")).encode()
