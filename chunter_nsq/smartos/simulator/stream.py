"""Replication streams: records as ZFS writes them, around content that is made up.

Theory: a stream is a BEGIN record, records with data, and an END record with a Fletcher-4 sum over everything before
it, so that tools which check streams find these whole. The data comes from a few blocks, half of them compressible,
whose sums are computed once and composed; so long streams cost little. The first data record carries what a receiver
here needs to know (sizes and properties) as JSON.

Not promised: that a real pool can receive one.
"""

from __future__ import annotations

import json
import random
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MAGIC = 0x2F5BACBAC
RECORD_BYTES = 312
BLOCK_BYTES = 128 * 1024
BEGIN, WRITE, END = 0, 3, 5
FILESYSTEM, VOLUME = 2, 3
MASK = 2**64 - 1
Sum = tuple[int, int, int, int]


class Broken(ValueError):
    """What was read is no whole stream."""


class Header:
    """What a stream says first: names, guids, kind, moment."""

    def __init__(self, toname: str, toguid: int, fromguid: int, kind: int, creation: int) -> None:
        self.toname = toname
        self.toguid = toguid
        self.fromguid = fromguid
        self.kind = kind
        self.creation = creation

    def record(self) -> bytes:
        """The BEGIN record."""
        body = struct.pack("<QQQIIQQ", MAGIC, 1, self.creation, self.kind, 0, self.toguid, self.fromguid)
        return _record(BEGIN, body + self.toname.encode()[:255])


def _record(kind: int, body: bytes) -> bytes:
    return (struct.pack("<II", kind, 0) + body).ljust(RECORD_BYTES, b"\0")


def fletcher4(data: bytes) -> Sum:
    """The sum of data whose length is a multiple of four."""
    a = b = c = d = 0
    for (word,) in struct.iter_unpack("<I", data):
        a += word
        b += a
        c += b
        d += c
    return a & MASK, b & MASK, c & MASK, d & MASK


def compose(left: Sum, right: Sum, words: int) -> Sum:
    """The sum of two pieces from the sums of each; ``words`` is the length of the right one in words of four bytes."""
    a, b, c, d = left
    two, three = words * (words + 1) // 2, words * (words + 1) * (words + 2) // 6
    return (
        (a + right[0]) & MASK,
        (b + words * a + right[1]) & MASK,
        (c + words * b + two * a + right[2]) & MASK,
        (d + words * c + two * b + three * a + right[3]) & MASK,
    )


def _palette() -> list[tuple[bytes, Sum]]:
    chance = random.Random(20)  # noqa: S311 - made-up content
    blocks = [chance.randbytes(BLOCK_BYTES) for _ in range(2)]
    blocks += [(chance.randbytes(97) * (BLOCK_BYTES // 97 + 1))[:BLOCK_BYTES] for _ in range(2)]
    return [(block, fletcher4(block)) for block in blocks]


def pieces(header: Header, facts: dict[str, Any], size_bytes: int) -> Iterator[bytes]:
    """The stream, piece by piece; its length is ``size_bytes`` rounded up to whole blocks, and records."""
    total: Sum = (0, 0, 0, 0)
    first = header.record()
    total = compose(total, fletcher4(first), len(first) // 4)
    yield first
    text = json.dumps(facts).encode()
    text = text.ljust(-(-len(text) // 512) * 512)
    for at in range(0, len(text), BLOCK_BYTES):
        part = text[at : at + BLOCK_BYTES]
        opening = _write_record(1, at, len(part), header.toguid) + part
        total = compose(total, fletcher4(opening), len(opening) // 4)
        yield opening
    palette = _palette() if size_bytes else []
    for number in range(-(-size_bytes // BLOCK_BYTES)):
        block, known = palette[(header.toguid >> (number % 61)) % len(palette)]
        head = _write_record(2, number * BLOCK_BYTES, BLOCK_BYTES, header.toguid)
        total = compose(total, fletcher4(head), RECORD_BYTES // 4)
        total = compose(total, known, BLOCK_BYTES // 4)
        yield head + block
    yield _record(END, struct.pack("<QQQQQ", *total, header.toguid))


def _write_record(number: int, offset: int, length: int, toguid: int) -> bytes:
    return _record(WRITE, struct.pack("<QIIQQQ", number, 19, 0, offset, length, toguid))


def read_stream(read: Callable[[int], bytes]) -> tuple[Header, dict[str, Any], int]:
    """Read a whole stream: its header, the facts it carries and its length in bytes.

    Raises:
        Broken: it is none, or not whole.
    """
    start = read(1)
    if not start:
        raise Broken("nothing to read")
    first = start + _exactly(read, RECORD_BYTES - 1)
    kind, _ = struct.unpack_from("<II", first)
    magic, _, creation, objset, _, toguid, fromguid = struct.unpack_from("<QQQIIQQ", first, 8)
    if kind != BEGIN or magic != MAGIC:
        raise Broken("bad magic number")
    header = Header(first[56:].partition(b"\0")[0].decode("utf-8", "replace"), toguid, fromguid, objset, creation)
    told = b""
    length = RECORD_BYTES
    total, known = fletcher4(first), dict(_palette())
    while True:
        record = _exactly(read, RECORD_BYTES)
        length += RECORD_BYTES
        kind = struct.unpack_from("<I", record)[0]
        if kind == END:
            if struct.unpack_from("<QQQQQ", record, 8) != (*total, toguid):
                raise Broken("checksum mismatch")
            return header, json.loads(told or b"{}"), length
        total = compose(total, fletcher4(record), RECORD_BYTES // 4)
        if kind != WRITE:
            raise Broken("unknown record")
        number, _, _, _, size, guid = struct.unpack_from("<QIIQQQ", record, 8)
        if guid != toguid or size > BLOCK_BYTES or size % 4:
            raise Broken("record of another stream")
        content = _exactly(read, size)
        length += size
        total = compose(total, known.get(content) or fletcher4(content), size // 4)
        if number == 1:
            told += content


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = read(size - len(found))
        if not piece:
            raise Broken("truncated")
        found += piece
    return found
