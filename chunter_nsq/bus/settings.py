"""How to reach NSQ: one frozen value that consumer and producer share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.addressbook import AddressBook

LONGEST_HEARTBEAT_SECONDS = 60  # nsqd refuses more (--max-heartbeat-interval)


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files; without ``ca`` the system's authorities are trusted. ``cert`` and ``key`` show us to nsqd."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """Addresses, identity and limits.

    ``nsqd`` are fixed TCP addresses; ``lookupd`` are HTTP ``host:port`` to ask for more. With ``tls`` nothing is ever
    sent in the clear beyond IDENTIFY. A connection without a frame for two heartbeats and five seconds is given up.
    In the folder ``memory`` stands what nsqlookupd named last, for a start without it; None remembers nothing.
    ``message_timeout_seconds`` is how long nsqd waits for an answer before it delivers a message again (what a killed
    consumer held comes back after that); None, or an nsqd that allows less, means nsqd's own setting.

    Raises:
        ValueError: no address at all, or a number out of its range.
    """

    nsqd: tuple[Address, ...] = ()
    lookupd: tuple[str, ...] = ()
    tls: Tls | None = None
    auth_secret: str | None = field(default=None, repr=False)
    user_agent: str = "chunter"
    hostname: str = "localhost"
    heartbeat_seconds: int = 30
    handshake_timeout_seconds: float = 10.0
    publish_timeout_seconds: float = 5.0
    message_timeout_seconds: float | None = 15.0
    reconnect_seconds: float = 0.5
    longest_reconnect_seconds: float = 2.0
    lookup_seconds: float = 10.0
    memory: Path | None = None

    def __post_init__(self) -> None:
        if not self.nsqd and not self.lookupd:
            raise ValueError("neither an nsqd nor an nsqlookupd is named")
        for address in self.lookupd:
            Address.parse(address)
        if not 1 <= self.heartbeat_seconds <= LONGEST_HEARTBEAT_SECONDS:
            raise ValueError(f"heartbeat_seconds is {self.heartbeat_seconds}, not 1 to {LONGEST_HEARTBEAT_SECONDS}")
        if self.message_timeout_seconds is not None and self.message_timeout_seconds < 1:
            raise ValueError(f"message_timeout_seconds is {self.message_timeout_seconds}, below nsqd's least of 1")
        for name in ("handshake_timeout_seconds", "publish_timeout_seconds", "reconnect_seconds", "lookup_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, not above 0")

    def book(self, purpose: str) -> AddressBook | None:
        """The remembered nsqd of a topic, or of publishing."""
        return None if self.memory is None else AddressBook(self.memory / f"{purpose}.nsqd")

    @property
    def silence_seconds(self) -> float:
        """Longer than this without a frame, and the connection counts as dead."""
        return 2.0 * self.heartbeat_seconds + 5.0
