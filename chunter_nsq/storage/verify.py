"""Whether a backup is still what was stored: by looking at its objects, or by reading every byte of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from chunter_nsq.errors import ChecksumMismatch, Fault, StorageFailed
from chunter_nsq.storage.buffers import Buffers
from chunter_nsq.storage.conveyor import Conveyor
from chunter_nsq.storage.crew import Crew
from chunter_nsq.storage.download import Wanted
from chunter_nsq.storage.fetch import Piece, fetch, pieces
from chunter_nsq.storage.manifest import File, Manifest
from chunter_nsq.storage.state import Part
from chunter_nsq.storage.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one file; ``faults`` are as in an ``error``'s members: code, message, details."""

    key: str
    faults: tuple[dict[str, Any], ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not self.faults


def wanted(file: File) -> Wanted:
    """The file of a manifest, for a download."""
    return Wanted(file_pieces(file), file.codec, file.raw_size, file.raw_sha256, file.sha1)


def file_pieces(file: File) -> tuple[Piece, ...]:
    """Its parts, each with where it is."""
    rest = iter(file.parts)
    return pieces(
        (one.key, one.etag, [Part(part.size, part.md5, part.sha256) for part in islice(rest, one.parts)])
        for one in file.segments
    )


def verify_catalogue(transfer: Transfer, manifest: Manifest) -> tuple[Verdict, ...]:
    """Whether every object is there, with its size and ETag."""
    with transfer.stop.calling(transfer.bucket.hang_up):
        return tuple(Verdict(file.key, tuple(_missing(transfer, file))) for file in manifest.files)


def verify_hash(transfer: Transfer, manifest: Manifest, *, readers: int = 5) -> tuple[Verdict, ...]:
    """Whether every byte is what was stored: all damaged parts of all files are found."""
    return tuple(Verdict(file.key, _damaged(transfer, file, readers)) for file in manifest.files)


def _missing(transfer: Transfer, file: File) -> Iterator[dict[str, Any]]:
    for segment in file.segments:
        head = transfer.attempt(partial(transfer.bucket.head, segment.key), f"look at {segment.key}")
        details = {"key": segment.key}
        if head is None:
            yield StorageFailed(f"{segment.key} is gone", details).as_dict()
        elif head.size != segment.size:
            said = f"{segment.key} has {head.size} bytes instead of {segment.size}"
            yield ChecksumMismatch(said, details).as_dict()
        elif transfer.bucket.traits.etags and head.etag != segment.etag:
            said = f"{segment.key} is another object than the one that was stored: ETag {head.etag}"
            yield ChecksumMismatch(said, details).as_dict()


def _damaged(transfer: Transfer, file: File, readers: int) -> tuple[dict[str, Any], ...]:
    found = file_pieces(file)
    largest_bytes = max((piece.size for piece in found), default=0)
    verdicts: Conveyor[dict[str, Any] | None] = Conveyor(transfer.stop)
    floor = transfer.budget.lease(largest_bytes, transfer.stop)
    with transfer.stop.calling(transfer.bucket.hang_up), floor as lease, Crew(transfer.stop, "verify") as crew:
        get = crew.workers(readers, "get")
        buffers = Buffers(lease, largest_bytes, readers, transfer.stop)
        for piece in found:
            get(partial(_look, transfer, piece, buffers, verdicts.place()))
        verdicts.end()
        return tuple(each for each in verdicts if each is not None)


def _look(transfer: Transfer, piece: Piece, buffers: Buffers, deliver: Callable[[dict[str, Any] | None], None]) -> None:
    """Damage is what is looked for; a store that is away says nothing about the backup and ends the verification."""
    buffer = buffers.next()
    try:
        fetch(transfer, piece, memoryview(buffer)[: piece.size])
    except Fault as fault:
        if fault.transient or transfer.stop.is_set():
            raise
        deliver(fault.as_dict())
    else:
        deliver(None)
    buffers.give(buffer)
    transfer.meter.add(stored_bytes=piece.size)
