"""The tables of ``var/chunter.db`` and the steps from each version to the next."""

from __future__ import annotations

import sqlite3

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

# One entry for each version: the first makes version 1, the next leads from 1 to 2, ...
STEPS: tuple[str, ...] = (_FIRST, _ROWS_OF_EVENTS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest version, all steps or none.

    Raises:
        sqlite3.DatabaseError: when a newer version of chunter wrote it.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise sqlite3.DatabaseError(
            f"the journal has schema version {version}, this chunter knows {len(STEPS)}: "
            "install the newer chunter again, or move the journal away"
        )
    if version == len(STEPS):
        return
    script = "".join(STEPS[version:])
    connection.executescript(f"BEGIN IMMEDIATE;{script}PRAGMA user_version={len(STEPS)};COMMIT;")
