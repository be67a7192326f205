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

    def __post_init__(self) -> None:
        if not self.host or not 0 < self.port <= _LAST_PORT:
            raise ValueError(f"{self.host!r}, port {self.port}: needs a host, and a port from 1 to {_LAST_PORT}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``host:port`` or ``[v6]:port``.

        Raises:
            ValueError: in one sentence that names the text.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not host:port (an IPv6 address stands in brackets)")
        return cls(match["v6"] or match["host"], int(match["port"]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
