"""A raw stream into packed blocks: one thread reads and hashes, several pack, and they come out in order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, SimpleQueue

from chunter_nsq.errors import StorageFailed
from chunter_nsq.storage.budget import Budget, Lease
from chunter_nsq.storage.compress import Codec
from chunter_nsq.storage.conveyor import Conveyor
from chunter_nsq.storage.crew import Crew
from chunter_nsq.storage.pipes import Producer, Reader
from chunter_nsq.storage.sizing import Sizes
from chunter_nsq.storage.transfer import Transfer

_AHEAD = 3  # blocks under way between reader and taker, for each packer


class Packing:
    """``raw_bytes`` and ``raw_sha256`` are those of the whole stream once all blocks were taken.

    A block counts against the lease from before it is read until the next one is asked for.
    """

    def __init__(self, transfer: Transfer, lease: Lease, packer: Codec, sizes: Sizes) -> None:
        self.raw_bytes = 0
        self._hash = hashlib.sha256()
        self._transfer = transfer
        self._lease = lease
        self._packer = packer
        self._sizes = sizes
        self._spare: SimpleQueue[bytearray] = SimpleQueue()
        self._packed: Conveyor[tuple[bytes, int]] = Conveyor(transfer.stop)

    @property
    def raw_sha256(self) -> str:
        """Hex."""
        return self._hash.hexdigest()

    def blocks(self, source: int | Reader, crew: Crew) -> Iterator[bytes]:
        """Packed blocks in order. Raises StorageFailed when there is nothing at all to read."""
        window_bytes = self._sizes.packers * _AHEAD * self._sizes.block_bytes
        with Budget(window_bytes).lease(window_bytes, self._transfer.stop) as window:
            give = crew.workers(self._sizes.packers, "pack")
            crew.thread(lambda: self._read(source, window, give), "read")
            for packed, held_bytes in self._packed:
                yield packed
                self._lease.give(held_bytes)
                window.give(self._sizes.block_bytes)
        if not self.raw_bytes:
            raise StorageFailed("the stream is empty: what should have made it made nothing", {"reason": "empty"})

    def _read(self, source: int | Reader, window: Lease, give: Callable[[Callable[[], None]], None]) -> None:
        producer = Producer(source, self._transfer.stop)
        size = self._sizes.block_bytes
        read_bytes = size
        while read_bytes == size:
            window.take(size)
            self._lease.take(size)
            block = self._blank()
            read_bytes = producer.fill(memoryview(block))
            if read_bytes:
                self._hash.update(memoryview(block)[:read_bytes])
                self.raw_bytes += read_bytes
                give(partial(self._pack, block, read_bytes, self._packed.place()))
        self._packed.end()

    def _pack(self, block: bytearray, read_bytes: int, deliver: Callable[[tuple[bytes, int]], None]) -> None:
        with memoryview(block)[:read_bytes] as raw:
            packed = self._packer.packed(raw)
        self._spare.put(block)
        self._transfer.meter.add(raw_bytes=read_bytes)
        deliver((packed, len(block)))

    def _blank(self) -> bytearray:
        try:
            return self._spare.get_nowait()
        except Empty:
            return bytearray(self._sizes.block_bytes)
