"""The tables of ``var/chunter.db``, and the steps from each version to the next and back.

Responsibilities: brings a file to the version that this chunter knows, whichever version wrote it last.

Theory: each step has a way back, which the newer chunter writes into the file with the step itself. An older one that
finds the file again, because an update was taken back, goes that way without knowing what was new. So nothing that was
accepted or told meanwhile is lost, as it would be with a copy from before.

Not promised: what the older tables have no place for. A step whose way back leaves out what was accepted, what was
told, or a sequence must not be released.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

_FIRST = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO facts VALUES ('epoch', lower(hex(randomblob(6))));

-- Commands in their order of acceptance. `document` is the message as it came; it is emptied when the command ends.
CREATE TABLE commands (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    action TEXT NOT NULL,
    uuid TEXT,
    reply_to TEXT,
    traceparent TEXT,
    document TEXT NOT NULL,
    status TEXT NOT NULL,
    result TEXT,
    error TEXT,
    progress TEXT,
    received REAL NOT NULL,
    started REAL,
    finished REAL
);
CREATE INDEX unfinished ON commands (place) WHERE finished IS NULL;

CREATE TABLE nonces (nonce TEXT PRIMARY KEY, seen REAL NOT NULL) WITHOUT ROWID;

-- What publishers remember of what they said last.
CREATE TABLE notes (
    space TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (space, key)
) WITHOUT ROWID;

-- `number` is the upper part of an event's place; everything up to `sent` had nsqd's OK.
CREATE TABLE topics (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    essential INTEGER NOT NULL,
    next INTEGER NOT NULL,
    sent INTEGER NOT NULL
);
-- place = topic number * 2^40 + sequence
CREATE TABLE events (place INTEGER PRIMARY KEY, written REAL NOT NULL, body BLOB NOT NULL);
"""

_ROWS_OF_EVENTS = """
-- Events of a topic that are written together are one row: `body` has one on each line, `place` is that of the last.
ALTER TABLE events ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
"""

# The body of each row is taken apart, from its first line to its last.
_EVENTS_ALONE = """
CREATE TABLE alone (place INTEGER PRIMARY KEY, written REAL NOT NULL, body BLOB NOT NULL);
WITH RECURSIVE line (place, last, written, rest) AS (
    SELECT place - count + 1, place, written, body FROM events
    UNION ALL
    SELECT place + 1, last, written, substr(rest, instr(rest, x'0a') + 1) FROM line WHERE place < last
)
INSERT INTO alone SELECT
    place, written, CASE WHEN place < last THEN substr(rest, 1, instr(rest, x'0a') - 1) ELSE rest END
FROM line;
DROP TABLE events;
ALTER TABLE alone RENAME TO events;
"""


@dataclass(frozen=True, slots=True)
class Step:
    """``forth`` makes a version of the one before, ``back`` is its way back; the first has none."""

    forth: str
    back: str = ""


# One entry for each version: the first makes version 1, the next leads from 1 to 2, ...
STEPS: tuple[Step, ...] = (Step(_FIRST), Step(_ROWS_OF_EVENTS, _EVENTS_ALONE))

REMEDY = (
    "install the newer chunter again; or disable the service, move the file away together with its -wal and -shm, and"
    " enable the service: a fresh one is made. Machines, snapshots, backups, configuration and the host's id are not in"
    " it. Lost are commands that were accepted and have not ended, events that were not sent, and the memory of ids:"
    " a command that is published again would run again"
)


def lack(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> str:
    """Why this chunter cannot use the file, for which there is the REMEDY; empty when it can."""
    version = _version(connection)
    if all(_way_back(connection, newer) for newer in range(len(steps) + 1, version + 1)):
        return ""
    return f"a newer chunter wrote it (schema {version}, this one knows {len(steps)}) and left no way back in it"


def migrate(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> None:
    """Bring the file to the version that is known, from an older or a newer one, all steps or none.

    Raises:
        sqlite3.DatabaseError: when a newer chunter wrote it, and there is no way back.
    """
    if why := lack(connection, steps):
        raise sqlite3.DatabaseError(f"{why}: {REMEDY}")
    found, known = _version(connection), len(steps)
    if found == known:
        return
    ways = [steps[version].forth for version in range(found, known)]
    ways += [_way_back(connection, version) for version in range(found, known, -1)]
    connection.executescript(f"BEGIN IMMEDIATE;{''.join(ways)}PRAGMA user_version={known};")
    for version in range(max(found, 1), known):
        connection.execute("REPLACE INTO facts VALUES (?, ?)", (_fact(version + 1), steps[version].back))
    connection.execute("COMMIT")
    log.info("journal.migrated", extra={"from": found, "to": known})


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _fact(version: int) -> str:
    return f"back from {version}"


def _way_back(connection: sqlite3.Connection, version: int) -> str:
    """What an older version finds in the file to undo the step to this one; empty when nothing is there."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (_fact(version),)).fetchone()
    return "" if row is None else str(row[0])
