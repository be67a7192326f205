"""What was received takes the machine's place, by renames; what was there stays until the new machine is proven.

Theory: each step looks at the host and does what is missing, so the same steps lead on after a crash, and their
opposites lead back. Whether a rename was done shows by what exists: a dataset that was received is either still beside
the machine or in its place. What the machine has and the backup has not (a delegated dataset that the first chunter
never stored) moves over to the new one. The old datasets go last, once the machine can be read again.

Not promised: anything if somebody else renames datasets meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chunter_nsq.backup.disks import Moved, properties, root_of, tops
from chunter_nsq.errors import Fault, InvalidState
from chunter_nsq.hostlock import HostLock
from chunter_nsq.smartos.vmadm import Vmadm
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_datasets import PATIENCE_SECONDS, ZfsDatasets
from chunter_nsq.smartos.zonefiles import ZoneFiles

_SETTABLE = (
    "compression", "recordsize", "refquota", "quota", "refreservation", "reservation", "mountpoint", "zoned",
)  # fmt: skip
CORES = "zones/cores"
_CORES_HAVE = {"quota": str(100 * 2**30), "compression": "gzip"}  # as vmadm makes it
_PAUSE_SECONDS = 0.2
_NOTHING = ("-", "none", "")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Everything that the steps need, also without the store; ``vm`` is the machine that there will be.

    ``moves`` are (live, received, old) for each tree; ``kept`` are (old, live) of what the backup does not have;
    ``zoned`` are the live datasets that are for the zone alone. ``cores``: there is no dataset for the machine's core
    dumps here, which is in no backup, but the platform makes one with each machine.
    """

    vm: str
    moves: Sequence[Sequence[str]]
    kept: Sequence[Sequence[str]]
    properties: Mapping[str, Mapping[str, str]]
    xml: str | None
    xml_before: str | None
    listed_before: bool
    zoned: Sequence[str]
    cores: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON for the agent's records."""
        return asdict(self)


def cores_of(vm: str) -> str:
    """The dataset of a machine's core dumps."""
    return f"{CORES}/{vm}"


def exchange(
    datasets: Sequence[str], there: Sequence[str], live: Moved, received: Moved, old: Moved
) -> tuple[list[list[str]], list[list[str]]]:
    """``moves`` and ``kept`` for the datasets of a backup and those (``there``) that the machine has now."""
    moves = [[live(name), received(name), old(name)] for name in tops(datasets)]
    wanted = {live(name) for name in datasets}
    kept = []
    for name in tops([one for one in there if one not in wanted]):
        for tree, _, away in moves:
            if name.startswith(f"{tree}/"):
                kept.append([away + name.removeprefix(tree), name])
    return moves, kept


@dataclass(frozen=True, slots=True)
class Swap:
    """The steps, with the tools that do them."""

    zfs: Zfs
    datasets: ZfsDatasets
    vmadm: Vmadm
    files: ZoneFiles
    host_lock: HostLock

    async def forward(self, to: Exchange) -> None:
        """Put the new machine in place and look whether it is one."""
        for live, received, old in to.moves:
            if await self.datasets.exists(received):
                if await self.datasets.exists(live) and not await self.datasets.exists(old):
                    await self._rename(live, old)
                await self._rename(received, live)
        for old, live in to.kept:
            if await self.datasets.exists(old) and not await self.datasets.exists(live):
                await self._rename(old, live)
        await self._set(to.properties)
        await self._give_to_zone([live for live in to.zoned if live in to.properties or _is_kept(live, to.kept)])
        if to.xml is not None:
            await self._configure(to.vm, to.xml)
        await self._mount(to)
        if to.cores and not await self.datasets.exists(cores_of(to.vm)):
            await self.datasets.create(cores_of(to.vm), {**_CORES_HAVE, "mountpoint": f"/{root_of(to.vm)}/cores"})
        await self._prove(to)

    async def back(self, to: Exchange) -> None:
        """Put everything back as it was; what was received is beside the machine again."""
        if to.cores:
            await self.datasets.discard(cores_of(to.vm))
        for old, live in to.kept:
            parent = old.rpartition("/")[0]
            is_away = await self.datasets.exists(parent) and not await self.datasets.exists(old)
            if is_away and await self.datasets.exists(live):
                await self._rename(live, old)
        for live, received, old in reversed(to.moves):
            if not await self.datasets.exists(received) and await self.datasets.exists(live):
                await self._rename(live, received)
            if await self.datasets.exists(old) and not await self.datasets.exists(live):
                await self._rename(old, live)
        await self._give_to_zone(to.zoned)
        await self._unconfigure(to)
        await self._mount(to)

    async def finish(self, to: Exchange) -> None:
        """Let what was there go."""
        for _live, _received, old in to.moves:
            await self.datasets.discard(old)

    async def clear(self, to: Sequence[str]) -> None:
        """Let go of what was received."""
        for name in to:
            await self.datasets.discard(name)

    async def _rename(self, old: str, new: str) -> None:
        """ZFS moves nothing that a zone has, or below which something is mounted, as cores are below a root."""
        cores = cores_of(old.rpartition("/")[2])
        below = [one.name for one in await self.zfs.datasets(old)]
        inside = [cores] if await self.datasets.exists(cores) else []
        for name in [*inside, *reversed(below)]:
            found = await self.datasets.get(name, ("mounted", "zoned"))
            if found["mounted"] == "yes":
                await self._unmount(name)
            if found["zoned"] == "on":
                await self.datasets.set(name, {"zoned": "off"})
        await self.datasets.rename(old, new)

    async def _give_to_zone(self, names: Sequence[str]) -> None:
        for name in names:
            if await self.datasets.exists(name):
                await self.datasets.set(name, {"zoned": "on"})

    async def _unmount(self, name: str) -> None:
        """With some patience: what was just written may be held for a moment by whoever looks at files."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await self.datasets.unmount(name)
            except Fault:
                if time.monotonic() > give_up_at:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _set(self, wanted: Mapping[str, Mapping[str, str]]) -> None:
        now = await properties(self.datasets, [name for name in wanted if await self.datasets.exists(name)])
        for name, have in now.items():
            for prop in _SETTABLE:
                value = wanted[name].get(prop, "-")
                if value != "-" and have.get(prop, "-") not in ("-", value):
                    await self.datasets.set(name, {prop: value})

    async def _configure(self, vm: str, xml: str) -> None:
        async with self.host_lock.held(vm):  # nobody makes a zone meanwhile, and with it another index
            await self.files.write(vm, xml.encode())
            if not await self.files.is_listed(vm):
                await self.files.enlist(vm)

    async def _unconfigure(self, to: Exchange) -> None:
        if to.xml is None:
            return
        async with self.host_lock.held(to.vm):
            if to.xml_before is not None:
                await self.files.write(to.vm, to.xml_before.encode())
            else:
                await self.files.remove(to.vm)
            if not to.listed_before:
                await self.files.strike(to.vm)

    async def _mount(self, to: Exchange) -> None:
        """Each file system that is there, parents first; those of the zone itself are for the zone."""
        for tree in [*(live for live, _, _ in to.moves), cores_of(to.vm)]:
            if not await self.datasets.exists(tree):
                continue
            for name in [one.name for one in await self.zfs.datasets(tree)]:
                found = await self.datasets.get(name, ("type", "mounted", "mountpoint", "zoned"))
                is_ours = found["type"] == "filesystem" and found["zoned"] != "on"
                if is_ours and found["mounted"] != "yes" and found["mountpoint"] not in (*_NOTHING, "legacy"):
                    await self.datasets.mount(name)

    async def _prove(self, to: Exchange) -> None:
        try:
            machine = await self.vmadm.get(to.vm)
        except Fault as fault:
            raise InvalidState(f"the restored machine cannot be read: {fault.message}; all is as before") from fault
        if machine.get("zfs_filesystem", root_of(to.vm)) != to.moves[0][0]:
            raise InvalidState("the restored machine does not name the dataset that was restored; all is as before")


def _is_kept(live: str, kept: Sequence[Sequence[str]]) -> bool:
    return any(live == name or live.startswith(f"{name}/") for _, name in kept)
