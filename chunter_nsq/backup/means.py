"""What backups are made with: one of each for the agent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chunter_nsq.backup.stores import Stores
from chunter_nsq.config import Config
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_streams import ZfsStreams
from chunter_nsq.smartos.zonefiles import ZoneFiles


@dataclass(frozen=True, slots=True)
class Backups:
    """Streams and whole datasets of this host's ZFS, the zones' configurations, and the stores."""

    stores: Stores
    streams: ZfsStreams
    datasets: ZfsDatasets
    zone_files: ZoneFiles

    @classmethod
    def on(cls, runner: Runner, config: Callable[[], Config]) -> Backups:
        """Those of a platform."""
        return cls(Stores(config), ZfsStreams(runner), ZfsDatasets(runner), ZoneFiles(runner.root))
