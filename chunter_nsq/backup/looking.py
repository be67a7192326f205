"""backup.verify: a look at every file of a backup, at the level that is asked for."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from chunter_nsq.actions import Progress
from chunter_nsq.backup import keeping
from chunter_nsq.backup.course import Tell
from chunter_nsq.backup.disks import POOL, Moved, tops
from chunter_nsq.backup.means import Backups
from chunter_nsq.backup.receiving import Receiving
from chunter_nsq.backup.route import by_manifests, check_space
from chunter_nsq.backup.streamcheck import StreamCheck
from chunter_nsq.errors import Cancelled, Fault
from chunter_nsq.memo import RECEIVING, Memo, tag
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.chain import Points
from chunter_nsq.storage.download import Download
from chunter_nsq.storage.manifest import File, Manifest
from chunter_nsq.storage.progress import Meter
from chunter_nsq.storage.progress import Progress as Moving
from chunter_nsq.storage.transfer import Transfer
from chunter_nsq.storage.verify import Verdict, verify_catalogue, verify_hash, wanted

log = logging.getLogger(__name__)

Verdicts = dict[str, list[dict[str, Any]]]


class Look:
    """One look; what it finds is key to faults, none of them for a good file."""

    def __init__(self, backups: Backups, account: Account, memo: Memo, vm: str) -> None:
        self._backups = backups
        self._account = account
        self._memo = memo
        self._vm = vm
        self._beside = Moved(vm, f"{POOL}/chunter-{tag(memo.command_id)}")

    async def run(self, snapshot: str, level: str, tell: Tell) -> Verdicts:
        """All files. Raises NotFound, and what kept it from looking, such as a store that is away."""
        await self._memo.load()
        try:
            manifest = await keeping.one(self._backups.stores, self._account, self._vm, snapshot)
            tell(Progress("verifying", 0, manifest.size or None))
            if level == "restore":
                return await self._restore(manifest, tell)
            return await self._read(manifest, level, tell)
        finally:
            await self._clear()

    async def _clear(self) -> None:
        """Also what an earlier run of the command received; what cannot go yet is noted still, and goes later."""
        done = True
        for one in self._memo.known.get(RECEIVING, ()):
            try:
                await self._backups.datasets.discard(one)
            except Fault as fault:
                log.warning("backup.received_left", extra={"dataset": one, "reason": fault.message})
                done = False
        if done:
            await self._memo.forget()

    async def _read(self, manifest: Manifest, level: str, tell: Tell) -> Verdicts:
        meter = _meter(manifest, tell)
        if level == "stream":  # each file with means of its own: the first damaged one stops what reads it
            looks = [partial(self._stream, manifest, file) for file in manifest.files]
        else:
            looks = [partial({"catalogue": verify_catalogue, "hash": self._hash}[level], manifest=manifest)]
        found = [await keeping.verified(self._backups.stores, self._account, meter, look) for look in looks]
        return {one.key: list(one.faults) for verdicts in found for one in verdicts}

    def _hash(self, means: Transfer, manifest: Manifest) -> tuple[Verdict, ...]:
        return verify_hash(means, manifest, readers=self._backups.stores.reads.readers)

    def _stream(self, manifest: Manifest, file: File, means: Transfer) -> tuple[Verdict, ...]:
        """Every byte, unpacked, and that it is a stream between the snapshots that the manifest says."""
        check = StreamCheck(file.key) if file.dataset is not None else None
        sink = check if check is not None else _Nowhere()
        try:
            Download(means, wanted(file), reads=self._backups.stores.reads).run(sink)
            if check is not None and file.dataset is not None:
                base = manifest.parent.guids.get(file.dataset, "0") if manifest.parent is not None else "0"
                check.finish(manifest.snapshot.guids[file.dataset], base)
        except Fault as fault:
            if fault.transient or isinstance(fault, Cancelled):
                raise
            return (Verdict(file.key, (fault.as_dict(),)),)
        return (Verdict(file.key),)

    async def _restore(self, manifest: Manifest, tell: Tell) -> Verdicts:
        """The whole chain into datasets beside the machine, which go again."""
        stores, name = self._backups.stores, manifest.snapshot.name
        found = await keeping.ask(stores, self._account, partial(self._points))
        route = by_manifests(found, name, {})
        check_space(route, await self._backups.datasets.available_bytes(POOL))
        await self._memo.keep(RECEIVING, tops([self._beside(one) for one in route.datasets]))
        verdicts: Verdicts = {file.key: [] for file in manifest.files}
        try:
            with stores.transfer(self._account, meter=_meter(manifest, tell)) as means:
                streams, datasets = self._backups.streams, self._backups.datasets
                receiving = Receiving(streams, datasets, means, self._beside, stores.reads)
                await receiving.run(route, lambda leg: tell(Progress(f"receiving {leg.snapshot}", 0, None)))
        except Fault as fault:
            if fault.transient:
                raise
            verdicts.setdefault(str(fault.details.get("key", manifest.key)), []).append(fault.as_dict())
        return verdicts

    def _points(self, means: Transfer) -> Points:
        return keeping.of_vm(means, self._vm)


def _meter(manifest: Manifest, tell: Tell) -> Meter:
    total = manifest.size

    def note(now: Moving) -> None:
        tell(Progress("verifying", now.stored_bytes, max(total, now.stored_bytes)))

    return Meter(note)


class _Nowhere:
    def write(self, data: memoryview, /) -> int:
        """Take all and keep nothing."""
        return len(data)
