"""A stream into the store: read, packed by all cores, cut into parts of one size, many of them on their way at a time.

Responsibilities: memory within the budget, whatever is slow; order; hashes of what was read and of what is stored;
an upload that was stopped leaves nothing in the store; one that was cut off by a crash goes on where it was.

Theory: one thread reads blocks and hashes them; packers make each block smaller on its own; this thread puts the
results back in order and cuts parts; senders store them. Each byte held was taken from the budget first, so a slow
store slows the producer down and nothing else. A resumed upload reads the whole stream again and makes the same parts:
those that the store has (by hash, not by place) are not sent again, all others are, so what is completed is always this
run's stream. An object that would outgrow the store's limits is completed and the next one begun.

Not promised: that nothing is left when the store could not be asked to remove it in time: then ``left`` in the details
of the fault says what. Objects before the last of a long stream are complete before the producer's end was checked; a
stream counts only by its manifest.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from chunter_nsq.errors import Cancelled, Fault, Unsupported
from chunter_nsq.storage.compress import Codec
from chunter_nsq.storage.crew import Crew
from chunter_nsq.storage.faults import StorageUnavailable
from chunter_nsq.storage.multipart import discard
from chunter_nsq.storage.packing import Packing
from chunter_nsq.storage.patience import Patience
from chunter_nsq.storage.pipes import Reader
from chunter_nsq.storage.sizing import Sizes, resumed
from chunter_nsq.storage.state import Segment, UploadState
from chunter_nsq.storage.stop import Stop
from chunter_nsq.storage.stowing import Keep, Stowing
from chunter_nsq.storage.transfer import Transfer

log = logging.getLogger(__name__)

_CLEANING_SECONDS = 0.9  # with the threads' half second less than two: that is how soon a stop must be over
_ENDING_SECONDS = 0.3
_CLEANING = Patience(total_seconds=30, first_seconds=0.1, longest_seconds=2)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A whole stream in the store: sizes in bytes, hashes in hex; ``sha1`` and ``sha256`` are of what is stored."""

    key: str
    codec: str
    size: int
    raw_size: int
    sha1: str
    sha256: str
    raw_sha256: str
    segments: tuple[Segment, ...]


class Upload:
    """One stream to one key; used once.

    ``state`` is that of an earlier run of the same upload: the sizes are those of that run, and ``packer`` must be its
    (``codec(state.codec, state.engine)``), else Unsupported is raised. With ``keep`` what was stopped, or failed
    because the store was away, stays there, to be gone on with or discarded by whoever kept its state.
    """

    def __init__(
        self,
        transfer: Transfer,
        key: str,
        packer: Codec,
        sizes: Sizes,
        *,
        state: UploadState | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._transfer = transfer
        if state is not None and state.engine != packer.engine:
            raise Unsupported(f"{key} was begun with {state.engine} and cannot be gone on with by {packer.engine}")
        self._packer = packer
        self._sizes = sizes if state is None else resumed(state, sizes)
        self._keep = keep
        self._state = state or UploadState(
            key, packer.name, packer.engine, sizes.part_bytes, sizes.block_bytes, sizes.segment_parts
        )
        self._stowing: Stowing | None = None

    def run(self, source: int | Reader, check: Callable[[], None]) -> Uploaded:
        """Move the stream; blocks until it is in the store.

        ``check`` is called when the source has ended, before anything is completed: it waits for who made the stream
        and raises when one of them failed.

        Raises:
            StorageFailed: the store refused, or was away for longer than patience lasts.
            AlreadyExists: there is an object of that name.
            Cancelled: it was stopped.
        """
        try:
            return self._run(source, check)
        except (Cancelled, StorageUnavailable) as fault:
            if self._keep is None:
                self._clean(fault)
            elif self._stowing is not None:
                self._stowing.note()
            raise
        except BaseException as fault:
            self._clean(fault)
            raise

    def _run(self, source: int | Reader, check: Callable[[], None]) -> Uploaded:
        transfer, sizes = self._transfer, self._sizes
        with (
            transfer.stop.calling(transfer.bucket.hang_up),
            transfer.budget.lease(sizes.floor_bytes, transfer.stop) as lease,
        ):
            packing = Packing(transfer, lease, self._packer, sizes)
            stowing = self._stowing = Stowing(transfer, lease, sizes, self._state, self._keep)
            with Crew(transfer.stop, "upload") as crew:
                send = crew.workers(sizes.uploads, "send")
                for packed in packing.blocks(source, crew):
                    stowing.add(packed, send)
                stowing.finish(send)
            check()
            segments, needless = stowing.complete()
            discard(transfer.bucket, needless, transfer.stop, transfer.patience)
        return Uploaded(
            self._state.key,
            self._packer.name,
            stowing.size,
            packing.raw_bytes,
            stowing.sha1.hexdigest(),
            stowing.sha256.hexdigest(),
            packing.raw_sha256,
            segments,
        )

    def _clean(self, fault: BaseException) -> None:
        """Leave nothing in the store; what could not be removed in time is said with the fault."""
        stowing = self._stowing
        if stowing is None or not (stowing.objects or stowing.state.beginning):
            return
        objects, begun = stowing.objects, stowing.state.beginning
        failed: list[BaseException] = []

        def clean(stop: Stop) -> None:
            try:
                discard(self._transfer.bucket, objects, stop, _CLEANING, beginning=begun)
            except BaseException as left:  # noqa: BLE001 - it is told below
                failed.append(left)

        with Stop() as stop, stop.calling(self._transfer.bucket.hang_up):
            cleaner = threading.Thread(target=clean, args=(stop,), name="upload-clean", daemon=True)
            cleaner.start()
            cleaner.join(_CLEANING_SECONDS if isinstance(fault, Cancelled) else _CLEANING.total_seconds)
            if cleaner.is_alive():
                stop.set()
                cleaner.join(_ENDING_SECONDS)
        if failed or cleaner.is_alive():
            log.warning(
                "storage.upload_left", extra={"key": self._state.key, "why": str(*failed) or "no answer in time"}
            )
            if isinstance(fault, Fault):
                fault.details["left"] = [{"key": one.key, "upload_id": one.upload_id} for one in objects]
