"""Whether bytes are a ZFS stream: its records from the first to the last, and the snapshots that it says it is of.

Theory: a stream is a row of records of 312 bytes, some with a payload behind them whose length they say; the first is
BEGIN with a magic number and two GUIDs, the last END. Numbers are in the byte order of the host that sent.

Not promised: that the checksums in the records are right; the bytes are compared with what was stored elsewhere.
"""

from __future__ import annotations

import struct

from chunter_nsq.errors import ChecksumMismatch

MAGIC = 0x2F5BACBAC
RECORD_BYTES = 312
_BEGIN, _OBJECT, _WRITE, _END, _SPILL, _EMBEDDED = 0, 1, 3, 5, 7, 8
_KINDS = 12


class StreamCheck:
    """A file to write a stream into; ``finish`` judges. GUIDs as decimal text, ``fromguid`` of a full one ``0``."""

    def __init__(self, key: str) -> None:
        self.toguid = ""
        self.fromguid = ""
        self._key = key
        self._order = "<"
        self._head = bytearray()
        self._skip_bytes = 0
        self._place = 0
        self._ended = False

    def write(self, data: memoryview, /) -> int:
        """Take bytes. Raises ChecksumMismatch where they are no stream."""
        rest = data
        while len(rest):
            if self._skip_bytes:
                step = min(self._skip_bytes, len(rest))
                self._skip_bytes -= step
            else:
                step = min(RECORD_BYTES - len(self._head), len(rest))
                self._head += rest[:step]
                if len(self._head) == RECORD_BYTES:
                    self._record(bytes(self._head))
                    self._head.clear()
            self._place += step
            rest = rest[step:]
        return len(data)

    def finish(self, toguid: str, fromguid: str) -> None:
        """Raises ChecksumMismatch unless it ended with its last record and is of those snapshots."""
        if not self._ended or self._head or self._skip_bytes:
            raise self._broken("it breaks off")
        if (self.toguid, self.fromguid) != (toguid, fromguid):
            raise self._broken(f"it leads from {self.fromguid} to {self.toguid}, not from {fromguid} to {toguid}")

    def _record(self, record: bytes) -> None:
        if not self.toguid:
            self._begin(record)
            return
        kind, payload_bytes = struct.unpack_from(f"{self._order}II", record)
        if self._ended:
            raise self._broken("there is something behind its end")
        if kind >= _KINDS:
            raise self._broken(f"there is no record of type {kind}")
        self._ended = kind == _END
        self._skip_bytes = payload_bytes or self._implied(kind, record)

    def _begin(self, record: bytes) -> None:
        for order in "<>":
            kind, payload_bytes, magic = struct.unpack_from(f"{order}IIQ", record)
            if (kind, magic) == (_BEGIN, MAGIC):
                self._order, self._skip_bytes = order, payload_bytes
                to, since = struct.unpack_from(f"{order}QQ", record, 40)
                self.toguid, self.fromguid = str(to), str(since)
                return
        raise self._broken("it does not begin like one")

    def _implied(self, kind: int, record: bytes) -> int:
        """Older streams do not say how long a payload is, but what is in it."""
        if kind == _OBJECT:
            (bonus_bytes,) = struct.unpack_from(f"{self._order}I", record, 28)
            return -(-int(bonus_bytes) // 8) * 8
        if kind == _WRITE:
            return self._number(record, 32)
        if kind == _SPILL:
            return self._number(record, 16)
        if kind == _EMBEDDED:
            (packed_bytes,) = struct.unpack_from(f"{self._order}I", record, 52)
            return -(-int(packed_bytes) // 8) * 8
        return 0

    def _number(self, record: bytes, offset: int) -> int:
        (number,) = struct.unpack_from(f"{self._order}Q", record, offset)
        return int(number)

    def _broken(self, why: str) -> ChecksumMismatch:
        return ChecksumMismatch(f"{self._key} is not a stream of ZFS: {why}", {"key": self._key, "byte": self._place})
