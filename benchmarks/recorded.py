"""An event source that costs next to nothing: prepared lines, written at their moments.

The simulator works out every event anew, which takes more of a small machine than the agent does. For what the agent
itself can do, this stands in for `vmadm events` on a simulated host: a `ready` with the host's real machines, and, once
the file ``recorded.go`` is there ({"changes", "seconds"}), state changes of all zones in turn. Each stands in
``recorded.journal`` with the moment at which it was due, whether or not the reader was quick enough to take it then.

Run as a script it is that source; everything else that `vmadm` is asked goes to the simulator.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROUND = ("shutting_down", "down", "installed", "ready", "running")
SCRIPT = """#!/bin/sh
[ "$1" = events ] && exec {python} -I {source} {platform}
exec {tool} "$@"
"""
GO, JOURNAL = "recorded.go", "recorded.journal"
STEP_SECONDS = 0.002


def install(platform: Path) -> None:
    """Put it into the place of `vmadm`."""
    tool = platform / "usr" / "sbin" / "vmadm"
    hidden = tool.with_name(".vmadm")
    tool.rename(hidden)
    tool.write_text(SCRIPT.format(python=sys.executable, source=Path(__file__), platform=platform, tool=hidden))
    tool.chmod(0o755)


def go(platform: Path, changes: int, seconds: float, timeout_seconds: float = 120.0) -> None:
    """Make the changes; returns when all were written."""
    (platform / JOURNAL).unlink(missing_ok=True)
    draft = platform / f"{GO}.new"
    draft.write_text(json.dumps({"changes": changes, "seconds": seconds}))
    draft.rename(platform / GO)
    deadline = time.monotonic() + timeout_seconds
    while not (platform / JOURNAL).exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the event source did not come to its end: is it being read?")
        time.sleep(0.02)


class Source:
    """The lines, made before they are needed."""

    def __init__(self, platform: Path) -> None:
        self._platform = platform
        tool = platform / "usr" / "sbin" / ".vmadm"
        found = subprocess.run([tool, "lookup", "-j"], capture_output=True, check=True)
        self._vms: list[dict[str, Any]] = json.loads(found.stdout)
        self._lines = [[line(vm, state) for vm in self._vms] for state in ROUND]

    def serve(self) -> None:
        """Until killed."""
        ready = {"type": "ready", "date": now(), "vms": {vm["uuid"]: vm for vm in self._vms}}
        sys.stdout.buffer.write(json.dumps(ready).encode() + b"\n")
        sys.stdout.buffer.flush()
        while True:
            if (self._platform / GO).exists():
                load = json.loads((self._platform / GO).read_text())
                (self._platform / GO).unlink()
                self._play(load["changes"], load["seconds"])
            time.sleep(0.02)

    def _play(self, changes: int, seconds: float) -> None:
        started, moment, made = time.monotonic(), time.time(), 0
        while made < changes:
            passed = time.monotonic() - started
            due = changes if passed >= seconds else int(changes * passed / seconds)
            batch = b"".join(self._line(number) for number in range(made, due))
            sys.stdout.buffer.write(batch)
            sys.stdout.buffer.flush()
            made = due
            time.sleep(STEP_SECONDS)
        rows = [self._row(number, moment + seconds * number / changes) for number in range(changes)]
        draft = self._platform / f"{JOURNAL}.new"
        draft.write_text("".join(rows))
        draft.rename(self._platform / JOURNAL)

    def _line(self, number: int) -> bytes:
        turn, zone = divmod(number, len(self._vms))
        return self._lines[turn % len(ROUND)][zone]

    def _row(self, number: int, moment: float) -> str:
        turn, zone = divmod(number, len(self._vms))
        return f"{moment:.6f}\tS\t{self._vms[zone]['uuid']}\t{ROUND[turn % len(ROUND)]}\n"


def line(vm: dict[str, Any], state: str) -> bytes:
    """The event that says that a machine is in a state."""
    change = {"prettyPath": "zone_state", "path": ["zone_state"], "action": "changed", "newValue": state}
    head = {"type": "modify", "date": now(), "zonename": vm["uuid"], "uuid": vm["uuid"]}
    document = {**head, "vm": {**vm, "zone_state": state}, "changes": [change]}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def now() -> str:
    """As the platform writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


if __name__ == "__main__":
    Source(Path(sys.argv[1])).serve()
