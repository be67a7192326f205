"""What a check found, in words, with the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is; only a fault makes the examination fail."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    SKIPPED = "skipped"  # there is nothing to check here


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of a check; ``remedy`` is empty where nothing has to be done."""

    state: State
    says: str
    remedy: str = ""


def ok(says: str) -> Finding:
    """All is well."""
    return Finding(State.OK, says)


def warning(says: str, remedy: str) -> Finding:
    """It works, and may not for long or not for everybody."""
    return Finding(State.WARNING, says, remedy)


def fault(says: str, remedy: str) -> Finding:
    """Something does not work."""
    return Finding(State.FAULT, says, remedy)


def skipped(says: str) -> Finding:
    """Not in use here."""
    return Finding(State.SKIPPED, says)
