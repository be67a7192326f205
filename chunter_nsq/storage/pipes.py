"""Blocks out of a producer and into a consumer, never stuck: whoever waits there hears a stop."""

from __future__ import annotations

import fcntl
import os
import select
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from chunter_nsq.errors import StorageFailed
from chunter_nsq.storage.stop import Stop

_PIPE_BYTES = 2**20
_WRITE_BYTES = 2**20


class Reader(Protocol):
    """A binary file that is not a descriptor."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer from the front; 0 at the end."""


class Writer(Protocol):
    """A binary file that is not a descriptor."""

    def write(self, data: memoryview, /) -> int | None:
        """Take bytes; how many."""


class Producer:
    """Whole blocks out of a descriptor, which becomes non-blocking, or of a binary file; it closes neither."""

    def __init__(self, source: int | Reader, stop: Stop) -> None:
        self._source = source
        self._stop = stop
        if isinstance(source, int):
            _widen(source)
            self._poll = _polling(source, select.POLLIN, stop)

    def fill(self, block: memoryview) -> int:
        """Bytes read; fewer than the block holds only at the end of the stream."""
        filled = 0
        while filled < len(block):
            self._stop.check()
            count = self._read(block[filled:])
            if count == 0:
                break
            filled += count
        return filled

    def _read(self, room: memoryview) -> int:
        if not isinstance(self._source, int):
            return self._source.readinto(room) or 0
        while True:
            self._poll.poll()
            self._stop.check()
            with suppress(BlockingIOError):
                return os.readv(self._source, [room])


class Consumer:
    """Everything into a descriptor, which becomes non-blocking, or a binary file; it closes neither."""

    def __init__(self, sink: int | Writer, stop: Stop) -> None:
        self._sink = sink
        self._stop = stop
        if isinstance(sink, int):
            _widen(sink)
            self._poll = _polling(sink, select.POLLOUT, stop)

    def write(self, data: bytes | memoryview) -> None:
        """All of it. Raises StorageFailed when the consumer went away."""
        for piece in _pieces(memoryview(data)):
            rest = piece
            while len(rest):
                self._stop.check()
                rest = rest[self._write(rest) :]

    def _write(self, data: memoryview) -> int:
        if not isinstance(self._sink, int):
            return self._sink.write(data) or 0
        self._poll.poll()
        self._stop.check()
        try:
            return os.write(self._sink, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError as gone:
            raise StorageFailed("cannot go on: who takes the stream ended before its end", {"reason": "pipe"}) from gone


def _polling(descriptor: int, event: int, stop: Stop) -> select.poll:
    os.set_blocking(descriptor, False)
    poll = select.poll()
    poll.register(descriptor, event)
    poll.register(stop.fileno(), select.POLLIN)
    return poll


def _widen(descriptor: int) -> None:
    """A pipe of 1 MiB where the kernel lets us (Linux): fewer switches between the two ends."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _pieces(data: memoryview) -> Iterator[memoryview]:
    for begin in range(0, len(data), _WRITE_BYTES):
        yield data[begin : begin + _WRITE_BYTES]
