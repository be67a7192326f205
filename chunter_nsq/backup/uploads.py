"""Streams and documents into the store, each noted so that a later run goes on where this one was cut off."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any

from chunter_nsq.backup.course import ended
from chunter_nsq.backup.plan import Stretch
from chunter_nsq.backup.stores import Stores
from chunter_nsq.errors import Cancelled, StorageFailed, Unsupported
from chunter_nsq.memo import Memo, tag
from chunter_nsq.smartos.zfs_streams import SendFlags, ZfsStreams
from chunter_nsq.storage import catalogue
from chunter_nsq.storage.compress import Codec, codec
from chunter_nsq.storage.faults import StorageMissing
from chunter_nsq.storage.manifest import File
from chunter_nsq.storage.multipart import discard
from chunter_nsq.storage.orphans import abort_all, orphans
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.pipes import Reader
from chunter_nsq.storage.sizing import resumed
from chunter_nsq.storage.state import UploadState
from chunter_nsq.storage.transfer import Transfer, in_thread
from chunter_nsq.storage.upload import Upload

log = logging.getLogger(__name__)

_FILE = "file "
_CLEANING = Patience(total_seconds=20.0, first_seconds=0.1, longest_seconds=2.0)
_HASTY = Patience(total_seconds=0.5, first_seconds=0.1, longest_seconds=0.2)
_CLEANING_SECONDS, _HASTY_SECONDS = 30.0, 0.9
_ENDING_SECONDS = 0.3


class Uploads:
    """The files of one backup."""

    def __init__(self, stores: Stores, transfer: Transfer, memo: Memo, command_id: str) -> None:
        self._stores = stores
        self._transfer = transfer
        self._memo = memo
        self._attempt = tag(command_id)

    async def stream(
        self, streams: ZfsStreams, stretch: Stretch, key: str, flags: SendFlags, estimate_bytes: int
    ) -> File:
        """A dataset's stream as an object.

        Raises:
            ToolFailed and its kin: ``zfs send`` did not end well, or said anything at all.
            StorageFailed: the store refused, or was away for longer than patience lasts.
        """
        opening = streams.send(stretch.snapshot, stretch.base, flags)
        return await self._store(opening, key, stretch.dataset, estimate_bytes, packed=True)

    async def document(self, content: bytes, key: str) -> File:
        """A small document as it is."""
        return await self._store(nullcontext(io.BytesIO(content)), key, None, len(content), packed=False)

    async def _store(
        self,
        opening: AbstractAsyncContextManager[Reader],
        key: str,
        dataset: str | None,
        estimate_bytes: int,
        *,
        packed: bool,
    ) -> File:
        task: asyncio.Future[File] | None = None
        try:
            async with opening as source:
                work = partial(self._upload, source, key, dataset, estimate_bytes, packed=packed)
                task = asyncio.ensure_future(in_thread(work, self._transfer.stop))
                try:
                    return await asyncio.shield(task)
                except asyncio.CancelledError:
                    self._transfer.stop.set()  # before the tool is ended, or its end would be the fault
                    raise
        finally:
            if task is not None:
                await ended(task)

    def _upload(self, source: Reader, key: str, dataset: str | None, estimate_bytes: int, *, packed: bool) -> File:
        name = f"{_FILE}{key}"
        state, packer = self._begun(self._memo.known.get(name), packed=packed)
        keep = self._memo.keeper(name)
        sizes = self._stores.sizes(self._transfer.bucket.traits, estimate_bytes)
        place = self._place(key, state)
        self._abort_unknown({place, state.beginning} - {""} if state is not None else {place}, state)
        upload = Upload(
            self._transfer,
            place,
            packer,
            sizes if state is None else resumed(state, sizes),
            state=state,
            keep=lambda now: keep(now.as_dict()),
        )
        return catalogue.file_of(upload.run(source, _nothing_more), dataset)

    def _begun(self, kept: Mapping[str, Any] | None, *, packed: bool) -> tuple[UploadState | None, Codec]:
        """What an earlier run has begun, and what goes on with it; what nobody here can go on with is begun anew."""
        state = UploadState.from_dict(kept) if kept is not None else None
        if not packed:
            return state, codec("none")
        try:
            return state, self._stores.codec(state)
        except Unsupported as fault:
            if state is None:
                raise
            log.warning("backup.begun_anew", extra={"key": state.key, "why": fault.message})
        transfer = self._transfer
        discard(transfer.bucket, state.segments, transfer.stop, transfer.patience, beginning=state.beginning)
        return None, self._stores.codec(None)

    def _place(self, key: str, state: UploadState | None) -> str:
        if state is not None:
            return state.key
        find = partial(catalogue.free_key, self._transfer.bucket, key, self._attempt)
        return self._transfer.attempt(find, f"look for {key}")

    def _abort_unknown(self, places: set[str], state: UploadState | None) -> None:
        """Of an earlier run that was killed before it could note the id."""
        known = {one.upload_id for one in state.segments} if state is not None else set[str]()
        bucket = self._transfer.bucket
        found = [one for one in orphans(bucket, places, known, begun_before=time.time() + 86400) if one.key in places]
        if found:
            log.warning("backup.orphans_aborted", extra={"key": found[0].key, "count": abort_all(bucket, found)})


async def clean(
    transfer: Transfer, left: Iterable[UploadState], committing: Mapping[str, str] | None, *, hasty: bool
) -> bool:
    """Leave nothing of a backup in the store; whether that could be done in time. The transfer is of no use afterwards.

    ``committing`` is the manifest that may have been written: it goes first, if it is that one.
    """
    patience = _HASTY if hasty else _CLEANING

    def work() -> bool:
        try:
            if committing is not None:
                patience.attempt(lambda: _withdraw(transfer, committing), transfer.stop, "withdraw the manifest")
            for state in left:
                discard(transfer.bucket, state.segments, transfer.stop, patience, beginning=state.beginning)
        except (Cancelled, StorageFailed) as fault:
            log.warning("backup.uploads_left", extra={"why": fault.message})
            return False
        return True

    task = asyncio.ensure_future(in_thread(work, transfer.stop))
    await asyncio.wait({task}, timeout=_HASTY_SECONDS if hasty else _CLEANING_SECONDS)
    if not task.done():
        transfer.stop.set()
        await asyncio.wait({task}, timeout=_ENDING_SECONDS)
    return task.done() and task.result()


def _withdraw(transfer: Transfer, committing: Mapping[str, str]) -> None:
    try:
        found = transfer.bucket.get(committing["key"])
    except StorageMissing:
        return
    if found == committing["content"].encode():
        transfer.bucket.delete(committing["key"])


def states(memo: Memo) -> list[UploadState]:
    """What is noted of uploads, of this run of a command and of earlier ones."""
    return [UploadState.from_dict(one) for name, one in memo.known.items() if name.startswith(_FILE)]


def _nothing_more() -> None:
    """A source shows its end only when its tool has ended well."""
