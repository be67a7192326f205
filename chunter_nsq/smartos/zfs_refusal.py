"""What ``zfs send`` and ``zfs receive`` refuse, turned into errors that a plan can act on.

The texts are those of illumos, OpenZFS and zfs-fuse; what none of these rules knows is left to the rules for all
tools. A send that said anything at all on standard error is not to be trusted, whatever its exit status.
"""

from __future__ import annotations

import logging
import re

from chunter_nsq.errors import AlreadyExists, Fault, InvalidState, NotFound, ToolFailed
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import evidence, refusal, spoken

log = logging.getLogger(__name__)


class BaseMissing(NotFound):
    """The snapshot or bookmark that an increment starts from (or a clone's origin) is not here."""


class BaseMismatch(InvalidState):
    """The increment does not start from what the dataset ends with, or the base is not older than the snapshot."""


class DestinationExists(AlreadyExists):
    """There is a dataset or snapshot of that name already."""


class DestinationModified(InvalidState):
    """The dataset was changed since the snapshot that the increment starts from."""


class InvalidStream(ToolFailed):
    """The stream is cut off, damaged, or of a kind that this ZFS does not know."""


class DoubtfulStream(ToolFailed):
    """``zfs send`` ended well and complained: what it sent is not to be kept."""


_RULES: tuple[tuple[type[Fault], re.Pattern[str]], ...] = (
    (
        BaseMissing,
        re.compile(r"incremental source \(?[^)\n]*\)? does not exist|local origin for clone .* does not exist"),
    ),
    (
        BaseMismatch,
        re.compile(
            r"does not\s+match incremental source|not an earlier snapshot|is not earlier than it"
            r"|incremental source must be in same filesystem"
        ),
    ),
    (DestinationModified, re.compile(r"has been modified")),
    (DestinationExists, re.compile(r"destination '?[^'\n]*'? exists|destination has snapshots")),
    (InvalidState, re.compile(r"contains partially-complete state")),
    (
        InvalidStream,
        re.compile(
            r"invalid (?:backup )?stream|incomplete stream|failed to read from stream|checksum mismatch"
            r"|unsupported feature|must be upgraded to receive"
        ),
    ),
    (NotFound, re.compile(r"could not send [^\n]*: does not exist")),
)


def stream_refusal(completed: Completed, attempted: str) -> Fault:
    """The fault for a stream that was not made or not taken; ``attempted`` completes "cannot ..."."""
    if completed.exit_status > 0:
        text = completed.stderr.lower()
        for kind, pattern in _RULES:
            if pattern.search(text):
                words = spoken(completed.stderr)
                message = f"cannot {attempted}: {words} ({completed.tool}, exit {completed.exit_status})"
                return kind(message, evidence(completed))
    return refusal(completed, attempted)


def check_sent(completed: Completed, attempted: str) -> None:
    """Raise unless a send ended well and silently."""
    if completed.exit_status != 0:
        raise stream_refusal(completed, attempted)
    if completed.stderr.strip():
        words = spoken(completed.stderr)
        raise DoubtfulStream(f"cannot {attempted}: zfs ended well, but said: {words}", evidence(completed))


def check_received(completed: Completed, attempted: str) -> None:
    """Raise unless a receive ended well; what it said besides is logged."""
    if completed.exit_status != 0:
        raise stream_refusal(completed, attempted)
    if completed.stderr.strip():
        log.warning("zfs.receive_said", extra={"attempted": attempted, "stderr": spoken(completed.stderr)})
