"""How blocks of a stream are made smaller: gzip everywhere, zstd where a module for it is installed, or not at all.

A codec turns one block into bytes that stand on their own, the same every time for the same engine; so a transfer that
is resumed makes the same parts again.
"""

from __future__ import annotations

import importlib
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from chunter_nsq.errors import ChecksumMismatch, Unsupported
from chunter_nsq.storage import members

GZIP_LEVEL = 1
ZSTD_LEVEL = 1
_SKIPPABLE = struct.Struct("<IIII")
_SKIPPABLE_MAGIC = 0x184D2A5C  # a frame that zstd skips; in it the lengths of the frame that follows
_SKIPPABLE_SIZE = 8
_LONGEST_RAW_BYTES = 64 * 2**20


class Codec(Protocol):
    """``name`` is what a manifest says; ``engine`` also tells what exactly makes the bytes."""

    @property
    def name(self) -> str:
        """As in a manifest."""

    @property
    def engine(self) -> str:
        """As in the state of a transfer."""

    @property
    def head_bytes(self) -> int:
        """How much ``measured`` wants to see; 0 when blocks cannot be told apart."""

    def packed(self, block: memoryview) -> bytes:
        """A block, on its own."""

    def measured(self, head: bytes | memoryview) -> tuple[int, int] | None:
        """Length of the packed block that begins so, and of what is in it; None when it was packed by others."""

    def unpacked(self, packed: bytes | memoryview, raw_bytes: int) -> bytes:
        """The block again. Raises ChecksumMismatch when it is damaged."""


@dataclass(frozen=True, slots=True)
class Gzip:
    """``module`` has the functions of zlib."""

    module: Any
    engine: str
    name: str = "gzip"
    head_bytes: int = members.HEAD_BYTES

    def packed(self, block: memoryview) -> bytes:
        """One gzip member."""
        return members.packed(block, GZIP_LEVEL, self.module)

    def measured(self, head: bytes | memoryview) -> tuple[int, int] | None:
        """From the extra field."""
        return members.measured(head)

    def unpacked(self, packed: bytes | memoryview, raw_bytes: int) -> bytes:
        """Out of one gzip member."""
        return members.unpacked(packed, raw_bytes, self.module)


@dataclass(frozen=True, slots=True)
class Zstd:
    """One zstd frame a block, and before it a frame that readers skip, with the lengths of both."""

    module: Any
    engine: str
    name: str = "zstd"
    head_bytes: int = _SKIPPABLE.size

    def packed(self, block: memoryview) -> bytes:
        """Two zstd frames."""
        frame: bytes = self.module.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(block)
        return _SKIPPABLE.pack(_SKIPPABLE_MAGIC, _SKIPPABLE_SIZE, len(frame), len(block)) + frame

    def measured(self, head: bytes | memoryview) -> tuple[int, int] | None:
        """From the frame that readers skip."""
        if len(head) < _SKIPPABLE.size:
            return None
        magic, size, frame, raw = _SKIPPABLE.unpack_from(head)
        ours = magic == _SKIPPABLE_MAGIC and size == _SKIPPABLE_SIZE and raw <= _LONGEST_RAW_BYTES
        return (_SKIPPABLE.size + frame, raw) if ours else None

    def unpacked(self, packed: bytes | memoryview, raw_bytes: int) -> bytes:
        """Out of the frame after the one that is skipped."""
        frame = memoryview(packed)[_SKIPPABLE.size :]
        try:
            raw: bytes = self.module.ZstdDecompressor().decompress(frame, max_output_size=max(raw_bytes, 1))
        except self.module.ZstdError as damaged:
            raise ChecksumMismatch(f"a zstd frame is damaged: {damaged}") from damaged
        if len(raw) != raw_bytes:
            raise ChecksumMismatch(f"a zstd frame holds {len(raw)} bytes instead of {raw_bytes}")
        return raw


@dataclass(frozen=True, slots=True)
class Plain:
    """As it is: for streams that are compressed already."""

    name: str = "none"
    engine: str = "none"
    head_bytes: int = 0

    def packed(self, block: memoryview) -> bytes:
        """A copy."""
        return bytes(block)

    def measured(self, head: bytes | memoryview) -> tuple[int, int] | None:
        """Nothing tells one block from the next."""
        del head
        return None

    def unpacked(self, packed: bytes | memoryview, raw_bytes: int) -> bytes:
        """A copy."""
        del raw_bytes
        return bytes(packed)


def codec(name: str, engine: str | None = None) -> Codec:
    """The codec for ``auto``, ``gzip``, ``zstd`` or ``none``; ``engine`` insists on the one that made earlier parts.

    Raises:
        Unsupported: what it needs is not installed here, or is another version than that.
    """
    made: Codec | None = Plain() if name == "none" else _zstd() if name == "zstd" else _gzip(engine)
    if made is None:
        raise Unsupported("zstd is not available: install zstandard, or choose gzip (backup_compression)")
    if engine is not None and made.engine != engine:
        raise Unsupported(f"the transfer was begun with {engine}; here is {made.engine}", {"engine": made.engine})
    return made


def recognised(beginning: bytes | memoryview) -> str:
    """The name of the codec by the first bytes of what is stored."""
    start = bytes(beginning[:4])
    if start[:2] == b"\x1f\x8b":
        return "gzip"
    if start == b"\x28\xb5\x2f\xfd" or (start[1:] == b"\x2a\x4d\x18" and start[0] >> 4 == 5):  # noqa: PLR2004 - RFC 8878
        return "zstd"
    return "none"


def _gzip(engine: str | None) -> Gzip:
    plain = Gzip(zlib, f"zlib {zlib.ZLIB_RUNTIME_VERSION} level {GZIP_LEVEL}")
    if engine == plain.engine:
        return plain
    module = _module("isal.isal_zlib")
    return plain if module is None else Gzip(module, f"isal {importlib.import_module('isal').__version__}")


def _zstd() -> Zstd | None:
    module = _module("zstandard")
    return None if module is None else Zstd(module, f"zstandard {module.__version__} level {ZSTD_LEVEL}")


@cache
def _module(name: str) -> Any:
    """An optional module that only makes things faster; None when it is not there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
