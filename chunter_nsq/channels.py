"""The channels that a client reads through: which, by what name, and what becomes of them.

Theory: an ephemeral channel goes with its reader, but nsqd drops what such a channel cannot take at once when there is
no memory queue, and that is how nsqd is run where commands must not be lost. So a client has channels that keep what
comes, and deletes them at its end. Of a client that was killed they are left: the next one that reads the topic knows
them by their name, which says when they were made, and deletes those that are old and that nobody reads.

Samples come through ephemeral channels: the next says as much, and nsqd need not write them to its disk.
"""

from __future__ import annotations

import re
import secrets
import time

STALE_SECONDS = 600  # a reader that is cut off has so long to come back
_SAMPLES = frozenset({"metric", "arc", "memory"})
_NAME = re.compile(r"cli-([0-9a-f]{8})-[0-9a-f]{16}")


class Channels:
    """Those of one client; topics of agents have ``prefix`` before them."""

    def __init__(self, prefix: str) -> None:
        self._samples = {f"{prefix}.{topic}" for topic in _SAMPLES}
        self._name = f"cli-{int(time.time()):08x}-{secrets.token_hex(8)}"

    def of(self, topic: str) -> str:
        """The channel through which a topic is read."""
        return f"{self._name}#ephemeral" if topic in self._samples else self._name


def is_stale(channel: str) -> bool:
    """Whether a channel was a client's that must be over, if nobody reads it."""
    made = _NAME.fullmatch(channel)
    return made is not None and time.time() - int(made[1], 16) > STALE_SECONDS
