"""snapshot.store: a snapshot as an image, in the store or as a file of the host.

Theory: the command keeps its machine's place only until its snapshot is held; the stream goes on beside later
commands, and those that would take the snapshot away wait. The manifest comes last and is read back: without one there
is no image. Run again after a crash it goes on where the upload was cut off; a file is written anew.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from chunter_nsq.actions import Progress
from chunter_nsq.backup.course import Tell
from chunter_nsq.backup.holds import Holds
from chunter_nsq.errors import Fault, NotFound
from chunter_nsq.ground import Ground
from chunter_nsq.images.document import Content, Source, check, manifest, source_of
from chunter_nsq.images.place import InBucket, InFolder, Place, has_store
from chunter_nsq.memo import Memo
from chunter_nsq.messages.command import Command
from chunter_nsq.messages.image_params import SnapshotStore
from chunter_nsq.smartos import zfs_stream_argv
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.storage.progress import Meter
from chunter_nsq.storage.progress import Progress as Moving
from chunter_nsq.tools import Tools

log = logging.getLogger(__name__)


class Storing:
    """One snapshot.store."""

    def __init__(self, tools: Tools, command: Command) -> None:
        self.params: SnapshotStore = command.params
        self.vm = checked_uuid(command.uuid or "")
        self.memo = Memo(tools.outbox, command.id)
        self._tools = tools
        self._command_id = command.id
        self._holds = Holds(tools.zfs, command.id)
        self._place: Place | None = None
        self._machine: dict[str, Any] = {}
        self._source: Source
        self._begun = time.monotonic()

    @property
    def snapshot(self) -> str:
        """The snapshot in full."""
        return f"{self._source.dataset}@{self.params.snapshot}"

    async def look(self) -> None:
        """What there is; raises what stands against it, and touches nothing."""
        check(self.params.manifest or {}, self.params.image)
        self._machine = await self._tools.vmadm.get(self.vm)
        self._source = source_of(self._machine)
        if not await self._tools.zfs.exists(self.snapshot):
            raise NotFound(f"there is no snapshot {self.snapshot}: make it with snapshot.create first")
        self._place = self._chosen()
        await self._place.check_free()

    async def plan(self) -> dict[str, Any]:
        """What a dry run tells."""
        await self.look()
        found = {"type": self._source.type, "dataset": self._source.dataset, "bytes": await self._estimate()}
        argv = [list(zfs_stream_argv.send_argv(self.snapshot))]
        return {"dry_run": True, "argv": argv, "found": {**found, "in_store": isinstance(self._place, InBucket)}}

    async def prepare(self) -> Ground:
        """Look, and hold the snapshot; what the command stands on then."""
        await self.memo.load()
        await self.look()
        await self.memo.keep("holds", [self.snapshot])
        await self._holds.take([self.snapshot])
        names = [one.name for one in await self._tools.zfs.snapshots(self._source.dataset)]
        return Ground(self.params.snapshot, older=frozenset(names[: names.index(self.params.snapshot)]))

    async def run(self, tell: Tell) -> dict[str, Any]:
        """Store it; what the command answers."""
        assert self._place is not None  # noqa: S101 - prepare comes first
        estimate_bytes = await self._estimate()

        def note(now: Moving) -> None:
            tell(Progress("storing", now.raw_bytes, max(estimate_bytes, now.raw_bytes)))

        content = await self._place.store(self.snapshot, estimate_bytes, Meter(note))
        tell(Progress("committing", 1, 1))
        document = await self._manifest(content)
        where = await self._place.commit(document)
        await self._holds.release()
        return {
            "image": self.params.image,
            "snapshot": self.params.snapshot,
            "size": content.size,
            "sha1": content.sha1,
            "sha256": content.sha256,
            **where,
            "manifest": document,
            "seconds": round(time.monotonic() - self._begun, 3),
        }

    async def undo(self, *, hasty: bool) -> None:
        """After a failure: no file, no object, no hold, no note; the snapshot stays."""
        self._holds.adopt(self.memo.known.get("holds", ()))
        await self._holds.release()
        if self._place is not None:
            await self._place.undo(hasty=hasty)
        await self.memo.forget()

    def _chosen(self) -> Place:
        image, given = self.params.image, self.params.s3
        if has_store(self._tools.config(), given):
            return InBucket(image, self._tools, self.memo, given, self._command_id)
        return InFolder(image, self._tools, self.memo)

    async def _manifest(self, content: Content) -> dict[str, Any]:
        origin: dict[str, Any] = {}
        if self._source.image is not None:
            try:
                origin = (await self._tools.imgadm.get(self._source.image)).get("manifest") or {}
            except Fault as fault:  # what it says of its content is only missed
                log.warning("image.origin_unknown", extra={"image": self._source.image, "reason": fault.message})
        given = self.params.manifest or {}
        return manifest(self.params.image, self._source, self._machine, origin, given, content, now=time.time())

    async def _estimate(self) -> int:
        """Only a guess is lost when it fails; what really is the matter the stream itself will say."""
        try:
            return (await self._tools.backups.streams.estimate(self.snapshot)).size_bytes
        except Fault as fault:
            log.warning("image.no_estimate", extra={"snapshot": self.snapshot, "reason": fault.message})
            return 0
