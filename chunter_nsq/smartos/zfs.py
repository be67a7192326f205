"""Datasets, snapshots and holds, through ``zfs``; all numbers in bytes.

Newer ZFS lists exact numbers (``list -p``). An old one, zfs-fuse among them, refuses that option and is asked through
``get -p``, which every ZFS knows. Which of the two this host has is found out once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from chunter_nsq.errors import Fault, NotFound
from chunter_nsq.smartos import zfs_argv
from chunter_nsq.smartos.documents import whole_lines
from chunter_nsq.smartos.fields import records
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import check, refusal, unreadable
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs_rows import (
    Dataset,
    PropertyRows,
    Snapshot,
    dataset_from,
    parse_datasets,
    parse_holds,
    parse_properties,
    parse_snapshot,
    snapshot_from,
)

log = logging.getLogger(__name__)

__all__ = ["Dataset", "Snapshot", "Zfs"]

# Names on one command line; well below every system's limit for its length.
_NAMES_AT_ONCE = 500
_USAGE_STATUS = 2


class Zfs:
    """``zfs``; the time limit is the runner's unless one is given for what changes something."""

    def __init__(self, runner: Runner, timeout_seconds: float | None = None) -> None:
        self._runner = runner
        self._timeout_seconds = timeout_seconds
        self._lists_exactly: bool | None = None

    async def datasets(self, root: str) -> tuple[Dataset, ...]:
        """File systems and volumes from a root down, the root first; raises NotFound."""
        attempted = f"list the datasets of {root}"
        argv = zfs_argv.datasets_argv(root)
        if self._lists_exactly is not False:
            completed = await self._runner.run(argv)
            if self._can_list_exactly(completed):
                datasets = parse_datasets(check(completed, attempted).stdout)
                if datasets is None:
                    raise unreadable(completed, attempted, "what it printed is not a list of datasets")
                return datasets
        names = await self._names(root, attempted)
        rows = await self.get(names, zfs_argv.DATASET_PROPERTIES)
        return tuple(dataset_from(name, rows[name]) for name in names if name in rows)

    async def snapshots(self, dataset: str, *, recursive: bool = False) -> tuple[Snapshot, ...]:
        """The snapshots of a dataset (or of all below it too), oldest first; raises NotFound."""
        async with aclosing(self.snapshots_stream(dataset, recursive=recursive)) as stream:
            found = [snapshot async for snapshot in stream]
        return tuple(sorted(found, key=lambda snapshot: snapshot.created))

    async def snapshots_stream(self, dataset: str, *, recursive: bool = False) -> AsyncGenerator[Snapshot, None]:
        """The same one by one as the tool names them, so that 50,000 need no memory; close it if you leave early.

        Those of one dataset are oldest first. Recursively they are sorted so that all whose names begin alike come
        together: a dataset, what is below it, and its disks beside it.
        """
        if self._lists_exactly is None:
            await self._find_out(dataset)
        if self._lists_exactly:
            stream = self._listed(zfs_argv.snapshots_argv(dataset, recursive=recursive), dataset)
        else:
            stream = self._got(zfs_argv.snapshots_by_get_argv(dataset, recursive=recursive), dataset)
        async with aclosing(stream) as snapshots:
            async for snapshot in snapshots:
                yield snapshot

    async def exists(self, name: str) -> bool:
        """Whether a dataset or snapshot is there."""
        try:
            check(await self._runner.run(zfs_argv.exists_argv(name)), f"look for {name}")
        except NotFound:
            return False
        return True

    async def get(self, names: Sequence[str], properties: Sequence[str]) -> dict[str, dict[str, str]]:
        """Name to property to value as ZFS writes it (bytes, epoch seconds, ``-`` for none); raises NotFound."""
        found: dict[str, dict[str, str]] = {}
        for start in range(0, len(names), _NAMES_AT_ONCE):
            some = names[start : start + _NAMES_AT_ONCE]
            attempted = f"get properties of {some[0]}" + (f" and {len(some) - 1} more" if len(some) > 1 else "")
            completed = check(await self._runner.run(zfs_argv.get_argv(some, properties)), attempted)
            found.update(parse_properties(whole_lines(completed, attempted)))
        return found

    async def snapshot(self, names: Sequence[str]) -> None:
        """Make snapshots (``dataset@snapshot`` each) at one instant, all or none; raises AlreadyExists, NotFound.

        A ZFS that makes one at a time makes them one after the other, and takes them back when one fails.
        """
        argv, attempted = zfs_argv.snapshot_argv(names), f"snapshot {', '.join(names)}"
        completed = await self._runner.run(argv, timeout_seconds=self._timeout_seconds, mutates=True)
        if completed.exit_status == _USAGE_STATUS and "too many arguments" in completed.stderr:
            await self._snapshot_each(names)
        else:
            check(completed, attempted)

    async def destroy_snapshot(self, name: str) -> None:
        """Destroy one snapshot; raises NotFound, Busy when it is held, InvalidState when it has clones."""
        await self._change(zfs_argv.destroy_snapshot_argv(name), f"destroy snapshot {name}")

    async def rollback(self, name: str) -> None:
        """Take a dataset back to a snapshot; newer snapshots are destroyed."""
        await self._change(zfs_argv.rollback_argv(name), f"roll back to {name}")

    async def hold(self, name: str, tag: str) -> None:
        """Keep a snapshot from being destroyed; raises AlreadyExists when the tag is on it."""
        await self._change(zfs_argv.hold_argv(name, tag), f"hold {name}")

    async def release(self, name: str, tag: str) -> None:
        """Take a tag off; raises NotFound when it is not on it."""
        await self._change(zfs_argv.release_argv(name, tag), f"release {name}")

    async def holds(self, name: str) -> tuple[str, ...]:
        """The tags on a snapshot."""
        completed = check(await self._runner.run(zfs_argv.holds_argv(name)), f"list the holds of {name}")
        return parse_holds(whole_lines(completed, f"list the holds of {name}"))

    async def _change(self, argv: tuple[str, ...], attempted: str) -> None:
        check(await self._runner.run(argv, timeout_seconds=self._timeout_seconds, mutates=True), attempted)

    async def _snapshot_each(self, names: Sequence[str]) -> None:
        log.warning("zfs.snapshots_one_by_one", extra={"names": list(names)})
        made: list[str] = []
        try:
            for name in names:
                await self._change(zfs_argv.snapshot_argv([name]), f"snapshot {name}")
                made.append(name)
        except BaseException:
            for name in made:
                await self._take_back(name)
            raise

    async def _take_back(self, name: str) -> None:
        try:
            await self.destroy_snapshot(name)
        except Fault as fault:  # the first fault is the one to tell
            log.warning("zfs.snapshot_left_behind", extra={"snapshot": name, "why": fault.message})

    async def _names(self, root: str, attempted: str) -> tuple[str, ...]:
        completed = check(await self._runner.run(zfs_argv.names_argv(root)), attempted)
        return records(whole_lines(completed, attempted).decode(errors="replace"))

    async def _find_out(self, dataset: str) -> None:
        self._can_list_exactly(await self._runner.run(zfs_argv.probe_argv(dataset)))

    def _can_list_exactly(self, completed: Completed) -> bool:
        """Whether a listing was accepted; an answer that is not about the option decides nothing for later."""
        if completed.exit_status == 0:
            self._lists_exactly = True
        elif completed.exit_status == _USAGE_STATUS and "invalid option" in completed.stderr.lower():
            self._lists_exactly = False
        return self._lists_exactly is not False

    async def _listed(self, argv: tuple[str, ...], dataset: str) -> AsyncGenerator[Snapshot, None]:
        async with aclosing(self._rows(argv, dataset)) as rows:
            async for row in rows:
                snapshot = parse_snapshot(row)
                if snapshot is None:
                    raise unreadable(
                        Completed(argv, 0, row, "", 0.0), f"list the snapshots of {dataset}", "a line is odd"
                    )
                yield snapshot

    async def _got(self, argv: tuple[str, ...], dataset: str) -> AsyncGenerator[Snapshot, None]:
        gathered = PropertyRows(zfs_argv.SNAPSHOT_PROPERTIES)
        async with aclosing(self._rows(argv, dataset)) as rows:
            async for row in rows:
                whole = gathered.feed(row)
                if whole is not None and "@" in whole[0]:
                    yield snapshot_from(*whole)

    async def _rows(self, argv: tuple[str, ...], dataset: str) -> AsyncGenerator[bytes, None]:
        """The lines of a listing; it counts only when the tool ended well and finished its last line."""
        attempted = f"list the snapshots of {dataset}"
        async with self._runner.lines(argv, timeout_seconds=self._timeout_seconds) as lines:
            async for line in lines:
                if not lines.unterminated:
                    yield line
            completed = Completed(argv, lines.exit_status or 0, b"", lines.stderr, 0.0)
        if completed.exit_status != 0:
            raise refusal(completed, attempted)
        if lines.unterminated:
            raise unreadable(completed, attempted, "its last line is cut off")
