"""The configuration of zones as the platform keeps it: ``etc/zones/<uuid>.xml`` and a line in ``etc/zones/index``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path

from chunter_nsq.smartos.names import checked_uuid

_INDEX = "etc/zones/index"
_MODE = 0o644


class ZoneFiles:
    """Files below a platform root; each is replaced whole, never half-written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def read(self, uuid: str) -> bytes | None:
        """The XML of a zone; None when this host has none."""
        return await asyncio.to_thread(_read, self._xml(uuid))

    async def write(self, uuid: str, document: bytes) -> None:
        """Put the XML of a zone in place."""
        await asyncio.to_thread(_replace, self._xml(uuid), document)

    async def remove(self, uuid: str) -> None:
        """Take the XML of a zone away; gone is success."""
        await asyncio.to_thread(self._xml(uuid).unlink, missing_ok=True)

    async def is_listed(self, uuid: str) -> bool:
        """Whether the index has the zone."""
        lines = (await asyncio.to_thread(_read, self._root / _INDEX) or b"").decode(errors="replace").splitlines()
        return any(line.startswith(f"{checked_uuid(uuid)}:") for line in lines)

    async def enlist(self, uuid: str) -> None:
        """Have the index say that the zone is installed. Nobody else may change the index meanwhile."""
        await asyncio.to_thread(self._enlist, checked_uuid(uuid))

    async def strike(self, uuid: str) -> None:
        """Take the zone out of the index. Nobody else may change the index meanwhile."""
        await asyncio.to_thread(self._strike, checked_uuid(uuid))

    def _enlist(self, uuid: str) -> None:
        lines = self._lines_without(uuid)
        line = f"{uuid}:installed:/zones/{uuid}:{uuid}"
        _replace(self._root / _INDEX, "".join(f"{one}\n" for one in [*lines, line]).encode(errors="surrogateescape"))

    def _strike(self, uuid: str) -> None:
        lines = self._lines_without(uuid)
        _replace(self._root / _INDEX, "".join(f"{one}\n" for one in lines).encode(errors="surrogateescape"))

    def _lines_without(self, uuid: str) -> list[str]:
        text = (_read(self._root / _INDEX) or b"").decode(errors="surrogateescape")
        return [line for line in text.splitlines() if not line.startswith(f"{uuid}:")]

    def _xml(self, uuid: str) -> Path:
        return self._root / "etc" / "zones" / f"{checked_uuid(uuid)}.xml"


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, content: bytes) -> None:
    """On disk under another name first, then in place at once."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".chunter-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        other = Path(name)
        other.chmod(_MODE)
        other.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
