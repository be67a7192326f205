"""What is examined: an installed tree with its configuration, the platform below it, and the way to NSQ."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path

from chunter_nsq import reach
from chunter_nsq.bus.settings import Connection
from chunter_nsq.config import KEYS, Config, ConfigInvalid, Paths, Remark
from chunter_nsq.config.parser import read
from chunter_nsq.identity import IdentityUnusable, known_id
from chunter_nsq.smartos.runner import Runner

NOBODY = "doctor"
_TOOL_SECONDS = 10.0
_HANDSHAKE_SECONDS = 5.0


@dataclass(frozen=True)
class Patient:
    """``config`` is what could be understood of the file; its faults stand beside it."""

    paths: Paths
    config: Config
    is_configured: bool = True
    faults: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = field(default=())

    @classmethod
    def admit(cls, paths: Paths) -> Patient:
        """The tree as it is; never raises."""
        try:
            content = paths.config.read_bytes()
        except FileNotFoundError:
            return cls(paths, Config(), is_configured=False)
        except OSError as broken:
            return cls(paths, Config(), faults=(Remark(0, f"this file cannot be read: {broken.strerror}"),))
        try:
            config, notes = Config.read(content, str(paths.config))
        except ConfigInvalid as invalid:
            return cls(paths, Config(**read(content, KEYS).values), faults=invalid.faults)
        return cls(paths, config, notes=notes)

    @property
    def host_id(self) -> str | None:
        """None when there is none yet, or none that can be used."""
        try:
            return known_id(self.paths, self.config.topic_prefix)
        except IdentityUnusable:
            return None

    @property
    def platform(self) -> Path:
        """What stands before the platform's files."""
        return Path(self.config.platform_root)

    @property
    def is_simulated(self) -> bool:
        """Whether the platform is a simulated one."""
        return (self.platform / "var" / "simulator").is_dir()

    @property
    def is_root(self) -> bool:
        """Whether whoever asks may do all that an agent does."""
        return os.geteuid() == 0

    @functools.cached_property
    def runner(self) -> Runner:
        """Runs tools that only look."""
        return Runner(self.platform, timeout_seconds=_TOOL_SECONDS)

    @property
    def connection(self) -> Connection:
        """The way to NSQ, with less patience than an agent has."""
        made = reach.connection(self.config, self.host_id or NOBODY)
        return Connection(
            nsqd=made.nsqd,
            lookupd=made.lookupd,
            tls=made.tls,
            auth_secret=made.auth_secret,
            user_agent="chunter-doctor",
            hostname=made.hostname,
            handshake_timeout_seconds=_HANDSHAKE_SECONDS,
        )
