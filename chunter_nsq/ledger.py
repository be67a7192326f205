"""What the journal tells of commands without showing them: no content of a command, no result.

``summary`` reads the file while an agent may be writing it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from chunter_nsq.messages.events import timestamp

_RECENT = 50
_FAILED = 50
_COLUMNS = "id, action, uuid, status, received, started, finished, error"


def summary(database: Path) -> dict[str, Any]:
    """Counts, the oldest command without an end, the newest commands, the newest faults, and topics that wait."""
    if not database.exists():
        return {"file": str(database), "present": False}
    told: dict[str, Any] = {"file": str(database), "present": True, "bytes": database.stat().st_size}
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            told |= _told(connection)
    except sqlite3.Error as broken:
        told["broken"] = str(broken)
    return told


def _told(connection: sqlite3.Connection) -> dict[str, Any]:
    facts = dict(connection.execute("SELECT name, value FROM facts").fetchall())
    counts = connection.execute(
        "SELECT action, status, count(*) FROM commands GROUP BY action, status ORDER BY action, status"
    ).fetchall()
    oldest = commands(connection, "WHERE finished IS NULL ORDER BY place LIMIT 1")
    return {
        "schema": connection.execute("PRAGMA user_version").fetchone()[0],
        "epoch": facts.get("epoch"),
        "commands": [{"action": action, "status": status, "count": count} for action, status, count in counts],
        "oldest_unfinished": oldest[0] if oldest else None,
        "unfinished": commands(connection, f"WHERE finished IS NULL ORDER BY place LIMIT {_RECENT}"),
        "recent": commands(connection, f"ORDER BY place DESC LIMIT {_RECENT}"),
        "recent_faults": commands(connection, f"WHERE error IS NOT NULL ORDER BY place DESC LIMIT {_FAILED}"),
        "topics": [
            {"topic": name, "next": following, "sent": sent, "waiting": following - 1 - sent}
            for name, following, sent in connection.execute("SELECT name, next, sent FROM topics ORDER BY name")
        ],
        "stored_events": connection.execute("SELECT coalesce(sum(count), 0) FROM events").fetchone()[0],
    }


def newest(connection: sqlite3.Connection, count: int) -> list[dict[str, Any]]:
    """The newest commands, newest first."""
    return commands(connection, f"ORDER BY place DESC LIMIT {int(count)}")


def commands(connection: sqlite3.Connection, which: str) -> list[dict[str, Any]]:
    """The commands that a constant piece of SQL chooses."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM commands {which}").fetchall()  # noqa: S608 - constants
    return [_command(*row) for row in rows]


def _command(
    command: str, action: str, uuid: str | None, status: str,
    received: float, started: float | None, finished: float | None, error: str | None,
) -> dict[str, Any]:  # fmt: skip
    fault = json.loads(error) if error else None
    return {
        "command": command,
        "action": action,
        "uuid": uuid,
        "status": status,
        "received": timestamp(received),
        "started": None if started is None else timestamp(started),
        "finished": None if finished is None else timestamp(finished),
        "age_seconds": round(time.time() - received, 1) if finished is None else None,
        "error": fault and {"code": fault.get("code"), "message": fault.get("message")},
    }
