"""What must be remembered of an upload to go on with it after a crash, or to clean up behind it, as frozen values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """One part as the store has it; hashes in lower-case hex, of the stored bytes."""

    size: int
    md5: str
    sha256: str
    etag: str = ""

    def same_bytes(self, other: Part) -> bool:
        """Whether both are of the same bytes, as far as both know."""
        known = not (self.sha256 and other.sha256) or self.sha256 == other.sha256
        return known and (self.size, self.md5) == (other.size, other.md5)


@dataclass(frozen=True, slots=True)
class Segment:
    """One object of the store, in parts numbered from 1; ``etag`` is set when it is complete."""

    key: str
    upload_id: str
    parts: Mapping[int, Part] = field(default_factory=dict)
    etag: str = ""

    @property
    def size(self) -> int:
        """Bytes in the parts known."""
        return sum(part.size for part in self.parts.values())

    def multipart_etag(self) -> str:
        """What most stores call the whole: the MD5 of the MD5s, a dash, how many."""
        joined = b"".join(bytes.fromhex(self.parts[number].md5) for number in sorted(self.parts))
        return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(self.parts)}"


@dataclass(frozen=True, slots=True)
class UploadState:
    """An upload of one stream to ``key``; the same stream packed by ``engine`` makes the same parts again.

    ``beginning`` is the key of an object that was about to be begun: the store may have begun it, under an id that
    nobody heard.
    """

    key: str
    codec: str
    engine: str
    part_bytes: int
    block_bytes: int
    segment_parts: int
    segments: tuple[Segment, ...] = ()
    beginning: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it can be in the store."""
        return not (self.segments or self.beginning)

    def as_dict(self) -> dict[str, Any]:
        """JSON for a journal; no secrets in it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> UploadState:
        """Out of ``as_dict``, also when it went through JSON."""
        segments = tuple(_segment(one) for one in given["segments"])
        return cls(**{**given, "segments": segments})


def _segment(given: Mapping[str, Any]) -> Segment:
    parts = {int(number): Part(**part) for number, part in given["parts"].items()}
    return Segment(given["key"], given["upload_id"], parts, given["etag"])
