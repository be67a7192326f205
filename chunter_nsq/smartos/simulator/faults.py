"""Faults an operator asks for: a tool that fails, waits, hangs, babbles or dies half-way, a number of times."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.files import Lock, exists, read_bytes, remove, write_bytes
from chunter_nsq.smartos.simulator.process import OUT, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from chunter_nsq.smartos.simulator.process import Process

PLACE = "var/simulator/faults.json"
GARBAGE = bytes(range(256)) * 16 + b'{"truncated": \xff\xfe'
DENIED = {
    "vmadm": ("FATAL: cannot run because: Must be root in the global zone.", 2),
    "imgadm": ("imgadm: error: must be run as root in the global zone", 2),
    "zoneadm": ("zoneadm: only the global administrator may run this command.", 1),
    "zfs": ("cannot open 'zones': permission denied", 1),
}


def load(root: str) -> list[dict[str, Any]]:
    """The faults that are set, oldest first."""
    content = read_bytes(f"{root}/{PLACE}")
    if not content:
        return []
    import json  # noqa: PLC0415 - rarely there is a fault

    faults: list[dict[str, Any]] = json.loads(content)
    return faults


def save(root: str, faults: list[dict[str, Any]]) -> None:
    """Set exactly these faults."""
    path = f"{root}/{PLACE}"
    if not faults:
        remove(path)
        return
    import json  # noqa: PLC0415 - rarely there is a fault

    write_bytes(path, json.dumps(faults, indent=1).encode())


def add(root: str, fault: dict[str, Any]) -> None:
    """Set one more fault."""
    with _lock(root):
        save(root, [*load(root), fault])


def clear(root: str) -> int:
    """Remove every fault; the number there were."""
    with _lock(root):
        count = len(load(root))
        save(root, [])
    return count


def take(root: str, tool: str, arguments: Sequence[str]) -> dict[str, Any] | None:
    """The first fault that concerns this invocation, counted down."""
    if not exists(f"{root}/{PLACE}"):
        return None
    with _lock(root):
        faults = load(root)
        for fault in faults:
            if concerns(fault, tool, arguments):
                if fault.get("times") is not None:
                    fault["times"] -= 1
                    save(root, [one for one in faults if one.get("times") is None or one["times"] > 0])
                return fault
    return None


def concerns(fault: dict[str, Any], tool: str, arguments: Sequence[str]) -> bool:
    """Whether a fault is meant for these arguments.

    The first word of its subcommand is the first argument (anywhere behind options, as in ``svcadm -z ZONE restart``),
    its other words are somewhere among them: ``snapshot`` does not concern ``zfs list -t snapshot``.
    """
    if fault["tool"] != tool:
        return False
    words = (fault.get("subcommand") or "").split()
    if not words:
        return True
    first = arguments[:1] if arguments and not arguments[0].startswith("-") else arguments
    return words[0] in first and all(word in arguments for word in words[1:])


def strike(fault: dict[str, Any], process: Process) -> int | None:
    """Do what the fault says before the tool runs; an exit status means that the tool does not run at all."""
    if fault.get("delay"):
        time.sleep(float(fault["delay"]))
    while fault.get("hang"):
        time.sleep(3600)
    if fault.get("truncate") is not None:
        process.limit_bytes = int(fault["truncate"])
    if fault.get("flood"):
        _flood(int(fault["flood"]))
        return int(fault.get("exit") or 0)
    if fault.get("garbage"):
        write_all(OUT, GARBAGE)
        return int(fault.get("exit") or 0)
    if fault.get("denied"):
        text, status = DENIED.get(process.tool, (f"{process.tool}: permission denied", 1))
        process.err(fault.get("stderr") or text)
        return int(fault.get("exit") or status)
    if fault.get("exit") is not None and process.limit_bytes is None:
        if fault.get("stderr"):
            process.err(fault["stderr"])
        return int(fault["exit"])
    if fault.get("stderr") and process.limit_bytes is None:
        process.err(fault["stderr"])
    return None


def aftermath(fault: dict[str, Any] | None, process: Process, status: int) -> int:
    """What a tool whose output was cut off says and ends with: a fault half-way when the fault says so."""
    if fault is None or process.limit_bytes is None:
        return status
    if fault.get("stderr"):
        process.err(fault["stderr"])
    return status if fault.get("exit") is None else int(fault["exit"])


def _flood(size_bytes: int) -> None:
    block = b"x" * 127 + b"\n"
    block *= 512
    while size_bytes > 0:
        write_all(OUT, block[:size_bytes])
        size_bytes -= len(block)


def _lock(root: str) -> Lock:
    return Lock(f"{root}/var/simulator/faults.lock")
