"""Where the images of this host go: a bucket, or a folder of the host when there is no store.

Responsibilities: whether an image of that name is there already; the file, whole or not at all; the manifest, written
last and read back: an image counts from then on. What a command has to remember of an upload is kept by its memo.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from chunter_nsq.backup import uploads
from chunter_nsq.backup.course import ended
from chunter_nsq.backup.leftovers import IMAGE_SUFFIX, place
from chunter_nsq.backup.plan import Stretch
from chunter_nsq.backup.stores import BRIEF, Stores
from chunter_nsq.backup.uploads import Uploads
from chunter_nsq.config import Config
from chunter_nsq.errors import AlreadyExists, InsufficientResources, InvalidState, StorageFailed, Unsupported
from chunter_nsq.images.document import COMPRESSION, Content
from chunter_nsq.memo import Memo
from chunter_nsq.messages.backup_params import Given
from chunter_nsq.smartos.streams import Source
from chunter_nsq.smartos.zfs_stream_argv import PLAIN
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.compress import codec
from chunter_nsq.storage.crew import Crew
from chunter_nsq.storage.faults import StorageMissing, strange
from chunter_nsq.storage.packing import Packing
from chunter_nsq.storage.progress import Meter
from chunter_nsq.storage.transfer import Transfer, in_thread
from chunter_nsq.tools import Tools

SUFFIX = IMAGE_SUFFIX
_COMMITTING = "committing"
_NOWHERE = Account(endpoint="", bucket="")


class Place(Protocol):
    """One image on its way to where images are kept."""

    async def check_free(self) -> None:
        """Raises AlreadyExists when an image of that name is there that this command did not make."""

    async def store(self, snapshot: str, estimate_bytes: int, meter: Meter) -> Content:
        """The snapshot's stream as the image's file."""

    async def commit(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Write the manifest; where file and manifest are, for the result."""

    async def undo(self, *, hasty: bool) -> None:
        """Leave nothing of an image that has no manifest."""


def for_images(config: Config) -> Config:
    """The configuration as it is for images: their bucket, and what imgadm can unpack."""
    return replace(config, s3_bucket=config.s3_image_bucket or config.s3_bucket, backup_compression=COMPRESSION)


def has_store(config: Config, given: Given | None) -> bool:
    """Whether images go into a store; without one they become files of this host."""
    return given is not None or bool(config.s3_endpoint)


class InBucket:
    """An object of the image bucket, and beside it the manifest."""

    def __init__(self, image: str, tools: Tools, memo: Memo, given: Given | None, command_id: str) -> None:
        self._image = image
        self._shared = tools.backups.stores
        self._own = Stores(lambda: for_images(tools.config()))
        self._streams = tools.backups.streams
        self._memo = memo
        self._command_id = command_id
        try:
            self._account = self._own.account(given)
        except InvalidState as fault:
            raise InvalidState(
                "there is no store for images: set s3.endpoint and s3.image_bucket in chunter.conf, or give s3 in"
                " params with its bucket",
                fault.details,
            ) from None
        self._leftovers = tools.backups.leftovers

    async def check_free(self) -> None:
        """Neither file nor manifest is there, but for what an earlier run of this command stored."""
        await self._leftovers.sweep(self._image)
        mine = {one.key for one in uploads.states(self._memo)}

        def look(means: Transfer) -> list[str]:
            names = self._image, f"{self._image}{SUFFIX}"
            return [name for name in names if means.attempt(partial(means.bucket.head, name), f"look for {name}")]

        with self._shared.transfer(self._account, patience=BRIEF) as means:
            there = await in_thread(lambda: look(means), means.stop)
        if there and not (self._image in mine or _COMMITTING in self._memo.known):
            raise AlreadyExists(
                f"there is an image {self._image} in the bucket {self._account.bucket} already: take another uuid",
                {"key": there[0], "bucket": self._account.bucket},
            )

    async def store(self, snapshot: str, estimate_bytes: int, meter: Meter) -> Content:
        """Upload; goes on where an earlier run of this command was cut off."""
        stretch = Stretch(snapshot.partition("@")[0], snapshot, None)
        with self._shared.transfer(self._account, meter=meter) as means:
            sending = Uploads(self._own, means, self._memo, self._command_id)
            file = await sending.stream(self._streams, stretch, self._image, PLAIN, estimate_bytes)
        if len(file.segments) != 1 or file.key != self._image:
            raise Unsupported(
                f"the image {self._image} does not fit one object of this store: store it as a file instead",
                {"size": file.size},
            )
        return Content(file.size, file.sha1, file.sha256)

    async def commit(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """The manifest as an object, read back and compared."""
        key, content = f"{self._image}{SUFFIX}", encoded(manifest)
        await self._memo.keep(_COMMITTING, {"key": key, "content": content.decode()})

        def work(means: Transfer) -> None:
            def once() -> None:
                means.bucket.put(key, content, "application/json")
                try:
                    is_there = means.bucket.get(key) == content
                except StorageMissing:
                    is_there = False
                if not is_there:
                    raise strange(f"write {key}", "what is read back is something else")

            means.attempt(once, f"write {key}")

        with self._shared.transfer(self._account) as means:
            await in_thread(lambda: work(means), means.stop)
        return {"bucket": self._account.bucket, "key": self._image, "manifest_key": key}

    async def undo(self, *, hasty: bool) -> None:
        """What cannot be removed in time is remembered, and removed when the store is there again."""
        left = uploads.states(self._memo)
        if not left:
            return
        with self._shared.transfer(self._account, patience=BRIEF) as means:
            if not await uploads.clean(means, left, self._memo.known.get(_COMMITTING), hasty=hasty):
                await self._leftovers.keep(place(self._account), left)


class InFolder:
    """Two files of the host, under other names until they are whole."""

    def __init__(self, image: str, tools: Tools, memo: Memo) -> None:
        folder = tools.runner.root / Path(tools.config().image_folder).relative_to("/")
        self._file = folder / f"{image}.zfs.gz"
        self._manifest = folder / f"{image}{SUFFIX}"
        self._shared = tools.backups.stores
        self._streams = tools.backups.streams
        self._memo = memo

    async def check_free(self) -> None:
        """Of an earlier run of this command whatever is there is made anew."""
        there = [path for path in (self._file, self._manifest) if await asyncio.to_thread(path.exists)]
        if there and _COMMITTING not in self._memo.known:
            raise AlreadyExists(f"there is a file {there[0]} already: take another uuid", {"file": str(there[0])})

    async def store(self, snapshot: str, estimate_bytes: int, meter: Meter) -> Content:
        """Pack the stream into the file."""
        await self._memo.keep(_COMMITTING, {"file": str(self._file)})
        sizes = self._shared.sizes(_NOWHERE.traits, estimate_bytes)
        with self._shared.transfer(_NOWHERE, meter=meter) as means:

            def write(source: Source) -> Content:
                with means.budget.lease(sizes.floor_bytes, means.stop) as lease, Crew(means.stop, "image") as crew:
                    blocks = Packing(means, lease, codec(COMPRESSION), sizes).blocks(source, crew)
                    return _write(self._file, blocks)

            return await _threaded(self._streams.send(snapshot), write, means)

    async def commit(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """The manifest as a file, read back and compared."""
        content = encoded(manifest)
        await asyncio.to_thread(_write, self._manifest, [content])
        if await asyncio.to_thread(self._manifest.read_bytes) != content:
            raise StorageFailed(f"{self._manifest} is not what was written", {"file": str(self._manifest)})
        return {"file": str(self._file), "manifest_file": str(self._manifest)}

    async def undo(self, *, hasty: bool) -> None:
        """Neither file stays."""
        del hasty
        if _COMMITTING in self._memo.known:
            for path in (self._manifest, self._file):
                for one in (path, _partial(path)):
                    await asyncio.to_thread(_remove, one)


def encoded(manifest: dict[str, Any]) -> bytes:
    """The manifest as imgadm writes it."""
    return json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n"


async def _threaded(
    opening: AbstractAsyncContextManager[Source], work: Callable[[Source], Content], means: Transfer
) -> Content:
    """Read a tool's stream in a thread; ended early, the thread is told before the tool is."""
    task: asyncio.Future[Content] | None = None
    try:
        async with opening as source:
            task = asyncio.ensure_future(in_thread(lambda: work(source), means.stop))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                means.stop.set()
                raise
    finally:
        if task is not None:
            await ended(task)


def _write(path: Path, blocks: Iterable[bytes]) -> Content:
    """A file in its place when all of it is on disk."""
    partly = _partial(path)
    sha1, sha256, size = hashlib.sha1(usedforsecurity=False), hashlib.sha256(), 0
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with partly.open("wb") as file:
            for block in blocks:
                file.write(block)
                sha1.update(block)
                sha256.update(block)
                size += len(block)
            file.flush()
            os.fsync(file.fileno())
        partly.replace(path)
    except OSError as fault:
        _remove(partly)
        why = fault.strerror or str(fault)
        raise InsufficientResources(f"cannot write {path}: {why}", {"file": str(path), "reason": why}) from fault
    except BaseException:
        _remove(partly)
        raise
    return Content(size, sha1.hexdigest(), sha256.hexdigest())


def _remove(path: Path) -> None:
    """A file is gone; where its folder is none, there was no file."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")
