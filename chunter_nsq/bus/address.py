"""Where an nsqd or nsqlookupd listens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_FORM = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:/\[\]@?#]+)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A host (name, IPv4, or IPv6 without brackets) and a TCP port; ``str()`` gives back what ``parse`` reads."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``host:port`` or ``[v6]:port``.

        Raises:
            ValueError: in one sentence that names the text.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not host:port (an IPv6 address stands in brackets)")
        port = int(match["port"])
        if not 0 < port <= _LAST_PORT:
            raise ValueError(f"{text!r}: a port is between 1 and {_LAST_PORT}")
        return cls(match["v6"] or match["host"], port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
