"""A tool's exit status and words, turned into the error that a caller can act on.

Exit status first, then lower-case fragments of what the tool said on standard error: platforms reword their
sentences, fragments last longer. The tool's own words stay in the message, whole in ``details.stderr``.
A class that could be right next time is marked transient. What no rule knows stays ToolFailed.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any, ClassVar

from chunter_nsq.errors import (
    AlreadyExists,
    Fault,
    InsufficientResources,
    InvalidState,
    NotFound,
    ToolFailed,
    Unsupported,
)
from chunter_nsq.smartos.invocation import Completed

_STDERR_SHOWN_CHARACTERS = 4096
_WORDS_SHOWN_CHARACTERS = 500
_STDOUT_SHOWN_BYTES = 512
_LINES_SHOWN = 3
_USAGE_STATUS = 2
_IMGADM_NOT_INSTALLED_STATUS = 3
_SHELL_SIGNAL_BASE = 128
_FAULTY_VALUES = re.compile(r"(?:Invalid value\(s\) for|Missing required properties): *([^\n]+)")
_DENIED = re.compile(r"cannot run because|permission denied|(?:be|as) root|only the global administrator|privileges")
_AS_ROOT = "; the agent must run as root in the global zone"
_WAITED_IN_VAIN = re.compile(r"timed out waiting|timeout exceeded")


class Busy(InvalidState):
    """Something else holds the thing just now; trying again may help."""

    transient: ClassVar[bool] = True


class PlatformUnavailable(ToolFailed):
    """A daemon that the tool depends on does not answer; trying again may help."""

    transient: ClassVar[bool] = True


class UnreadableOutput(ToolFailed):
    """The tool succeeded, but what it printed is not what it prints."""


# The first class with a fragment in the text wins; within vmadm's words may stand zoneadm's or zfs's.
_RULES: tuple[tuple[type[Fault], re.Pattern[str]], ...] = (
    (PlatformUnavailable, re.compile(r"econnrefused|vminfodeventstream")),
    (
        InsufficientResources,
        re.compile(
            r"out of space|no space left|enospc|not enough space|quota exceeded|size is less than current used"
            r"|out of memory|enomem|insufficient (?:space|memory|resources)|resource temporarily unavailable"
        ),
    ),
    (
        Unsupported,
        re.compile(
            r"only supported for|not supported|unsupported|does not yet support|no info types supported"
            r"|unknown info type|cannot currently snapshot"
        ),
    ),
    (Busy, re.compile(r"\bis busy|(?:device|resource) busy|\bebusy|operation in progress|already in progress")),
    (
        InvalidState,
        re.compile(
            r"from state|when state is|only allowed when|not running|is not 'running'|already running|vmnotstopped"
            r"|must be installed before|already installed|is already in state|operation is invalid|zone is incomplete"
            r"|has children|has dependent clones|more recent snapshots|indestructible_|has been modified"
            r"|cannot find running init|are sharing its volumes"
        ),
    ),
    (AlreadyExists, re.compile(r"already exist|destination '.*' exists")),
    (
        NotFound,
        re.compile(
            r"not found|no such (?:zone|pool|tag|dataset)|statuscode: 404|does not exist|notinstalled"
            r"|could not find any snapshots|no snapshot named"
        ),
    ),
)


def refusal(completed: Completed, attempted: str) -> Fault:
    """The fault for a tool that ended badly; ``attempted`` completes "cannot ...", as in ``start VM 0e56fe34-...``."""
    details = evidence(completed)
    status = completed.exit_status
    tool = completed.tool
    words = spoken(completed.stderr) or spoken(_start_of(completed.stdout)) or "it said nothing"
    died_of = _signal_of(status)
    if died_of:
        details["effect"] = "unknown"
        return ToolFailed(
            f"cannot {attempted}: {tool} died of {died_of}, what it had done is unknown: {words}", details
        )
    kind = _kind(tool, status, completed.stderr.lower())
    if kind is ToolFailed:
        details.update(_reason(status, completed.stderr))
    remedy = _AS_ROOT if details.get("reason") == "environment" else ""
    return kind(f"cannot {attempted}: {words} ({tool}, exit {status}){remedy}", details)


def check(completed: Completed, attempted: str) -> Completed:
    """The same when the exit status is 0; else its refusal is raised. Words on standard error alone refuse nothing."""
    if completed.exit_status != 0:
        raise refusal(completed, attempted)
    return completed


def unreadable(completed: Completed, attempted: str, why: str) -> UnreadableOutput:
    """The fault for a success whose output makes no sense; what the tool did, it has done."""
    details = evidence(completed) | {"reason": "output", "stdout": _start_of(completed.stdout)}
    return UnreadableOutput(f"cannot {attempted}: {completed.tool} ended well, but {why}", details)


def evidence(completed: Completed) -> dict[str, Any]:
    """What a tool failure's details hold."""
    stderr = completed.stderr[-_STDERR_SHOWN_CHARACTERS:]
    return {"argv": list(completed.argv), "exit_status": completed.exit_status, "stderr": stderr}


def spoken(stderr: str) -> str:
    """The tool's words on one line: its first lines, since usage texts and stacks come after the message."""
    lines = [line.strip() for line in stderr.split("\n") if line.strip()]
    return "; ".join(lines[:_LINES_SHOWN])[:_WORDS_SHOWN_CHARACTERS]


def _start_of(stdout: bytes) -> str:
    return stdout[:_STDOUT_SHOWN_BYTES].decode(errors="replace")


def _kind(tool: str, status: int, text: str) -> type[Fault]:
    if tool == "imgadm" and status == _IMGADM_NOT_INSTALLED_STATUS:
        return NotFound
    if status == _USAGE_STATUS:
        return ToolFailed
    return next((fault for fault, pattern in _RULES if pattern.search(text)), ToolFailed)


def _reason(status: int, stderr: str) -> Mapping[str, Any]:
    if _DENIED.search(stderr.lower()):
        return {"reason": "environment"}
    if status == _USAGE_STATUS:
        return {"reason": "usage"}
    faulty = _FAULTY_VALUES.search(stderr)
    if faulty:
        return {"reason": "payload", "faults": faulty[1].strip().split(",")}
    return {"reason": "waited", "effect": "unknown"} if _WAITED_IN_VAIN.search(stderr) else {}


def _signal_of(status: int) -> str:
    number = -status if status < 0 else status - _SHELL_SIGNAL_BASE
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}" if status < 0 else ""
