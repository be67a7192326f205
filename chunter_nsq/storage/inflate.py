"""What is stored, in order and verified, back into blocks: cut apart where we packed it, else read from end to end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from chunter_nsq.errors import ChecksumMismatch
from chunter_nsq.storage.compress import Codec, codec, recognised

_GZIP = 31
_PIECE_BYTES = 2**20
_SLICE_BYTES = 2**16


class Cutter:
    """Cuts what our codec packed into packed blocks, across the parts in which it comes."""

    def __init__(self, packer: Codec) -> None:
        self._packer = packer
        self._held = bytearray()

    def feed(self, data: memoryview) -> Iterator[tuple[bytes | memoryview, int]]:
        """Packed blocks that are whole now, each with the length of what is in it; views into ``data``."""
        begin = 0
        while begin < len(data):
            missing = self._missing(data[begin:])
            if self._held or missing > len(data) - begin:
                self._held += data[begin : begin + missing]
                begin += missing
                if self._missing(memoryview(b"")) == 0:
                    whole, self._held = bytes(self._held), bytearray()
                    yield whole, self._measure(whole)[1]
            else:
                yield data[begin : begin + missing], self._measure(data[begin:])[1]
                begin += missing

    def end(self) -> None:
        """Raises ChecksumMismatch when the last block is cut off."""
        if self._held:
            raise ChecksumMismatch("the stream is cut off within a block")

    def _missing(self, data: memoryview) -> int:
        """Bytes until the head, or else the block that begins in what is held or in ``data``, is whole."""
        head_bytes = self._packer.head_bytes
        if len(self._held) + len(data) < head_bytes:
            return head_bytes - len(self._held)
        head = bytes(self._held[:head_bytes]) + bytes(data[: max(0, head_bytes - len(self._held))])
        return self._measure(head)[0] - len(self._held)

    def _measure(self, head: bytes | memoryview) -> tuple[int, int]:
        measure = self._packer.measured(head)
        if measure is None:
            raise ChecksumMismatch("between two blocks stands something else")
        return measure


class Decoder(Protocol):
    """Reads a stream that others packed, from end to end."""

    def feed(self, data: memoryview) -> Iterator[bytes]:
        """What ``data`` adds to the raw stream, in pieces of at most 1 MiB."""

    def end(self) -> None:
        """Raises ChecksumMismatch when the stream is cut off."""


class Gunzip:
    """One or many gzip members of any length; zeros after the last one are padding."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP)
        self._between = True

    def feed(self, data: memoryview) -> Iterator[bytes]:
        """As gunzip; in slices, because zlib copies what is left behind the end of a member."""
        for begin in range(0, len(data), _SLICE_BYTES):
            yield from self._slice(bytes(data[begin : begin + _SLICE_BYTES]))

    def end(self) -> None:
        """Within a member is no end."""
        if not self._between:
            raise ChecksumMismatch("the gzip stream is cut off")

    def _slice(self, rest: bytes) -> Iterator[bytes]:
        while rest:
            if self._between:
                rest = rest.lstrip(b"\0")
                if not rest:
                    return
                self._inflate, self._between = zlib.decompressobj(_GZIP), False
            yield self._piece(rest)
            while not self._inflate.eof and self._inflate.unconsumed_tail:
                yield self._piece(self._inflate.unconsumed_tail)
            rest, self._between = self._inflate.unused_data, self._inflate.eof

    def _piece(self, data: bytes) -> bytes:
        try:
            return self._inflate.decompress(data, _PIECE_BYTES)
        except zlib.error as damaged:
            raise ChecksumMismatch(f"the gzip stream is damaged: {damaged}") from damaged


class Unzstd:
    """One or many zstd frames of any length."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._inflate = module.ZstdDecompressor().decompressobj(read_across_frames=True)

    def feed(self, data: memoryview) -> Iterator[bytes]:
        """In slices, since what comes out has no bound of its own."""
        for begin in range(0, len(data), _SLICE_BYTES):
            try:
                yield self._inflate.decompress(data[begin : begin + _SLICE_BYTES])
            except self._module.ZstdError as damaged:
                raise ChecksumMismatch(f"the zstd stream is damaged: {damaged}") from damaged

    def end(self) -> None:
        """Its frames say themselves when they end."""


class Straight:
    """Not packed at all."""

    def feed(self, data: memoryview) -> Iterator[bytes]:
        """In pieces."""
        for begin in range(0, len(data), _PIECE_BYTES):
            yield bytes(data[begin : begin + _PIECE_BYTES])

    def end(self) -> None:
        """Anywhere."""


def reader(beginning: memoryview, name: str | None = None) -> tuple[Codec, Cutter | Decoder]:
    """The codec (``name``, or by the first bytes), and what reads it: a cutter when we packed it, else a decoder."""
    found = codec(name or recognised(beginning))
    if found.head_bytes and found.measured(beginning[: found.head_bytes]) is not None:
        return found, Cutter(found)
    if found.name == "gzip":
        return found, Gunzip()
    return found, Unzstd(getattr(found, "module", None)) if found.name == "zstd" else Straight()
