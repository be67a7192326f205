"""What imgadm tells while it imports: which image it is, and which are coming in."""

from __future__ import annotations

import re

from chunter_nsq.smartos.names import is_uuid

_UUID = "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_NAMED = re.compile(rf"(?:Importing|Image) {_UUID}\b")
_DOWNLOADED = re.compile(rf"Downloaded image {_UUID}\b")
_IMPORTED = re.compile(rf"Imported image {_UUID}\b")


class Transcript:
    """The transcript of one import, line by line.

    ``image`` is the uuid of what was asked for: a name's is told by imgadm in its first line.
    """

    def __init__(self, asked: str) -> None:
        self.image = asked if is_uuid(asked) else None
        self._coming: dict[str, None] = {asked: None} if is_uuid(asked) else {}

    @property
    def coming(self) -> tuple[str, ...]:
        """The images that may lie half-made on the pool, in the order in which they were told of."""
        return tuple(self._coming)

    def read(self, line: str) -> bool:
        """The next line; whether it tells of one more that is coming."""
        known = len(self._coming)
        if self.image is None and (named := _NAMED.match(line)):
            self.image = named[1]
            self._coming[named[1]] = None
        elif downloaded := _DOWNLOADED.match(line):
            self._coming[downloaded[1]] = None
        elif imported := _IMPORTED.match(line):
            self._coming.pop(imported[1], None)
        return len(self._coming) > known
