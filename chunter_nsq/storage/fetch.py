"""Parts out of the store, each compared with what was stored before anybody sees a byte of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from chunter_nsq.errors import ChecksumMismatch, StorageFailed
from chunter_nsq.storage.faults import unreachable
from chunter_nsq.storage.state import Part
from chunter_nsq.storage.transfer import Transfer

log = logging.getLogger(__name__)

_READ_BYTES = 2**20
_TRIES = 2  # a line or memory may err; what is read wrong twice is damaged
_REPLACED_STATUS = 412


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an object from ``first`` on; ``number`` counts from 1 within the file, hashes are empty when unknown."""

    key: str
    number: int
    first: int
    size: int
    md5: str = ""
    sha256: str = ""
    etag: str = ""


def pieces(objects: Iterable[tuple[str, str, Iterable[Part]]]) -> tuple[Piece, ...]:
    """The parts of a file that is stored as these objects: key, ETag, parts in order."""
    found: list[Piece] = []
    for key, etag, parts in objects:
        first = 0
        for part in parts:
            found.append(Piece(key, len(found) + 1, first, part.size, part.md5, part.sha256, etag))
            first += part.size
    return tuple(found)


def slices(key: str, size: int, piece_bytes: int, etag: str = "") -> tuple[Piece, ...]:
    """The pieces of an object of which nothing but the size is known."""
    firsts = range(0, size, piece_bytes)
    return tuple(
        Piece(key, number, first, min(piece_bytes, size - first), etag=etag)
        for number, first in enumerate(firsts, start=1)
    )


def fetch(transfer: Transfer, piece: Piece, content: memoryview) -> None:
    """Fill ``content`` with a piece; what broke off is gone on with, what is damaged is read once more.

    Raises:
        ChecksumMismatch: it is not what was stored; details: key, part, first_byte, last_byte, expected, found.
        StorageFailed: it is gone, or the store was away for longer than patience lasts.
    """
    found = ""
    for _ in range(_TRIES):
        _read(transfer, piece, content)
        found = _difference(piece, content)
        if not found:
            return
        log.warning("storage.part_differs", extra={"key": piece.key, "part": piece.number, "found": found})
    last = piece.first + piece.size - 1
    raise ChecksumMismatch(
        f"part {piece.number} of {piece.key} (bytes {piece.first} to {last}) is damaged in the store",
        {
            "key": piece.key,
            "part": piece.number,
            "first_byte": piece.first,
            "last_byte": last,
            "expected": piece.sha256 or piece.md5,
            "found": found,
        },
    )


def _read(transfer: Transfer, piece: Piece, content: memoryview) -> None:
    filled = 0
    what = f"read part {piece.number} of {piece.key}"

    def once() -> None:
        nonlocal filled
        asked = piece.key, piece.first + filled, piece.size - filled, piece.etag
        with transfer.downloads.turn(transfer.stop), transfer.bucket.opened(*asked) as stream:
            while filled < piece.size:
                chunk = stream.read(min(_READ_BYTES, piece.size - filled))
                if not chunk:
                    raise unreachable(what, f"it broke off after {filled} of {piece.size} bytes")
                content[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
                transfer.pay(len(chunk))

    try:
        transfer.attempt(once, what)
    except StorageFailed as fault:
        if fault.details.get("status") != _REPLACED_STATUS:
            raise
        said = {"key": piece.key, "part": piece.number, "expected": piece.etag}
        raise ChecksumMismatch(f"{piece.key} is another object than the one that was stored", said) from fault


def _difference(piece: Piece, content: memoryview) -> str:
    """The hash that is found instead of the one expected; nothing when they agree."""
    if piece.sha256:
        found = hashlib.sha256(content).hexdigest()
        return "" if found == piece.sha256 else found
    if piece.md5:
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return "" if found == piece.md5 else found
    return ""
