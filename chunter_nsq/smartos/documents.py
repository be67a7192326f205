"""What tools print, taken only when it is whole: JSON documents of the right form, lines that end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sized
from typing import Any, TypeVar

from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import unreadable

Rows = TypeVar("Rows", bound=Sized)


def read_object(completed: Completed, attempted: str) -> dict[str, Any]:
    """The object that a tool printed.

    Raises:
        UnreadableOutput: it printed anything else.
    """
    document = _read(completed, attempted)
    if not isinstance(document, dict):
        raise unreadable(completed, attempted, "what it printed is not a JSON object")
    return document


def read_objects(completed: Completed, attempted: str) -> list[dict[str, Any]]:
    """The list of objects that a tool printed.

    Raises:
        UnreadableOutput: it printed anything else.
    """
    document = _read(completed, attempted)
    if not isinstance(document, list) or not all(isinstance(member, dict) for member in document):
        raise unreadable(completed, attempted, "what it printed is not a JSON list of objects")
    return document


def whole_lines(completed: Completed, attempted: str) -> bytes:
    """The lines that a tool printed, or none at all.

    Raises:
        UnreadableOutput: the last one is cut off, so that a name or number in it may be.
    """
    if completed.stdout and not completed.stdout.endswith(b"\n"):
        raise unreadable(completed, attempted, "its last line is cut off")
    return completed.stdout


def rows(completed: Completed, attempted: str, parse: Callable[[bytes], Rows]) -> Rows:
    """What a parser that leaves out lines of another form finds in whole lines.

    Raises:
        UnreadableOutput: a line is cut off, or none of what was printed has the form that was asked for.
    """
    found = parse(whole_lines(completed, attempted))
    if completed.stdout.strip() and not found:
        raise unreadable(completed, attempted, "no line that it printed has the form that was asked for")
    return found


def _read(completed: Completed, attempted: str) -> Any:
    try:
        return json.loads(completed.stdout)
    except (ValueError, RecursionError) as fault:
        raise unreadable(completed, attempted, f"what it printed is not JSON: {fault}") from fault
