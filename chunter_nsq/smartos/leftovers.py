"""Small files that name the changing tools which run now, for the agent that comes after one that was killed.

A file is named for the process, which writes it before it becomes the tool; it says ``{"pid", "argv", "command",
"started", "birth"}``, the argument vector with its secrets starred. What is left of a half-written one is its name. A
process group is taken for the one that the file means unless the kernel shows another process under its leader's
number.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from chunter_nsq.smartos.birth import birth_of
from chunter_nsq.smartos.group import is_populated
from chunter_nsq.smartos.invocation import Running

log = logging.getLogger(__name__)


class Leftovers:
    """The files of one run directory, which is made when it is first needed."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir

    def noting(self, running: Running) -> Callable[[], None]:
        """What a child does before it becomes the tool; whether it could is seen by `has`, and the tool runs anyway."""

        def note() -> None:
            with contextlib.suppress(OSError):
                self._note(replace(running, pid=os.getpid()))

        return note

    def _note(self, running: Running) -> None:
        document = json.dumps(asdict(running) | {"birth": birth_of(running.pid)}).encode()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            descriptor = os.open(self._path(running.pid), flags, 0o600)
        except FileNotFoundError:
            self._run_dir.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path(running.pid), flags, 0o600)
        try:
            os.write(descriptor, document)
        finally:
            os.close(descriptor)

    def has(self, pid: int) -> bool:
        """Whether a process has its file."""
        return self._path(pid).exists()

    def drop(self, pid: int) -> None:
        """Remove the file of a process that is over."""
        try:
            self._path(pid).unlink(missing_ok=True)
        except OSError as fault:  # whoever looks later finds the process gone
            log.warning("runner.leftover_not_removed", extra={"pid": pid, "why": str(fault)})

    def sweep(self, besides: frozenset[int]) -> tuple[Running, ...]:
        """Remove the files of processes that are over; those that still run, but for the processes ``besides``."""
        found = []
        for path in sorted(self._run_dir.iterdir()) if self._run_dir.is_dir() else ():
            if not path.name.isdecimal() or int(path.name) in besides:
                continue
            if self.is_alive(int(path.name)):
                found.append(_running(int(path.name), _document(path)))
            else:
                self.drop(int(path.name))
        return tuple(found)

    def is_alive(self, pid: int) -> bool:
        """Whether the process group that the file of ``pid`` means has anybody in it."""
        if not is_populated(pid):
            return False
        noted, now = _document(self._path(pid)).get("birth"), birth_of(pid)
        return noted is None or now is None or noted == now

    def _path(self, pid: int) -> Path:
        return self._run_dir / str(pid)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as fault:
        log.warning("runner.leftover_unreadable", extra={"path": str(path), "why": str(fault)})
        return {}
    return document if isinstance(document, dict) else {}


def _running(pid: int, document: dict[str, Any]) -> Running:
    argv, started, command = document.get("argv"), document.get("started"), document.get("command")
    return Running(
        argv=tuple(str(word) for word in argv) if isinstance(argv, list) else (),
        pid=pid,
        started=float(started) if isinstance(started, int | float) else 0.0,
        command=command if isinstance(command, str) else None,
    )
