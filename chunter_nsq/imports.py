"""Images on their way to this host: one import of an image at a time, however many want it.

Whoever wants an image that is being imported waits for that import and shares its end. Whoever had asked before an
import failed shares that failure too, and does not try again on its own: twenty machines that wait for one image that
cannot be had are told so at once. An import goes on as long as somebody waits for it; when it fails, or nobody does
any more, what there was of it is destroyed; layers of a docker image that came whole stay, as images of their own.

A docker image is known by its name until imgadm tells the uuid: imports of a name are shared like those of a uuid.

What is coming is noted for the command that began the import, so that what a killed agent left half-made is destroyed
as well: by the next import for that command, or when it has ended, by the sweeping of what commands leave behind.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from chunter_nsq.errors import Fault
from chunter_nsq.memo import RECEIVING, Memo, Records
from chunter_nsq.smartos.docker_names import canonical
from chunter_nsq.smartos.imgadm import Imgadm, Leftover
from chunter_nsq.smartos.runner import current_command
from chunter_nsq.smartos.transcript import Transcript
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_REMEMBERED = 100


@dataclass(frozen=True, slots=True)
class Arrival:
    """How far an image is: the bytes that there are of what is coming in, and at last the uuid of what has come."""

    bytes_there: int = 0
    uuid: str | None = None


@dataclass(eq=False, slots=True)
class _Import:
    command: str
    task: asyncio.Task[str]
    transcript: Transcript
    waiting: set[object] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Failure:
    ended: float
    fault: Fault


class Imports:
    """The imports of one host; ``pool`` is where the images live."""

    def __init__(self, imgadm: Imgadm, datasets: ZfsDatasets, records: Records, pool: str = "zones") -> None:
        self._imgadm = imgadm
        self._datasets = datasets
        self._records = records
        self._pool = pool
        self._running: dict[str, _Import] = {}
        self._failures: dict[str, _Failure] = {}

    def is_running(self, image: str) -> bool:
        """Whether the image of this uuid is on its way, alone or as a layer."""
        return any(image in one.transcript.coming for one in self._running.values())

    def is_for(self, command_id: str) -> bool:
        """Whether an import goes on that this command began, whether or not it waits for it still."""
        return any(one.command == command_id for one in self._running.values())

    async def bring(self, image: str, source: str | None = None, *, asked: float) -> AsyncIterator[Arrival]:
        """Import an image, or wait for the import of it; yields how far it is, every two seconds, and the end.

        Args:
            image: Its uuid, or a docker image's name.
            source: The address to fetch it from, when it is to be that one only.
            asked: When it was asked for, epoch seconds; a failure since then is shared.

        Raises:
            Fault: why it cannot be had.
        """
        key = canonical(image)
        failure = self._failures.get(key)
        if failure is not None and failure.ended >= asked:
            raise _again(failure.fault)
        one = self._running.get(key) or self._start(key, image, source)
        me = object()
        one.waiting.add(me)
        try:
            while not (await asyncio.wait({one.task}, timeout=_LOOK_SECONDS))[0]:
                yield Arrival(await self._bytes_there(one.transcript))
            if (fault := one.task.exception()) is not None:
                raise _again(fault) if isinstance(fault, Fault) else fault
            yield Arrival(uuid=one.task.result())
        finally:
            one.waiting.discard(me)
            if not one.waiting and not one.task.done():
                one.task.cancel()
                await asyncio.gather(one.task, return_exceptions=True)

    def _start(self, key: str, image: str, source: str | None) -> _Import:
        command, transcript = current_command.get() or key, Transcript(image)
        memo = Memo(self._records, command)
        task = asyncio.create_task(self._import(key, image, source, transcript, memo), name=f"import {image}")
        task.add_done_callback(lambda ended: self._ended(key, ended))
        self._running[key] = _Import(command, task, transcript)
        return self._running[key]

    def _ended(self, key: str, task: asyncio.Task[str]) -> None:
        del self._running[key]
        if not task.cancelled() and task.exception() is not None:
            log.warning("imports.failed", extra={"image": key, "reason": str(task.exception())})

    async def _import(self, key: str, image: str, source: str | None, transcript: Transcript, memo: Memo) -> str:
        await memo.load()
        left = [str(name) for name in memo.known.get(RECEIVING, ())]

        async def note() -> None:
            await memo.keep(RECEIVING, [*dict.fromkeys([*left, *map(self._partial, transcript.coming)])])

        try:
            await note()
            uuid = await self._fetch(image, source, transcript, note)
        except asyncio.CancelledError:
            await self._sweep(memo, [*left, *map(self._partial, transcript.coming)])
            raise
        except Fault as fault:
            await self._sweep(memo, [*left, *map(self._partial, transcript.coming)])
            self._remember(key, fault)
            raise
        await self._sweep(memo, left)
        self._failures.pop(key, None)
        return uuid

    async def _fetch(
        self, image: str, source: str | None, transcript: Transcript, note: Callable[[], Awaitable[None]]
    ) -> str:
        """Import it; once more when what lay in the way is gone, since the first attempt only cleared that away."""
        try:
            return await self._imgadm.import_image(image, source, self._pool, transcript, note)
        except Leftover as fault:
            log.warning("imports.repeated", extra={"image": image, "reason": fault.message})
        return await self._imgadm.import_image(image, source, self._pool, transcript, note)

    def _remember(self, key: str, fault: Fault) -> None:
        self._failures.pop(key, None)
        self._failures[key] = _Failure(time.time(), fault)
        if len(self._failures) > _REMEMBERED:
            del self._failures[next(iter(self._failures))]

    async def _sweep(self, memo: Memo, partials: Iterable[str]) -> None:
        """Destroy what there is of images that did not come; what cannot be now stays noted."""
        gone = [await self._is_gone(partial) for partial in partials]
        if all(gone):
            await memo.forget()

    async def _is_gone(self, partial: str) -> bool:
        try:
            await self._datasets.discard(partial)
        except Fault as fault:
            log.warning("imports.leftover", extra={"dataset": partial, "reason": fault.message})
            return False
        return True

    async def _bytes_there(self, transcript: Transcript) -> int:
        """Those of the one that is being installed; imgadm installs one at a time."""
        for image in transcript.coming:
            try:
                used = (await self._datasets.get(self._partial(image), ["used"]))["used"]
            except (Fault, KeyError):
                continue  # not begun, or just done
            return int(used) if used.isdigit() else 0
        return 0

    def _partial(self, image: str) -> str:
        return f"{self._pool}/{image}-partial"


def _again(fault: Fault) -> Fault:
    """The same fault for one more who waited; an exception belongs to one task."""
    return type(fault)(fault.message, fault.details)
