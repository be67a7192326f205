"""Datasets as wholes, through ``zfs``: rename, destroy, clone, promote, properties, what may still be written."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from chunter_nsq.errors import NotFound
from chunter_nsq.smartos import zfs_argv, zfs_stream_argv
from chunter_nsq.smartos.documents import whole_lines
from chunter_nsq.smartos.refusal import Busy, check, spoken, unreadable
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs_rows import parse_properties

PATIENCE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.5
_USAGE_STATUS = 2
_QUOTAS = ("quota", "refquota", "reservation", "refreservation")


class Quotas(NamedTuple):
    """In bytes, 0 for none; volumes have reservations only."""

    quota: int
    refquota: int
    reservation: int
    refreservation: int


class ZfsDatasets:
    """``zfs`` on whole datasets; the time limit is the runner's unless one is given for what changes something."""

    def __init__(self, runner: Runner, timeout_seconds: float | None = None) -> None:
        self._runner = runner
        self._timeout_seconds = timeout_seconds

    async def exists(self, name: str) -> bool:
        """Whether a dataset or snapshot is there."""
        try:
            check(await self._runner.run(zfs_argv.exists_argv(name)), f"look for {name}")
        except NotFound:
            return False
        return True

    async def rename(self, old: str, new: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Give a dataset and all below it another name; raises NotFound, AlreadyExists, Busy.

        Unmount it first: ZFS would do so itself, but it does not wait for a daemon that lets go later.
        """
        await self._patiently(zfs_stream_argv.rename_argv(old, new), f"rename {old} to {new}", patience_seconds)

    async def destroy(
        self, dataset: str, *, recursive: bool = False, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Destroy a dataset below its pool, ``recursive`` with its snapshots and all below it.

        Raises: NotFound, Busy (mounted and used, or held), InvalidState (children, clones).
        """
        argv = zfs_stream_argv.destroy_dataset_argv(dataset, recursive=recursive)
        await self._patiently(argv, f"destroy {dataset}", patience_seconds)

    async def discard(self, dataset: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Destroy a dataset with its snapshots and all below it; gone is success."""
        with contextlib.suppress(NotFound):
            await self.destroy(dataset, recursive=True, patience_seconds=patience_seconds)

    async def create(self, dataset: str, properties: Mapping[str, str] | None = None) -> None:
        """Make a file system, which is mounted where its property says; raises AlreadyExists, NotFound."""
        await self._change(zfs_stream_argv.create_argv(dataset, properties), f"create {dataset}")

    async def clone(self, snapshot: str, dataset: str, properties: Mapping[str, str] | None = None) -> None:
        """Make a writable dataset of a snapshot; raises NotFound, AlreadyExists."""
        argv = zfs_stream_argv.clone_argv(snapshot, dataset, properties)
        await self._change(argv, f"clone {snapshot} as {dataset}")

    async def promote(self, clone: str) -> None:
        """Let a clone stand without what it was made of."""
        await self._change(zfs_stream_argv.promote_argv(clone), f"promote {clone}")

    async def set(self, dataset: str, properties: Mapping[str, str]) -> None:
        """Set properties, one after the other; raises InsufficientResources when a quota is below what is used."""
        for name, value in properties.items():
            await self._change(zfs_stream_argv.set_argv(dataset, name, value), f"set {name} of {dataset}")

    async def inherit(self, dataset: str, name: str) -> None:
        """Let a property be as the parent has it."""
        await self._change(zfs_stream_argv.inherit_argv(dataset, name), f"inherit {name} of {dataset}")

    async def mount(self, dataset: str) -> None:
        """Mount a file system where its property says; mounted already is success."""
        completed = await self._runner.run(
            zfs_stream_argv.mount_argv(dataset), timeout_seconds=self._timeout_seconds, mutates=True
        )
        if "already mounted" not in spoken(completed.stderr):
            check(completed, f"mount {dataset}")

    async def unmount(self, dataset: str, *, force: bool = False) -> None:
        """Unmount a file system; not mounted is success. Raises Busy while somebody uses it."""
        completed = await self._runner.run(
            zfs_stream_argv.unmount_argv(dataset, force=force), timeout_seconds=self._timeout_seconds, mutates=True
        )
        if "not currently mounted" not in spoken(completed.stderr):
            check(completed, f"unmount {dataset}")

    async def get(self, name: str, properties: Sequence[str]) -> dict[str, str]:
        """Properties of a dataset or snapshot as ZFS writes them (bytes, epoch seconds, ``-`` for none)."""
        attempted = f"get properties of {name}"
        completed = check(await self._runner.run(zfs_argv.get_argv([name], properties)), attempted)
        values = parse_properties(whole_lines(completed, attempted)).get(name, {})
        if not set(properties) <= values.keys():
            raise unreadable(completed, attempted, "it left some out")
        return values

    async def guid(self, name: str) -> int:
        """What a snapshot keeps through send and receive, and no two snapshots share."""
        return await self._number(name, "guid")

    async def userrefs(self, snapshot: str) -> int:
        """How many holds are on a snapshot."""
        return await self._number(snapshot, "userrefs")

    async def written_bytes(self, snapshot: str) -> int | None:
        """How much of a dataset is new since one of its snapshots; None where ZFS is too old to say."""
        completed = await self._runner.run(zfs_argv.written_argv(snapshot))
        if completed.exit_status == _USAGE_STATUS:
            return None
        value = check(completed, f"see what was written since {snapshot}").stdout.decode(errors="replace").strip()
        return int(value) if value.isdecimal() else None

    async def available_bytes(self, dataset: str) -> int:
        """How much may still be written below a dataset: pool, quotas and reservations counted."""
        return await self._number(dataset, "available")

    async def quotas(self, dataset: str) -> Quotas:
        """Quotas and reservations of a dataset."""
        values = await self.get(dataset, _QUOTAS)
        return Quotas(*(int(values[name]) if values[name].isdecimal() else 0 for name in _QUOTAS))

    async def _number(self, name: str, prop: str) -> int:
        value = (await self.get(name, (prop,)))[prop]
        if not value.isdecimal():
            raise NotFound(
                f"cannot get {prop} of {name}: it has none", {"name": name, "property": prop, "value": value}
            )
        return int(value)

    async def _patiently(self, argv: tuple[str, ...], attempted: str, patience_seconds: float) -> None:
        """Try again for a while what is busy: kernel and daemons let go in their own time, and tell nobody."""
        give_up_at = time.monotonic() + patience_seconds
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._change(argv, attempted)
            except Busy:
                if time.monotonic() + pause_seconds >= give_up_at:
                    raise
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def _change(self, argv: tuple[str, ...], attempted: str) -> None:
        check(await self._runner.run(argv, timeout_seconds=self._timeout_seconds, mutates=True), attempted)
