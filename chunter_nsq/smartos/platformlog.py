"""The last words of a zone's platform log, which the global zone keeps beside the zone's root."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path, PurePosixPath

PLACE = "logs/platform.log"
_TAIL_BYTES = 16 * 1024
_LINE_CHARACTERS = 500


def last_lines(content: bytes, most: int) -> list[str]:
    """The last lines with something in them; of a line in the form of the platform's loggers only what it says."""
    lines = [line.strip() for line in content.decode(errors="replace").splitlines()]
    return [_said(line)[:_LINE_CHARACTERS] for line in lines if line][-most:]


def _said(line: str) -> str:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return line
    for name in ("msg", "log"):
        if isinstance(entry, dict) and isinstance(entry.get(name), str):
            return str(entry[name]).strip()
    return line


class PlatformLog:
    """Reads below one platform root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def last_lines(self, zonepath: str, most: int = 10) -> list[str]:
        """The last lines of a zone's log; none when there is no such file, or it cannot be read."""
        if not PurePosixPath(zonepath).is_absolute() or ".." in PurePosixPath(zonepath).parts:
            return []
        return last_lines(await asyncio.to_thread(self._tail, f"{zonepath.lstrip('/')}/{PLACE}"), most)

    def _tail(self, place: str) -> bytes:
        try:
            # the folder is the zone's own business: what is no plain file is not waited for
            descriptor = os.open(self._root / place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return b""
        with os.fdopen(descriptor, "rb") as file:
            try:
                size_bytes = file.seek(0, os.SEEK_END)
                file.seek(max(0, size_bytes - _TAIL_BYTES))
                return file.read(_TAIL_BYTES)
            except OSError:
                return b""
