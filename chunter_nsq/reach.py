"""How this host reaches NSQ, by its configuration."""

from __future__ import annotations

import secrets
from pathlib import Path

from chunter_nsq import __version__
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.settings import Connection, Tls
from chunter_nsq.config import Config

# Two agents that took each other's id have the same name towards nsqd; this tells them apart.
INSTANCE = secrets.token_hex(4)
USER_AGENT = f"chunter/{__version__} ({INSTANCE})"


def connection(config: Config, host_id: str) -> Connection:
    """Addresses, TLS and AUTH; nsqd knows us by the host's id."""
    return Connection(
        nsqd=tuple(Address.parse(text) for text in config.nsqd),
        lookupd=config.nsqlookupd,
        tls=tls(config),
        auth_secret=config.nsq_auth_secret or None,
        user_agent=USER_AGENT,
        hostname=host_id,
    )


def tls(config: Config) -> Tls | None:
    """The files of TLS, None when it is off."""
    files = {"ca": config.nsq_tls_ca, "cert": config.nsq_tls_cert, "key": config.nsq_tls_key}
    return Tls(**{name: Path(file) for name, file in files.items() if file}) if config.nsq_tls else None


def command_topics(config: Config, host_id: str) -> tuple[str, ...]:
    """The topics that this host takes commands from, on the channel that is its id."""
    return f"{config.topic_prefix}.command", f"{config.topic_prefix}.command.{host_id}"
