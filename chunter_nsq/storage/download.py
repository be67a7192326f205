"""A stream out of the store: parts read side by side, verified, unpacked by all cores, written in order.

Responsibilities: no byte of a part reaches the consumer before the whole part was verified; memory within the budget,
however slow the consumer; streams that others packed (one gzip member, none of our lengths in it) are read as well.

Theory: one thread asks the budget and hands out reads in order; readers fetch and verify; this thread cuts what comes
into packed blocks; unpackers unpack them; one thread writes. A consumer is never told that the stream has ended when it
has not: descriptors are the caller's to close, after this returned well.

Not promised: for a stream of which only the SHA-1 of the whole is known, that is compared at its end; until then the
consumer has seen bytes that nobody vouched for.
"""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from chunter_nsq.errors import ChecksumMismatch
from chunter_nsq.storage.crew import Crew
from chunter_nsq.storage.fetch import Piece
from chunter_nsq.storage.pipes import Consumer, Writer
from chunter_nsq.storage.sizing import Reads
from chunter_nsq.storage.transfer import Transfer
from chunter_nsq.storage.unpacking import WINDOW_BYTES, Block, Unpacking

_USUAL = Reads()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file in the store; hashes in hex, empty when unknown; ``codec`` None is found out from the first bytes."""

    pieces: Sequence[Piece]
    codec: str | None = None
    raw_size: int | None = None
    raw_sha256: str = ""
    sha1: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the stream to go on from: so many bytes of what is stored have become so many raw ones."""

    stored_bytes: int = 0
    raw_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What the consumer got; ``raw_sha256`` is of what was written by this run."""

    size: int
    raw_size: int
    raw_sha256: str


class Download:
    """One stream out of the store; used once.

    ``begin`` is where an earlier run of it ended: the consumer has the raw bytes up to there and gets those that
    follow. ``keep`` is called with such marks every ``keep_seconds``; what they count was written.
    """

    def __init__(
        self,
        transfer: Transfer,
        wanted: Wanted,
        *,
        reads: Reads = _USUAL,
        begin: Mark | None = None,
        keep: Callable[[Mark], None] | None = None,
        keep_seconds: float = 5.0,
    ) -> None:
        self._transfer = transfer
        self._wanted = wanted
        self._reads = reads
        self._begin = begin or Mark()
        self._keep = keep
        self._keep_seconds = keep_seconds
        self._kept_at = time.monotonic()
        self._raw = hashlib.sha256()
        self._mark = Mark()

    def run(self, sink: int | Writer) -> Downloaded:
        """Move the stream; blocks until the consumer has taken all of it, but does not close it.

        Raises:
            ChecksumMismatch: a part or the whole is not what was stored; details say which.
            StorageFailed: something is gone, the store was away too long, or the consumer went away.
            Cancelled: it was stopped.
        """
        transfer = self._transfer
        first, skip = self._start()
        self._mark = self._begin
        pieces = self._wanted.pieces[first:]
        largest_bytes = max((piece.size for piece in pieces), default=0)
        floor = transfer.budget.lease(largest_bytes + WINDOW_BYTES, transfer.stop)
        with transfer.stop.calling(transfer.bucket.hang_up), floor as lease, Crew(transfer.stop, "download") as crew:
            lease.take(WINDOW_BYTES)
            unpacking = Unpacking(transfer, lease, pieces, self._wanted.codec)
            crew.thread(lambda: self._write(unpacking, sink), "write")
            unpacking.run(skip, crew, self._reads.readers, self._reads.ahead)
        self._check(unpacking)
        return Downloaded(unpacking.size, self._mark.raw_bytes, self._raw.hexdigest())

    def _start(self) -> tuple[int, int]:
        """The piece in which the mark lies, and how far into it; streams of others begin at their beginning."""
        ends = list(accumulate(piece.size for piece in self._wanted.pieces))
        index = bisect_right(ends, self._begin.stored_bytes)
        before = ends[index - 1] if index else 0
        return index, self._begin.stored_bytes - before

    def _write(self, unpacking: Unpacking, sink: int | Writer) -> None:
        consumer = Consumer(sink, self._transfer.stop)
        for block in unpacking.blocks:
            self._raw.update(block.raw)
            consumer.write(block.raw)
            size = len(block.raw)
            self._mark = Mark(self._mark.stored_bytes + block.stored_bytes, self._mark.raw_bytes + size)
            unpacking.written(size)
            self._transfer.meter.add(raw_bytes=size)
            self._tell(block)

    def _tell(self, block: Block) -> None:
        if self._keep is not None and block.resumable and time.monotonic() - self._kept_at >= self._keep_seconds:
            self._kept_at = time.monotonic()
            self._keep(self._mark)

    def _check(self, unpacking: Unpacking) -> None:
        wanted, key = self._wanted, self._wanted.pieces[0].key if self._wanted.pieces else ""
        whole = self._begin == Mark()
        faults = []
        if wanted.raw_size is not None and wanted.raw_size != self._mark.raw_bytes:
            faults.append(f"{self._mark.raw_bytes} bytes instead of {wanted.raw_size}")
        if whole and wanted.raw_sha256 and wanted.raw_sha256 != self._raw.hexdigest():
            faults.append(f"SHA-256 of the stream {self._raw.hexdigest()} instead of {wanted.raw_sha256}")
        if whole and wanted.sha1 and unpacking.sha1 and wanted.sha1.lower() != unpacking.sha1:
            faults.append(f"SHA-1 {unpacking.sha1} instead of {wanted.sha1}")
        if faults:
            raise ChecksumMismatch(f"{key} is not what was stored: {', '.join(faults)}", {"key": key, "faults": faults})
