"""Where the installed tree lies; the only place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ROOT = Path("/opt/chunter")


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of one agent; everything but the log lies below ``root``."""

    root: Path
    config: Path

    @classmethod
    def find(
        cls,
        root: str | os.PathLike[str] | None = None,
        config: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] = os.environ,  # noqa: TID251 - the one door to the environment
    ) -> Paths:
        """The tree at ``root``, else at CHUNTER_ROOT, else at /opt/chunter; the file likewise (CHUNTER_CONFIG)."""
        tree = Path(root or environment.get("CHUNTER_ROOT") or DEFAULT_ROOT).absolute()
        named = config or environment.get("CHUNTER_CONFIG")
        return cls(tree, Path(named).absolute() if named else tree / "etc" / "chunter.conf")

    @property
    def example(self) -> Path:
        """The newest commented configuration file."""
        return self.root / "etc" / "chunter.conf.example"

    @property
    def hostid(self) -> Path:
        """What identifies this host through updates, new names and new installations."""
        return self.root / "etc" / "hostid"

    @property
    def old_hostid(self) -> Path:
        """The same under the name that earlier agents gave it."""
        return self.root / "etc" / "host_id"

    @property
    def version(self) -> Path:
        """The installed version and its channel."""
        return self.root / "etc" / "chunter.version"

    def installed(self) -> str:
        """The name of the installed version; empty when that is not known."""
        try:
            return self.version.read_text().strip().removeprefix("rel-").removeprefix("dev-")
        except OSError:
            return ""

    @property
    def database(self) -> Path:
        """The journal and the outbox."""
        return self.root / "var" / "chunter.db"

    @property
    def lock(self) -> Path:
        """Held by the one agent that runs on this tree."""
        return self.root / "var" / "chunter.lock"

    @property
    def run(self) -> Path:
        """What lives as long as a process: pid files of tools that change something."""
        return self.root / "var" / "run"

    @property
    def nsqd(self) -> Path:
        """Which nsqd there were the last time that nsqlookupd was asked."""
        return self.root / "var" / "nsqd"

    @property
    def update(self) -> Path:
        """What is asked of the updater, how far it is, and what it fetched."""
        return self.root / "var" / "update"

    @property
    def share(self) -> Path:
        """Data that comes with the agent."""
        return self.root / "share"

    @property
    def log(self) -> Path:
        """Where logs lie that are not SMF's."""
        return Path("/var/log/chunter") if self.root == DEFAULT_ROOT else self.root / "var" / "log"
