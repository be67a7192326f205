"""NSQ's rules for names and sizes, checked before a byte leaves: nsqd closes the connection over each of them."""

from __future__ import annotations

import re

NAME_LENGTH = 64
MESSAGE_BYTES = 1024 * 1024
BODY_BYTES = 5 * MESSAGE_BYTES

_NAME = re.compile(r"[.a-zA-Z0-9_-]+(?:#ephemeral)?")


def valid_name(name: str) -> bool:
    """Whether ``name`` can be a topic or a channel: 64 characters at most, ``#ephemeral`` included."""
    return len(name) <= NAME_LENGTH and _NAME.fullmatch(name) is not None


def checked_name(kind: str, name: str) -> str:
    """``name`` itself; ``kind`` ("topic", "channel") is for the message.

    Raises:
        ValueError: nsqd would refuse it.
    """
    if not valid_name(name):
        raise ValueError(f"{name!r} is no {kind} name: 1 to {NAME_LENGTH} of A-Z a-z 0-9 . _ -, perhaps #ephemeral")
    return name
