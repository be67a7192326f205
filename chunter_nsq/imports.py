"""Images on their way to this host: one import of an image at a time, however many want it.

Whoever wants an image that is being imported waits for that import and shares its end. Whoever had asked before an
import failed shares that failure too, and does not try again on its own: twenty machines that wait for one image that
cannot be had are told so at once. An import goes on as long as somebody waits for it; when it fails, or nobody does
any more, what there was of it is destroyed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from chunter_nsq.errors import Fault, NotFound
from chunter_nsq.smartos.imgadm import Imgadm
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_REMEMBERED = 100


@dataclass(eq=False, slots=True)
class _Import:
    task: asyncio.Task[None]
    waiting: set[object] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Failure:
    ended: float
    fault: Fault


class Imports:
    """The imports of one host; ``pool`` is where the images live."""

    def __init__(self, imgadm: Imgadm, datasets: ZfsDatasets, pool: str = "zones") -> None:
        self._imgadm = imgadm
        self._datasets = datasets
        self._pool = pool
        self._running: dict[str, _Import] = {}
        self._failures: dict[str, _Failure] = {}

    def is_running(self, image: str) -> bool:
        """Whether an image is on its way."""
        return image in self._running

    async def bring(self, image: str, source: str | None = None, *, asked: float) -> AsyncIterator[int]:
        """Import an image, or wait for the import of it; yields the bytes that are there, every two seconds.

        Args:
            image: Its uuid.
            source: The address to fetch it from, when it is to be that one only.
            asked: When it was asked for, epoch seconds; a failure since then is shared.

        Raises:
            Fault: why it cannot be had.
        """
        failure = self._failures.get(image)
        if failure is not None and failure.ended >= asked:
            raise _again(failure.fault)
        one = self._running.get(image) or self._start(image, source)
        me = object()
        one.waiting.add(me)
        try:
            while not (await asyncio.wait({one.task}, timeout=_LOOK_SECONDS))[0]:
                yield await self._bytes_there(image)
            if (fault := one.task.exception()) is not None:
                raise _again(fault) if isinstance(fault, Fault) else fault
        finally:
            one.waiting.discard(me)
            if not one.waiting and not one.task.done():
                one.task.cancel()
                await asyncio.gather(one.task, return_exceptions=True)

    def _start(self, image: str, source: str | None) -> _Import:
        task = asyncio.create_task(self._import(image, source), name=f"import {image}")
        task.add_done_callback(lambda ended: self._ended(image, ended))
        self._running[image] = _Import(task)
        return self._running[image]

    def _ended(self, image: str, task: asyncio.Task[None]) -> None:
        del self._running[image]
        if not task.cancelled() and task.exception() is not None:
            log.warning("imports.failed", extra={"image": image, "reason": str(task.exception())})

    async def _import(self, image: str, source: str | None) -> None:
        try:
            await self._imgadm.import_image(image, source, self._pool)
        except asyncio.CancelledError:
            await self._sweep(image)
            raise
        except Fault as fault:
            await self._sweep(image)
            self._failures.pop(image, None)
            self._failures[image] = _Failure(time.time(), fault)
            if len(self._failures) > _REMEMBERED:
                del self._failures[next(iter(self._failures))]
            raise
        self._failures.pop(image, None)

    async def _sweep(self, image: str) -> None:
        """Destroy what there is of an image that did not come."""
        try:
            await self._datasets.destroy(self._partial(image), recursive=True)
        except NotFound:
            return
        except Fault as fault:
            log.warning("imports.leftover", extra={"dataset": self._partial(image), "reason": fault.message})

    async def _bytes_there(self, image: str) -> int:
        try:
            used = (await self._datasets.get(self._partial(image), ["used"]))["used"]
        except (Fault, KeyError):
            return 0  # not begun, or just done
        return int(used) if used.isdigit() else 0

    def _partial(self, image: str) -> str:
        return f"{self._pool}/{image}-partial"


def _again(fault: Fault) -> Fault:
    """The same fault for one more who waited; an exception belongs to one task."""
    return type(fault)(fault.message, fault.details)
