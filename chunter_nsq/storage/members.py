"""Blocks of a stream as gzip members: any gunzip reads them one after the other, we read them side by side.

Theory: each block becomes one member of its own. An extra field of its header (RFC 1952, 2.3.1.1) holds the length
of the member and of what is in it, so that a reader can cut the members apart without inflating them. Within a member,
what does not shrink is stored: a sample of each 64 KiB says whether deflating it would be worth the while, which is
most of the time of a backup. Stored blocks are written by hand between byte-aligned deflate blocks (full flush: nothing
after it refers to anything before), at the speed of copying.

Not promised: the last percent of compression; a block whose sample misleads is deflated or stored in vain.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

from chunter_nsq.errors import ChecksumMismatch

_HEAD = struct.Struct("<4sIBBHBBHII")
HEAD_BYTES = _HEAD.size
_MAGIC = b"\x1f\x8b\x08\x04"  # gzip, deflate, an extra field
_UNKNOWN_SYSTEM = 255
_SUBFIELD = (ord("C"), ord("N"), 8)
_EXTRA_BYTES = 12
_TAIL = struct.Struct("<II")
_RAW_DEFLATE = -15
_GZIP = 31
_LAST_BLOCK = b"\x03\x00"  # a final deflate block with nothing in it
_STORED = struct.Struct("<BHH")
_STORED_BYTES = 65535
_STEP_BYTES = 64 * 1024
_SAMPLE_BYTES = 1024
_WORTH_BYTES = _SAMPLE_BYTES * 97 // 100
_SAMPLE_WINDOW, _SAMPLE_MEMORY = -13, 6  # a sample fits in, and less is made ready than for a block
_VALUES = bytes(range(256))
_ABSENT_VALUES = 128  # the others take seven bits each, whatever their order
_LONGEST_RAW_BYTES = 64 * 2**20

Run = tuple[int, int, bool]


def packed(block: memoryview, level: int, deflate: Any = zlib) -> bytes:
    """One member with all of ``block``; ``deflate`` is zlib or a module with the same functions."""
    pieces = [b"", *_deflated(block, level, deflate), _LAST_BLOCK, _TAIL.pack(zlib.crc32(block), len(block))]
    size = HEAD_BYTES + sum(map(len, pieces))
    pieces[0] = _HEAD.pack(_MAGIC, 0, 0, _UNKNOWN_SYSTEM, _EXTRA_BYTES, *_SUBFIELD, size, len(block))
    return b"".join(pieces)


def measured(head: bytes | memoryview) -> tuple[int, int] | None:
    """Length of the member that begins so, and of what is in it; None when it is not one of ours."""
    if len(head) < HEAD_BYTES:
        return None
    magic, _time, _flags, _system, extra, *subfield, size, raw = _HEAD.unpack_from(head)
    ours = magic == _MAGIC and extra == _EXTRA_BYTES and tuple(subfield) == _SUBFIELD
    return (size, raw) if ours and size > HEAD_BYTES and raw <= _LONGEST_RAW_BYTES else None


def unpacked(member: bytes | memoryview, raw_bytes: int, inflate: Any = zlib) -> bytes:
    """What is in a member. Raises ChecksumMismatch when it is damaged."""
    try:
        raw: bytes = inflate.decompress(member, wbits=_GZIP, bufsize=max(raw_bytes, 1))
    except (zlib.error, getattr(inflate, "error", zlib.error)) as damaged:
        raise ChecksumMismatch(f"a gzip member is damaged: {damaged}") from damaged
    if len(raw) != raw_bytes:
        raise ChecksumMismatch(f"a gzip member holds {len(raw)} bytes instead of {raw_bytes}")
    return raw


def _deflated(block: memoryview, level: int, deflate: Any) -> Iterator[bytes | memoryview]:
    compressor = None
    for begin, end, shrinks in _runs(block, deflate):
        if not shrinks:
            yield from _stored(block[begin:end])
            continue
        if compressor is None:
            compressor = deflate.compressobj(level, zlib.DEFLATED, _RAW_DEFLATE)
        yield compressor.compress(block[begin:end])
        yield compressor.flush(deflate.Z_FULL_FLUSH)


def _stored(run: memoryview) -> Iterator[bytes | memoryview]:
    for begin in range(0, len(run), _STORED_BYTES):
        piece = run[begin : begin + _STORED_BYTES]
        yield _STORED.pack(0, len(piece), len(piece) ^ 0xFFFF)
        yield piece


def _runs(block: memoryview, deflate: Any) -> Iterator[Run]:
    """Neighbouring steps of the same kind together."""
    start, kind = 0, _shrinks(block[:_STEP_BYTES], deflate)
    for begin in range(_STEP_BYTES, len(block), _STEP_BYTES):
        shrinks = _shrinks(block[begin : begin + _STEP_BYTES], deflate)
        if shrinks != kind:
            yield start, begin, kind
            start, kind = begin, shrinks
    if len(block):
        yield start, len(block), kind


def _shrinks(step: memoryview, deflate: Any) -> bool:
    if len(step) <= _SAMPLE_BYTES:
        return True
    middle = (len(step) - _SAMPLE_BYTES) // 2
    sample = bytes(step[middle : middle + _SAMPLE_BYTES])
    if len(_VALUES.translate(None, sample)) >= _ABSENT_VALUES:
        return True
    compressor = deflate.compressobj(1, zlib.DEFLATED, _SAMPLE_WINDOW, _SAMPLE_MEMORY)
    return len(compressor.compress(sample)) + len(compressor.flush()) < _WORTH_BYTES
