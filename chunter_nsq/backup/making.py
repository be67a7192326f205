"""backup.create: one snapshot of all that a machine is, its streams in the store, and a manifest last.

Theory: the command runs in two parts. ``prepare`` keeps the machine's place: it looks at the host and the store, makes
the snapshot and holds it. ``run`` goes on beside later commands: streams, zone XML, then the manifest, which is read
back; from that moment there is a backup, and only then may anything be deleted here. Run again after a crash it finds
by its notes what is stored already, reads the same snapshot again, and sends only what is missing; a manifest that is
there already is its own.

Not promised: that the keys of a command outlive the agent; without them such a backup ends as interrupted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from chunter_nsq.actions import Progress
from chunter_nsq.backup import disks, plan, record, thinning, told, uploads
from chunter_nsq.backup.course import Tell
from chunter_nsq.backup.holds import Holds
from chunter_nsq.backup.leftovers import place
from chunter_nsq.backup.plan import Outlook, Plan, Stretch
from chunter_nsq.backup.stores import BRIEF
from chunter_nsq.backup.uploads import Uploads
from chunter_nsq.errors import Fault
from chunter_nsq.ground import Ground
from chunter_nsq.memo import Memo
from chunter_nsq.messages.backup_params import BackupCreate
from chunter_nsq.messages.command import Command
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.smartos.zfs_stream_argv import SendFlags
from chunter_nsq.storage import catalogue, progress
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.manifest import File, Manifest
from chunter_nsq.storage.progress import Meter
from chunter_nsq.storage.state import UploadState
from chunter_nsq.storage.transfer import Transfer, in_thread
from chunter_nsq.tools import Tools

log = logging.getLogger(__name__)


class Making:
    """One backup.create."""

    def __init__(self, tools: Tools, command: Command) -> None:
        self.params: BackupCreate = command.params
        self.vm = checked_uuid(command.uuid or "")
        self.memo = Memo(tools.outbox, command.id)
        self._tools = tools
        self._backups = tools.backups
        self._command = command
        self._holds = Holds(tools.zfs, command.id)
        self.committed: Manifest | None = None
        self.is_local = True
        self._kept: str | None = None
        self._account: Account | None = None
        self._begun = time.monotonic()

    async def look(self) -> Outlook:
        """What there is on the host and in the store; raises what keeps this backup from being made."""
        self._account = self._backups.stores.account(self.params.s3)
        machine = await self._tools.vmadm.get(self.vm)
        names = await disks.datasets(self._tools.zfs, machine)
        stored, parent = await self._stored()
        streams = self._backups.streams
        flags = await plan.flags(streams, parent, as_stored=self._backups.stores.sends_as_stored)
        bases = {}
        if parent is not None:
            bases = await plan.bases(streams, self._backups.datasets, parent, names, flags.words())
        snapshot = self.params.snapshot
        stretches = tuple(Stretch(name, f"{name}@{snapshot}", bases.get(name)) for name in names)
        return Outlook(machine, stretches, flags, stored, parent)

    async def prepare(self) -> Plan:
        """Look, make the snapshot, hold it. Raises what keeps this backup from being made."""
        await self.memo.load()
        seen = await self.look()
        assert self._account is not None  # noqa: S101 - looking finds it
        await self.memo.keep("store", place(self._account))
        snapshot = self.params.snapshot
        if seen.stored is None:
            await self._snapshot([one.snapshot for one in seen.stretches])
        guids = {one.dataset: str(await self._backups.datasets.guid(one.snapshot)) for one in seen.stretches}
        made = plan.check_stored(seen.stored, guids, resumed=self._command.resumed is not None)
        older = await self._older(seen.stretches[0].dataset)
        ground = Ground(snapshot, self.params.parent, older)
        made_of = Plan(self.vm, snapshot, seen.stretches, seen.flags, seen.parent, seen.machine, ground, made)
        await self.memo.keep("holds", made_of.held)
        await self._holds.take(made_of.held)
        return made_of

    async def run(self, made_of: Plan, tell: Tell) -> Manifest:
        """Store it; raises what kept it from being stored, and then nothing of it is."""
        manifest = made_of.made
        if manifest is None:
            assert self._account is not None  # noqa: S101 - prepare comes first
            tell(told.update(self.vm, made_of.snapshot, {"state": "uploading"}))
            total_bytes, estimates = await self._estimates(made_of)
            with self._backups.stores.transfer(self._account, meter=_meter(tell, total_bytes)) as transfer:
                manifest = await self._store(transfer, made_of, estimates, tell)
            self.committed = manifest
        await self._holds.release()
        await self._thin_out(made_of, manifest, tell)
        return manifest

    async def undo(self, *, hasty: bool) -> None:
        """After a failure: no object, no hold, no note; the snapshot stays, and so does a backup that is complete."""
        self._holds.adopt(self.memo.known.get("holds", ()))
        released = await self._holds.release()
        left = [one for one in uploads.states(self.memo) if not one.is_empty]
        if left and self.committed is None:
            if self._account is None:
                await self._backups.leftovers.keep(self.memo.known.get("store"), left)
            else:
                await self._clean(self._account, left, hasty=hasty)
        await self.memo.forget(but="" if released else "holds")

    async def _clean(self, account: Account, left: list[UploadState], *, hasty: bool) -> None:
        with self._backups.stores.transfer(account, patience=BRIEF) as transfer:
            if not await uploads.clean(transfer, left, self.memo.known.get("committing"), hasty=hasty):
                await self._backups.leftovers.keep(place(account), left)

    def result(self, made_of: Plan, manifest: Manifest) -> dict[str, Any]:
        """What the command answers."""
        kept = {} if self._kept is None else {"kept": self._kept}
        return {
            "snapshot": made_of.snapshot,
            "parent": self.params.parent,
            "files": {file.key: told.file(file) for file in manifest.files},
            "size": manifest.size,
            "seconds": round(time.monotonic() - self._begun, 3),
            **kept,
        }

    # --- looking

    async def _stored(self) -> tuple[Manifest | None, Manifest | None]:
        """The backup of that name, and the parent."""
        vm, name, parent = self.vm, self.params.snapshot, self.params.parent
        plan.check_names(name, parent)

        def look(transfer: Transfer) -> tuple[Manifest | None, Manifest | None]:
            def find(each: str) -> Manifest | None:
                return transfer.attempt(lambda: plan.find(transfer.bucket, vm, each), f"look for the backup {each}")

            return find(name), find(parent) if parent is not None else None

        stored, found = await self._ask(look)
        if stored is not None and self._command.resumed is None:
            plan.check_stored(stored, {}, resumed=False)
        plan.check_parent(parent, found)
        return stored, found

    async def _ask(self, look: Callable[[Transfer], Any]) -> Any:
        assert self._account is not None  # noqa: S101 - prepare comes first
        stores = self._backups.stores
        with stores.transfer(self._account, patience=BRIEF) as means:
            return await in_thread(lambda: look(means), means.stop)

    async def _snapshot(self, names: list[str]) -> None:
        """Make it unless it is there; a half of it that this command made before a crash is made anew."""
        zfs = self._tools.zfs
        create = self.params.create if self._command.resumed is None else None
        if "snapshot" in self.memo.known:
            present = [name for name in names if await zfs.exists(name)]
            if len(present) == len(names):
                return
            for name in present:
                await zfs.destroy_snapshot(name)
        if await plan.wants_snapshot(zfs, names, create):
            await self.memo.keep("snapshot", names)
            await zfs.snapshot(names)

    async def _older(self, root: str) -> frozenset[str]:
        """By their order on the root: what a rollback past this backup's snapshots would be to."""
        names = [one.name for one in await self._tools.zfs.snapshots(root)]
        first = self.params.parent if self.params.parent in names else self.params.snapshot
        return frozenset(names[: names.index(first)] if first in names else ())

    # --- storing

    async def _estimates(self, made_of: Plan) -> tuple[int, dict[str, int]]:
        found = {one.dataset: await self._estimate(one, made_of.flags) for one in made_of.stretches}
        return sum(found.values()), found

    async def _estimate(self, stretch: Stretch, flags: SendFlags) -> int:
        """Only a guess is lost when it fails; what really is the matter the stream itself will say."""
        try:
            return (await self._backups.streams.estimate(stretch.snapshot, stretch.base, flags)).size_bytes
        except Fault as fault:
            log.warning("backup.no_estimate", extra={"snapshot": stretch.snapshot, "reason": fault.message})
            return 0

    async def _store(self, transfer: Transfer, made_of: Plan, estimates: dict[str, int], tell: Tell) -> Manifest:
        sending = Uploads(self._backups.stores, transfer, self.memo, self._command.id)
        prefix = f"{self.vm}/{made_of.snapshot}"
        files: list[File] = []
        for one in made_of.stretches:
            key = prefix + disks.suffix(self.vm, one.dataset)
            file = await sending.stream(self._backups.streams, one, key, made_of.flags, estimates[one.dataset])
            tell(told.update(self.vm, made_of.snapshot, {"files": {file.key: told.file(file)}}))
            files.append(file)
        xml = await self._backups.zone_files.read(self.vm) if self.params.xml else None
        if xml:
            files.append(await sending.document(xml, f"{prefix}.xml"))
            tell(told.update(self.vm, made_of.snapshot, {"xml": True}))
        tell(Progress("committing", 1, 1))
        manifest = await record.manifest(self._tools, made_of, tuple(files))
        await self.memo.keep("committing", {"key": manifest.key, "content": manifest.encoded().decode()})
        await in_thread(lambda: catalogue.commit(transfer, manifest), transfer.stop)
        return manifest

    # --- afterwards

    async def _thin_out(self, made_of: Plan, manifest: Manifest, tell: Tell) -> None:
        """What may go from this host, when the store says again that it has the backup; else all stays, and says so."""
        chosen = self.params.delete
        try:
            if chosen != "none":
                stored = await self._ask(lambda transfer: plan.find(transfer.bucket, self.vm, made_of.snapshot))
                plan.check_read_back(manifest, stored)
            if chosen in ("snapshot", "both"):
                await self._destroy(made_of, made_of.snapshot, tell, mark=True)
                self.is_local = False
            if chosen in ("parent", "both") and self.params.parent is not None:
                await self._destroy(made_of, self.params.parent, tell, mark=False)
        except Fault as fault:
            log.warning("backup.not_deleted", extra={"reason": fault.message})
            self._kept = fault.message

    async def _destroy(self, made_of: Plan, snapshot: str, tell: Tell, *, mark: bool) -> None:
        names = [f"{one.dataset}@{snapshot}" for one in made_of.stretches]
        await thinning.destroy(self._tools.zfs, self._backups.streams, names, mark=mark)
        tell(told.update(self.vm, snapshot, {"local": False}))
        tell(told.snapshot_deleted(self.vm, snapshot))


def _meter(tell: Tell, total_bytes: int) -> Meter:
    def note(now: progress.Progress) -> None:
        tell(Progress("uploading", now.raw_bytes, max(total_bytes, now.raw_bytes)))

    return Meter(note)
