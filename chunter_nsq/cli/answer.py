"""What became of a command, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from chunter_nsq.cli.outline import outline, plain, width

Data = Mapping[str, Any]


def summary(data: Data) -> list[str]:
    """A final result: one line, and below it what it brought."""
    result = data.get("result")
    brought = outline(result, "  ") if isinstance(result, Mapping) else ()
    return [heading(data), *brought]


def heading(data: Data) -> str:
    """What became of which command, where, and how long it took."""
    return f"{_head(data)}{_seconds(data)}"


def failure(data: Data) -> list[str]:
    """A final result that is no success: why, and what the tool said."""
    error = data.get("error")
    error = error if isinstance(error, Mapping) else {}
    lines = [f"{_head(data)}: {error.get('message') or 'no reason was given'}"]
    if error.get("code"):
        lines.append(f"  code  {plain(error['code'])}")
    details = error.get("details")
    return [*lines, *_details(details, lines[0])] if isinstance(details, Mapping) else lines


def line(data: Data) -> str:
    """A final result of one of many hosts on one line; what fits of a result, the whole of an error."""
    error, result = data.get("error"), data.get("result")
    head = f"{plain(data.get('host'))}  {plain(data.get('status'))}"
    if isinstance(error, Mapping):
        return f"{head}  {plain(error.get('message'))}"
    members = result.items() if isinstance(result, Mapping) else ()
    told = " ".join(f"{name}={plain(one)}" for name, one in members if not isinstance(one, list | dict))
    whole, room = f"{head}  {told}".rstrip(), width()
    return whole if len(whole) <= room else f"{whole[: room - 3]}..."


def silence(action: str, host: str, seconds: float) -> str:
    """Nothing at all was heard."""
    whom = "no host at all" if host == "*" else f"no host of the name {host}"
    return (
        f"{action}: {whom} answered within {seconds:g} s. Is its agent running? chunter hosts lists those that answer."
    )


def other(data: Data, action: str) -> str:
    """The id belongs to an earlier command, of which the host told again."""
    about = f" of {plain(data['uuid'])}" if data.get("uuid") else ""
    return (
        f"{action} was not run: {plain(data.get('host'))} had the id {plain(data.get('command'))} before, for "
        f"{plain(data.get('action'))}{about}, which is {plain(data.get('status'))}. Use a new --id, or none."
    )


def unfinished(data: Data, seconds: float) -> str:
    """It was accepted, and the time ran out."""
    progress = data.get("progress")
    so_far = f" ({step(progress)})" if isinstance(progress, Mapping) else ""
    return (
        f"{plain(data.get('action'))} is still running on {plain(data.get('host'))} after {seconds:g} s{so_far}.\n"
        f"Ask again with: {asking(plain(data.get('host')), plain(data.get('command')))}"
    )


def late(data: Data, seconds: float) -> dict[str, Any]:
    """What a program is told when no final result came in time: the last that was heard, in the form of a result."""
    blank = dict.fromkeys(("command", "action", "uuid", "host", "status", "result", "error", "progress"))
    return {**blank, **data, "timed_out_seconds": seconds}


def asking(host: str, command: str) -> str:
    """The command line that asks for a command's record."""
    return shlex.join(["chunter", "call", "--host", host, "command.status", "-p", f"command={command}"])


def step(progress: Data) -> str:
    """Where long work is."""
    done, total = progress.get("done"), progress.get("total")
    share = ""
    if isinstance(total, int | float) and total and isinstance(done, int | float):
        share = f", {100 * done / total:.0f} %"
    return f"{plain(progress.get('phase') or 'working')}{share}"


def _head(data: Data) -> str:
    about = f" {plain(data['uuid'])}" if data.get("uuid") else ""
    return f"{plain(data.get('action'))}{about} {plain(data.get('status'))} on {plain(data.get('host'))}"


def _seconds(data: Data) -> str:
    try:
        begin = datetime.fromisoformat(data.get("started") or data["received"])
        seconds = (datetime.fromisoformat(data["finished"]) - begin).total_seconds()
    except (KeyError, TypeError, ValueError):
        return ""  # a query that was answered at once has no times of its own
    return f" in {seconds:.1f} s" if seconds >= 0 else ""


def _details(details: Data, told: str) -> Iterator[str]:
    """The faults of a message that were not told yet; else everything that is there."""
    faults = details.get("faults")
    if isinstance(faults, list) and all(isinstance(one, Mapping) for one in faults):
        lines = [f"{plain(one.get('path'))}: {plain(one.get('message'))}" for one in faults]
        yield from (f"  {line}" for line in lines if line not in told)
        details = {name: one for name, one in details.items() if name != "faults"}
    yield from outline(details, "  ")
