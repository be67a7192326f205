"""Packed bytes into objects of the store: parts of one size, sent by several threads, what is done noted down."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from chunter_nsq.errors import StorageFailed
from chunter_nsq.storage.budget import Lease
from chunter_nsq.storage.buffers import Buffers
from chunter_nsq.storage.multipart import Multipart
from chunter_nsq.storage.sizing import Sizes
from chunter_nsq.storage.state import Part, Segment, UploadState
from chunter_nsq.storage.transfer import Transfer

Keep = Callable[[UploadState], None]

_KEEP_SECONDS = 5.0


@dataclass(slots=True)
class _Open:
    """One object under way; ``done`` are the parts that this run has seen in the store."""

    multipart: Multipart
    begun: float
    done: dict[int, Part] = field(default_factory=dict)
    cut: int = 0
    full: bool = False
    claimed: bool = False

    @property
    def known(self) -> Segment:
        """What is to be remembered of it."""
        segment = self.multipart.segment
        return replace(segment, parts={**segment.parts, **self.done})


class Stowing:
    """``add`` and ``finish`` are one thread's; ``state`` is what a later run needs to go on.

    ``keep`` is called with the state before an object is begun and before anything is sent to it, when one is about to
    be completed and is, and every few seconds for parts; it returns when the state is safe.
    """

    def __init__(self, transfer: Transfer, lease: Lease, sizes: Sizes, state: UploadState, keep: Keep | None) -> None:
        self.state = state
        self.size = 0
        self.sha1 = hashlib.sha1(usedforsecurity=False)
        self.sha256 = hashlib.sha256()
        self._transfer = transfer
        self._sizes = sizes
        self._keep = keep
        self._kept_at = time.monotonic()
        self._lock = threading.Lock()
        self._buffers = Buffers(lease, state.part_bytes, sizes.parts_held, transfer.stop)
        self._buffer = bytearray()
        self._filled_bytes = 0
        self._resumed = state.segments
        self._objects: list[_Open] = []

    @property
    def objects(self) -> tuple[Segment, ...]:
        """All of them, as they are now, those of an earlier run too that this one has not come to."""
        with self._lock:
            return self._all()

    def add(self, packed: bytes, send: Callable[[Callable[[], None]], None]) -> None:
        """Take bytes; ``send`` is given a job for each part that is full now."""
        rest = memoryview(packed)
        while rest:
            if not self._filled_bytes:
                self._buffer = self._buffers.next()
            room = rest[: len(self._buffer) - self._filled_bytes]
            memoryview(self._buffer)[self._filled_bytes : self._filled_bytes + len(room)] = room
            self._filled_bytes += len(room)
            rest = rest[len(room) :]
            if self._filled_bytes == len(self._buffer):
                self._send_part(send)

    def finish(self, send: Callable[[Callable[[], None]], None]) -> None:
        """The last part, which may be smaller."""
        if self._filled_bytes:
            self._send_part(send)

    def complete(self) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
        """Complete the last object, once all its parts are done: the stream's objects, and those it does not need."""
        made = len(self._objects)
        self._complete(made - 1)
        self.note()
        return self.objects[:made], self.objects[made:]

    def note(self) -> None:
        """Have everything kept now."""
        self._note(now=True)

    def _send_part(self, send: Callable[[Callable[[], None]], None]) -> None:
        buffer, size = self._buffer, self._filled_bytes
        content = memoryview(buffer)[:size]
        self.size += size
        self.sha1.update(content)
        self.sha256.update(content)
        index = self._object(send)
        one = self._objects[index]
        with self._lock:
            one.cut += 1
            number = one.cut
            one.full = number == self._limit(index)
        send(partial(self._put, index, number, buffer, size))
        self._filled_bytes = 0

    def _limit(self, index: int) -> int:
        """Parts that go into an object; one that is complete already takes what it has."""
        one = self._objects[index]
        if one.multipart.segment.etag:
            return len(one.multipart.segment.parts)
        old = time.monotonic() - one.begun > self._sizes.segment_seconds
        return one.cut if old else self.state.segment_parts

    def _object(self, send: Callable[[Callable[[], None]], None]) -> int:
        """The object that the next part goes into, begun when there is none with room."""
        if self._objects and not self._objects[-1].full:
            return len(self._objects) - 1
        index = len(self._objects)
        key = self.state.key if index == 0 else f"{self.state.key}.{index:04d}"
        if index < len(self._resumed):
            multipart = Multipart.resume(self._transfer, self._resumed[index])
        else:
            self.state = replace(self.state, beginning=key)
            self._note(now=True)
            multipart = Multipart.begin(self._transfer, key)
        with self._lock:
            self._objects.append(_Open(multipart, time.monotonic()))
            self.state = replace(self.state, beginning="")
        self._note(now=True)
        if index and self._claim(index - 1):
            send(partial(self._complete, index - 1))
        return index

    def _claim(self, index: int) -> bool:
        """Whether an object that another one follows is whole, and nobody completes it yet."""
        with self._lock:
            one = self._objects[index]
            whole = one.full and len(one.done) == one.cut and index < len(self._objects) - 1
            claimed, one.claimed = one.claimed, one.claimed or whole
            return whole and not claimed

    def _put(self, index: int, number: int, buffer: bytearray, size: int) -> None:
        one = self._objects[index]
        content = memoryview(buffer)[:size]
        segment = one.multipart.segment
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        part = Part(len(content), md5, hashlib.sha256(content).hexdigest())
        known = segment.parts.get(number)
        if known is not None and known.same_bytes(part):
            part = replace(part, etag=known.etag)
        elif segment.etag:
            raise _differs(segment.key)
        else:
            part = one.multipart.put(number, content, part)
        with self._lock:
            one.done[number] = part
        self._buffers.give(buffer)
        self._transfer.meter.add(stored_bytes=size)
        if self._claim(index):
            self._complete(index)
        self._note(now=False)

    def _complete(self, index: int) -> None:
        """Each object once: the last one when the stream has ended, the others when all parts are done."""
        one = self._objects[index]
        multipart = one.multipart
        if multipart.segment.etag:
            if len(multipart.segment.parts) != len(one.done):
                raise _differs(multipart.segment.key)
            return
        with self._lock:
            multipart.segment = replace(multipart.segment, parts=dict(one.done))
        self._note(now=True)
        multipart.complete()

    def _note(self, *, now: bool) -> None:
        with self._lock:
            if self._keep is None or not (now or time.monotonic() - self._kept_at > _KEEP_SECONDS):
                return
            self._kept_at = time.monotonic()
            self.state = replace(self.state, segments=self._all())
            self._keep(self.state)

    def _all(self) -> tuple[Segment, ...]:
        return tuple(one.known for one in self._objects) + self._resumed[len(self._objects) :]


def _differs(key: str) -> StorageFailed:
    return StorageFailed(
        f"cannot go on with {key}: the stream is another one than before; begin again", {"reason": "differs"}
    )
