"""What runs the agent: Python, SQLite, and the place of the journal."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from chunter_nsq import __version__
from chunter_nsq.config.units import write_size
from chunter_nsq.doctor.finding import Finding, fault, ok, warning
from chunter_nsq.doctor.patient import Patient
from chunter_nsq.schema import REMEDY, lack

PYTHON = (3, 11)
SQLITE = (3, 35, 0)  # RETURNING
_MIB = 2**20
_LEAST_FREE_BYTES = 64 * _MIB


async def python(_patient: Patient) -> AsyncIterator[Finding]:
    """The interpreter that runs this, which is the agent's."""
    found = platform.python_version()
    if sys.version_info < PYTHON:
        least = ".".join(map(str, PYTHON))
        yield fault(f"Python {found} runs this", f"run chunter with Python {least} or newer")
    else:
        yield ok(f"chunter {__version__} on Python {found}, {sys.executable}")


async def sqlite(patient: Patient) -> AsyncIterator[Finding]:
    """Its version, and a write-ahead log at the place where the journal is."""
    if sqlite3.sqlite_version_info < SQLITE:
        least = ".".join(map(str, SQLITE))
        yield fault(f"SQLite {sqlite3.sqlite_version} is too old", f"install a Python whose SQLite is {least} or newer")
        return
    folder = _existing(patient.paths.database.parent)
    try:
        mode = _tried(folder / f".doctor-{secrets.token_hex(6)}.db")
    except (sqlite3.Error, OSError) as broken:
        yield fault(
            f"no database can be written in {folder}: {broken}",
            "run this as root; is the disk full, or the file system read-only?",
        )
        return
    if mode != "wal":
        yield fault(
            f"{folder} does not take a write-ahead log, only {mode!r}",
            "put the tree on a local file system; network file systems lose commands",
        )
    else:
        yield ok(f"SQLite {sqlite3.sqlite_version}, write-ahead log usable in {folder}")


def _tried(file: Path) -> str:
    """The journal mode that a database has there which is made, written and removed."""
    try:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("CREATE TABLE tried (one)")
            connection.execute("INSERT INTO tried VALUES (1)")
        return str(mode)
    finally:
        for end in ("", "-wal", "-shm"):
            Path(f"{file}{end}").unlink(missing_ok=True)


async def journal(patient: Patient) -> AsyncIterator[Finding]:
    """The journal's file: whole, and of a version that is known."""
    file = patient.paths.database
    if not file.exists():
        yield ok(f"{file} is not there yet; the first start makes it")
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            why = lack(connection)
    except sqlite3.Error as broken:
        said, why = str(broken), ""
    if said != "ok":
        yield fault(
            f"{file} is broken: {said}",
            "stop the agent and move the file away together with its -wal and -shm; a fresh one is made, and what was"
            " accepted and not done is lost",
        )
    elif why:
        yield fault(f"{file} cannot be used: {why}", REMEDY)
    else:
        yield ok(f"{file} is whole")
    if file.stat().st_mode & 0o077:
        yield warning(f"{file} can be read by others, and holds what commands bring along", f"chmod 600 {file}")


async def disk(patient: Patient) -> AsyncIterator[Finding]:
    """Room for the journal to grow to its limit."""
    folder = _existing(patient.paths.database.parent)
    free = shutil.disk_usage(folder).free
    held = patient.paths.database.stat().st_size if patient.paths.database.exists() else 0
    wanted = max(patient.config.outbox_limit_bytes - held, 0) + _LEAST_FREE_BYTES
    yield _room(folder, free, wanted)


def _room(folder: Path, free: int, wanted: int) -> Finding:
    says = f"{free // _MIB} MiB free in {folder}"
    if free < _LEAST_FREE_BYTES:
        return fault(says, f"make room: below {write_size(_LEAST_FREE_BYTES)} commands cannot be accepted any more")
    if free < wanted:
        return warning(
            f"{says}, but the journal may need {wanted // _MIB}",
            "make room, or lower outbox_limit; what is dropped for space is told as chunter.host.dropped",
        )
    return ok(says)


def _existing(folder: Path) -> Path:
    """The folder, or what is there of the way to it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


async def privileges(patient: Patient) -> AsyncIterator[Finding]:
    """Only root may drive zones."""
    if patient.is_root or patient.is_simulated:
        yield ok("run by root" if patient.is_root else "the platform is simulated; anybody may drive it")
    else:
        yield fault(f"run by user {os.geteuid()}, who may not drive zones", "run this as root in the global zone")
