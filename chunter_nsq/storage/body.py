"""The bytes of a request, which wait for their turn while they are sent."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable


class Body(io.BytesIO):
    """Reading it to sign it costs nothing; once ``sending`` is set, ``pay`` is called for each piece before it goes."""

    def __init__(self, content: bytes, md5: str = "", pay: Callable[[int], None] | None = None) -> None:
        super().__init__(content)
        self.sending = False
        self._pay = pay
        self.md5 = md5 or hashlib.md5(content, usedforsecurity=False).hexdigest()

    @property
    def md5_base64(self) -> str:
        """As in the header Content-MD5."""
        return base64.b64encode(bytes.fromhex(self.md5)).decode("ascii")

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file."""
        piece = super().read(size)
        if self.sending and self._pay is not None and piece:
            self._pay(len(piece))
        return piece
