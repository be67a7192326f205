"""backup.restore: a machine as it was at a backup, or as it is now; nothing in between.

Theory: everything is received into datasets beside the machine, each part verified before ZFS sees it; only when all
of it is there and has the right GUIDs, renames put it in the machine's place (swap.py). What has to be done then is
noted first, so that after a crash the same command leads it on without the store. Before that note a crash costs only
what was received half; snapshots that were received whole are found again.

Not promised: local snapshots that are not on the way to the backup; they go with what was there before, and the result
names them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from chunter_nsq.actions import Progress
from chunter_nsq.backup import disks, plan, route, told
from chunter_nsq.backup.course import Tell, ended
from chunter_nsq.backup.disks import POOL, Moved, root_of
from chunter_nsq.backup.receiving import Receiving
from chunter_nsq.backup.route import Leg, Route
from chunter_nsq.backup.stores import BRIEF
from chunter_nsq.backup.swap import CORES, Exchange, Swap, cores_of, exchange
from chunter_nsq.errors import AlreadyExists, Fault, InvalidState, NotFound
from chunter_nsq.memo import RECEIVING, Memo, tag
from chunter_nsq.messages.backup_params import BackupRestore
from chunter_nsq.messages.command import Command
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.manifest import Manifest
from chunter_nsq.storage.progress import Meter
from chunter_nsq.storage.progress import Progress as Moving
from chunter_nsq.storage.transfer import Transfer, in_thread
from chunter_nsq.tools import Tools

log = logging.getLogger(__name__)


class Restoring:
    """One backup.restore; ``target`` is the machine that there will be."""

    def __init__(self, tools: Tools, command: Command) -> None:
        self.params: BackupRestore = command.params
        self.vm = checked_uuid(command.uuid or "")
        self.target = self.params.as_uuid or self.vm
        self.memo = Memo(tools.outbox, command.id)
        self._tools = tools
        self._backups = tools.backups
        self.received = Moved(self.vm, f"{POOL}/chunter-{tag(command.id)}")
        self._old = Moved(self.vm, f"{POOL}/chunter-{tag(command.id)}-old")
        self._live = Moved(self.vm, root_of(self.target))
        self._swap = Swap(tools.zfs, tools.backups.datasets, tools.vmadm, tools.backups.zone_files, tools.host_lock)
        self._begun = time.monotonic()

    async def look(self) -> tuple[Account, Route]:
        """The way, and that it can be gone. Raises what stands against it; touches nothing."""
        machine = await self._machine(self.target)
        if machine is not None and self.params.as_uuid is not None:
            raise AlreadyExists(f"there is a machine {self.target} already; as_uuid wants one that there is not")
        if machine is not None and machine.get("state") != "stopped":
            state = machine.get("state")
            raise InvalidState(f"the machine {self.target} is {state}: stop it, then restore it", {"state": state})
        account = self._backups.stores.account(self.params.s3)
        found = await self._route(account)
        if machine is None and found.xml is None:
            raise InvalidState(
                f"this host does not know the machine {self.target}, and the backup has no configuration of it (xml)"
            )
        available_bytes = await self._backups.datasets.available_bytes(POOL)
        route.check_space(found, available_bytes, copied_bytes=await self._copied_bytes(found))
        return account, found

    async def run(self, tell: Tell) -> dict[str, Any]:
        """Restore; what the command answers."""
        await self.memo.load()
        if "swap" not in self.memo.known:
            account, found = await self.look()
            tell(told.update(self.target, self.params.snapshot, {"state": "restoring"}))
            xml = await self._receive(account, found, tell)
            tell(Progress("swapping", 1, 1))
            noted = {"exchange": (await self._exchange(found, xml)).as_dict(), "path": found.shown()}
            await self.memo.keep("swap", {**noted, "files": found.keys, "lost": await self._lost(found)})
        noted = self.memo.known["swap"]
        left = await self._settle(Exchange(**noted["exchange"]))
        return {
            "uuid": self.target,
            "snapshot": self.params.snapshot,
            "path": noted["path"],
            "files": noted["files"],
            "lost": noted["lost"],
            "seconds": round(time.monotonic() - self._begun, 3),
            **({"left": left} if left else {}),
        }

    async def undo(self) -> None:
        """After a failure: what was received goes; the machine was not touched, or is as it was."""
        if "astray" in self.memo.known:
            return  # what is where is in the log and in the fault; nothing may be thrown away
        left = ""
        for name in disks.tops(self.memo.known.get(RECEIVING, ())):
            try:
                await self._backups.datasets.discard(name)
            except Fault as fault:
                log.warning("backup.received_left", extra={"dataset": name, "reason": fault.message})
                left = RECEIVING  # it is noted still, and goes later
        await self.memo.forget(but=left)

    # --- looking

    async def _machine(self, vm: str) -> dict[str, Any] | None:
        try:
            return await self._tools.vmadm.get(vm)
        except NotFound:
            return None

    async def _route(self, account: Account) -> Route:
        with self._backups.stores.transfer(account, patience=BRIEF) as means:
            points = await in_thread(lambda: self._points(means), means.stop)
            if self.params.snapshot not in points or self.params.parents:
                sizes = await in_thread(lambda: self._sizes(means), means.stop)
                names = (*self.params.parents, self.params.snapshot)
                return route.by_keys(self.vm, names, sizes, self.params.sha1 or {}, self._backups.stores.piece_bytes)
        return route.by_manifests(points, self.params.snapshot, await self._local(points))

    def _points(self, means: Transfer) -> dict[str, Manifest]:
        """The backups on the way back from the target, as far as there are any."""
        found: dict[str, Manifest] = {}
        name: str | None = self.params.snapshot
        while name is not None and name not in found:
            one = means.attempt(lambda each=name: plan.find(means.bucket, self.vm, each), f"look for the backup {name}")  # type: ignore[misc] # mypy does not infer it
            if one is None:
                break
            found[name] = one
            name = one.parent.name if one.parent is not None else None
        return found

    def _sizes(self, means: Transfer) -> dict[str, int]:
        return means.attempt(lambda: dict(means.bucket.keys(f"{self.vm}/")), f"list the objects of {self.vm}")

    async def _local(self, points: dict[str, Manifest]) -> dict[str, dict[str, str]]:
        """The snapshots on the way that are here, with their GUIDs."""
        found: dict[str, dict[str, str]] = {}
        for name in route.chain_names(points, self.params.snapshot):
            for dataset in points[name].snapshot.guids:
                full = f"{dataset}@{name}"
                if await self._backups.datasets.exists(full):
                    found.setdefault(name, {})[dataset] = str(await self._backups.datasets.guid(full))
        return found

    async def _copied_bytes(self, found: Route) -> int:
        """What comes from snapshots of this host, as it lies on the pool."""
        known = [await self._backups.datasets.get(name, ("referenced",)) for name in found.copied]
        return sum(int(one["referenced"]) for one in known)

    async def _there(self, found: Route) -> list[str]:
        """What is in the machine's place now."""
        names: list[str] = []
        for name in disks.tops(found.datasets):
            live = self._live(name)
            if await self._backups.datasets.exists(live):
                names += [one.name for one in await self._tools.zfs.datasets(live)]
        return names

    async def _lost(self, found: Route) -> list[str]:
        """Snapshots of the machine's root that are not on the way."""
        root = self._live(found.datasets[0])
        if not await self._backups.datasets.exists(root):
            return []
        passed = {leg.snapshot for leg in found.legs}
        return [one.name for one in await self._tools.zfs.snapshots(root) if one.name not in passed]

    # --- receiving

    async def _receive(self, account: Account, found: Route, tell: Tell) -> str | None:
        """All streams; the zone's configuration, for the machine that there will be."""
        await self.memo.keep(RECEIVING, [self.received(name) for name in found.datasets])
        total = found.total_bytes

        def note(now: Moving) -> None:
            tell(Progress("restoring", now.raw_bytes, max(total, now.raw_bytes)))

        def announce(leg: Leg) -> None:
            log.info("backup.leg", extra={"snapshot": leg.snapshot, "kind": leg.kind})

        with self._backups.stores.transfer(account, meter=Meter(note)) as means:
            streams, datasets = self._backups.streams, self._backups.datasets
            receiving = Receiving(streams, datasets, means, self.received, self._backups.stores.reads)
            xml = await receiving.document(found.xml) if found.xml is not None else None
            await receiving.run(found, announce)
        return None if xml is None else xml.decode().replace(self.vm, self.target)

    async def _exchange(self, found: Route, xml: str | None) -> Exchange:
        there = await self._there(found)
        moves, kept = exchange(found.datasets, there, self._live, self.received, self._old)
        before = await self._backups.zone_files.read(self.target)
        now = await disks.properties(self._backups.datasets, there)
        properties = {self._live(name): values for name, values in found.properties.items()} or now
        renamed = {
            name: {prop: value.replace(self.vm, self.target) for prop, value in values.items()}
            for name, values in properties.items()
            if name in {self._live(one) for one in found.datasets}
        }
        return Exchange(
            vm=self.target,
            moves=moves,
            kept=kept,
            properties=renamed,
            xml=xml,
            xml_before=None if before is None else before.decode(),
            listed_before=await self._backups.zone_files.is_listed(self.target),
            zoned=[name for name, values in now.items() if values["zoned"] == "on"],
            cores=await self._wants_cores(),
        )

    async def _wants_cores(self) -> bool:
        exists = self._backups.datasets.exists
        return await exists(CORES) and not await exists(cores_of(self.target))

    # --- swapping

    async def _settle(self, to: Exchange) -> list[str]:
        """Forward, or back when that fails; names of what could not be thrown away."""
        if "proven" not in self.memo.known:
            try:
                await self._swap.forward(to)
            except BaseException as fault:
                await _through(self._back(to, fault))
                raise
            await self.memo.keep("proven", True)
        try:
            await _through(self._swap.finish(to))
        except Fault as fault:
            log.warning("backup.old_left", extra={"reason": fault.message})
            return [old for _, _, old in to.moves]
        return []

    async def _back(self, to: Exchange, why: BaseException) -> None:
        try:
            await self._swap.back(to)
        except Fault as fault:
            await self.memo.keep("astray", True)
            log.critical("backup.swap_stuck", extra={"reason": fault.message, "moves": list(to.moves)})
            if isinstance(why, Fault):
                why.details["moves"] = list(to.moves)


async def _through(work: Coroutine[Any, Any, None]) -> None:
    """To its end; a cancellation meanwhile is raised after it."""
    task = asyncio.ensure_future(work)
    await ended(task)
    task.result()
