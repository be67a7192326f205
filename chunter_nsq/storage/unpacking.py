"""Parts into raw blocks: fetched side by side, cut into packed blocks, unpacked by several threads, in order."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from chunter_nsq.storage.budget import Budget, Lease
from chunter_nsq.storage.buffers import Buffers
from chunter_nsq.storage.compress import Codec
from chunter_nsq.storage.conveyor import Conveyor
from chunter_nsq.storage.crew import Crew
from chunter_nsq.storage.fetch import Piece, fetch
from chunter_nsq.storage.inflate import Cutter, Decoder, reader
from chunter_nsq.storage.profiles import MIB
from chunter_nsq.storage.transfer import Transfer

WINDOW_BYTES = 16 * MIB

Give = Callable[[Callable[[], None]], None]


class Block(NamedTuple):
    """Raw bytes, and how many stored ones they were; ``resumable`` when the stream can be read from its end on."""

    raw: bytes
    stored_bytes: int
    resumable: bool


class _Held:
    """A part in memory, given back when the last of those who look at it is done."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back = give_back
        self._lock = threading.Lock()
        self._users = 1

    def share(self) -> None:
        """One more looks at it."""
        with self._lock:
            self._users += 1

    def done(self) -> None:
        """One fewer does."""
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            self._give_back()


class Unpacking:
    """``blocks`` are for one thread to iterate, which calls ``written`` for each; ``run`` is another's.

    ``size`` and ``sha1`` are of what was read from the store.
    """

    def __init__(self, transfer: Transfer, lease: Lease, pieces: Sequence[Piece], codec: str | None) -> None:
        self.blocks: Conveyor[Block] = Conveyor(transfer.stop)
        self.size = 0
        self._transfer = transfer
        self._lease = lease
        self._pieces = pieces
        self._codec = codec
        self._parts: Conveyor[tuple[memoryview, _Held]] = Conveyor(transfer.stop)
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._vouched = bool(pieces) and all(piece.sha256 for piece in pieces)
        self._room = Budget(WINDOW_BYTES).lease(WINDOW_BYTES, transfer.stop)
        self._window: Lease | None = None

    @property
    def sha1(self) -> str:
        """Hex; empty when the parts have hashes of their own, which were compared."""
        return "" if self._vouched else self._sha1.hexdigest()

    def run(self, skip_bytes: int, crew: Crew, readers: int, ahead: int) -> None:
        """Read all pieces, but not that many bytes of the first one, and unpack them.

        ``ahead`` are read before they are wanted, beyond those that are being read.
        """
        get = crew.workers(readers, "get")
        unpack = crew.workers(os.cpu_count() or 1, "unpack")
        reading: Cutter | Decoder | None = None
        packer: Codec | None = None
        with self._room as self._window:
            crew.thread(partial(self._ask, readers + ahead, get), "ask")
            for content, held in self._parts:
                data = content[skip_bytes:]
                skip_bytes = 0
                if reading is None or packer is None:
                    packer, reading = reader(data, self._codec)
                if isinstance(reading, Cutter):
                    self._cut(packer, reading, data, held, unpack)
                else:
                    self._decode(reading, data)
                held.done()
            if reading is not None:
                reading.end()
            self.blocks.end()

    def written(self, size_bytes: int) -> None:
        """So many raw bytes are not held any more."""
        if self._window is not None:
            self._window.give(size_bytes)

    def _ask(self, most: int, get: Give) -> None:
        """Hand out reads in order, as far as memory allows."""
        largest_bytes = max((piece.size for piece in self._pieces), default=0)
        buffers = Buffers(self._lease, largest_bytes, most, self._transfer.stop)
        for piece in self._pieces:
            get(partial(self._fetch, piece, buffers.next(), buffers, self._parts.place()))
        self._parts.end()

    def _fetch(
        self, piece: Piece, buffer: bytearray, buffers: Buffers, deliver: Callable[[tuple[memoryview, _Held]], None]
    ) -> None:
        content = memoryview(buffer)[: piece.size]
        fetch(self._transfer, piece, content)
        self._transfer.meter.add(stored_bytes=piece.size)
        deliver((content, _Held(partial(buffers.give, buffer))))

    def _cut(self, packer: Codec, cutter: Cutter, data: memoryview, held: _Held, unpack: Give) -> None:
        self._count(data)
        for packed, raw_bytes in cutter.feed(data):
            self._take(raw_bytes)
            held.share()
            unpack(partial(self._unpack, packer, packed, raw_bytes, held, self.blocks.place()))

    def _unpack(
        self, packer: Codec, packed: bytes | memoryview, raw_bytes: int, held: _Held, deliver: Callable[[Block], None]
    ) -> None:
        raw = packer.unpacked(packed, raw_bytes)
        size = len(packed)
        del packed
        held.done()
        deliver(Block(raw, size, resumable=True))

    def _decode(self, decoder: Decoder, data: memoryview) -> None:
        self._count(data)
        for raw in decoder.feed(data):
            self._take(len(raw))
            self.blocks.place()(Block(raw, 0, resumable=False))

    def _count(self, data: memoryview) -> None:
        self.size += len(data)
        if not self._vouched:
            self._sha1.update(data)

    def _take(self, raw_bytes: int) -> None:
        if self._window is not None:
            self._window.take(raw_bytes)
