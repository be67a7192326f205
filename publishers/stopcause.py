"""The likely cause of a stop that nobody ordered, from what the host still shows of the machine."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from publishers.caphits import CapHits

_MIB = 2**20
_KILLED = signal.SIGKILL


def why(machine: Mapping[str, Any], hits: CapHits | None, log_lines: Sequence[str]) -> dict[str, Any]:
    """The ``data`` of a why message.

    Args:
        machine: As ``vmadm get`` prints it, after the stop.
        hits: What was last known of its memory cap.
        log_lines: The end of its platform log.
    """
    status = machine.get("exit_status")
    evidence = [{"source": "vmadm get", "says": _exit(machine)}]
    if hits is not None and hits.times:
        evidence.append({"source": "kstat memory_cap", "says": _cap(hits)})
    evidence += [{"source": "platform.log", "says": line} for line in log_lines]
    return {"cause": _cause(status, hits), "evidence": evidence}


def _cause(status: Any, hits: CapHits | None) -> str:
    if not isinstance(status, int):
        return "unknown"
    if status == 0:
        return "shut_down_inside"
    if status > 0:
        return "init_failed"
    return "out_of_memory" if status == -_KILLED and hits is not None and hits.times else "init_killed"


def _exit(machine: Mapping[str, Any]) -> str:
    status, state = machine.get("exit_status"), machine.get("state")
    if not isinstance(status, int):
        return f"it is {state}, and how its init ended is not known"
    when = f" at {machine['exit_timestamp']}" if machine.get("exit_timestamp") else ""
    if status >= 0:
        return f"init ended with status {status}{when}"
    return f"init was killed by {_signal(-status)}{when}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _cap(hits: CapHits) -> str:
    held = f", {hits.resident_bytes // _MIB} MiB resident" if hits.resident_bytes is not None else ""
    cap = f" of {hits.cap_bytes // _MIB} MiB" if hits.cap_bytes is not None else ""
    return f"the memory cap{cap} was hit {hits.times} times since it booted{held}"
