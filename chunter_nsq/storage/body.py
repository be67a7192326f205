"""The bytes of a request, which wait for their turn while they are sent."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable


class Body:
    """A file to read from, without a copy of ``content``.

    Reading it to sign it costs nothing; once ``sending`` is set, ``pay`` is called for each piece before it goes.
    """

    def __init__(self, content: bytes | memoryview, md5: str = "", pay: Callable[[int], None] | None = None) -> None:
        self.sending = False
        self.md5 = md5 or hashlib.md5(content, usedforsecurity=False).hexdigest()
        self._content = memoryview(content)
        self._place = 0
        self._pay = pay

    @property
    def md5_base64(self) -> str:
        """As in the header Content-MD5."""
        return base64.b64encode(bytes.fromhex(self.md5)).decode("ascii")

    def __len__(self) -> int:
        return len(self._content)

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file."""
        end = len(self._content) if size is None or size < 0 else self._place + size
        piece = bytes(self._content[self._place : end])
        self._place += len(piece)
        if self.sending and self._pay is not None and piece:
            self._pay(len(piece))
        return piece

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As of any file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: len(self._content)}[whence]
        self._place = min(max(0, base + offset), len(self._content))
        return self._place

    def tell(self) -> int:
        """As of any file."""
        return self._place
