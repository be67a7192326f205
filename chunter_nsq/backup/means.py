"""What backups are made with: one of each for the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from chunter_nsq.backup.ages import Ages
from chunter_nsq.config import Config
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_streams import ZfsStreams
from chunter_nsq.smartos.zonefiles import ZoneFiles

if TYPE_CHECKING:
    from chunter_nsq.backup.leftovers import Leftovers
    from chunter_nsq.backup.stores import Stores
    from chunter_nsq.memo import Records


class Backups:
    """Streams and whole datasets of this host's ZFS, the zones' configurations, and the stores.

    The stores, and with them all that speaks to an object store, are loaded when a command first asks for them: a host
    that makes no backups has no use for them in its memory. ``news`` is set when commands left something in a store.
    """

    def __init__(self, runner: Runner, config: Callable[[], Config], records: Records) -> None:
        self._config = config
        self._records = records
        self.ages = Ages(records)
        self.news = asyncio.Event()
        self.streams = ZfsStreams(runner)
        self.datasets = ZfsDatasets(runner)
        self.zone_files = ZoneFiles(runner.root)

    @cached_property
    def stores(self) -> Stores:
        """The object stores that configuration and commands name."""
        from chunter_nsq.backup.stores import Stores  # noqa: PLC0415 - loaded when first used

        return Stores(self._config)

    @cached_property
    def leftovers(self) -> Leftovers:
        """What commands that have ended left in stores."""
        from chunter_nsq.backup.leftovers import Leftovers  # noqa: PLC0415 - loaded when first used

        return Leftovers(self._records, self.stores, self.news)
