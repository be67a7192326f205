"""How large the parts of an upload are, how many go and come at a time, and when a next object is begun."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from chunter_nsq.storage.profiles import MIB, Profile
from chunter_nsq.storage.state import UploadState

BLOCK_BYTES = MIB
_MARGIN = 1.10
_SEGMENT_SHARE = 0.9
_SEGMENT_BYTES = 256 * 1024 * MIB
_PART_SHARE = 4  # so that one is filled while others are on their way
_MOST_UPLOADS = 8
_PACKERS = (os.cpu_count() or 1) + 1  # one more than can run, since each also waits for the next block


@dataclass(frozen=True, slots=True)
class Sizes:
    """``part_bytes`` is the size of each part but the last; a segment is full after ``segment_parts`` or its time.

    Some stores throw away uploads that are unfinished after a day.
    """

    part_bytes: int
    segment_parts: int
    uploads: int
    packers: int
    block_bytes: int = BLOCK_BYTES
    segment_seconds: float = 12 * 3600.0

    @property
    def floor_bytes(self) -> int:
        """With less than that in memory an upload makes no progress."""
        return self.part_bytes + 3 * self.block_bytes

    @property
    def parts_held(self) -> int:
        """Parts in memory at a time, at most: those on their way, one being filled, one ready."""
        return self.uploads + 2


@dataclass(frozen=True, slots=True)
class Reads:
    """``readers`` parts are read at a time; ``ahead`` more may lie ready until they are wanted."""

    readers: int = 5
    ahead: int = 2


def sizes(
    profile: Profile,
    budget_bytes: int,
    *,
    estimate_bytes: int | None = None,
    part_bytes: int | None = None,
    uploads: int = _MOST_UPLOADS,
) -> Sizes:
    """Sizes for one upload.

    Args:
        profile: The store's limits.
        budget_bytes: What all transfers together may hold.
        estimate_bytes: How long the raw stream may get, when somebody knows.
        part_bytes: A fixed size instead, as far as the store takes it.
        uploads: Parts on their way at a time, at most.
    """
    affordable = max(budget_bytes // _PART_SHARE, BLOCK_BYTES)
    wanted = part_bytes if part_bytes is not None else _wanted(profile, estimate_bytes or 0, affordable)
    least = 5 * MIB if part_bytes is not None else min(profile.least_part_bytes, max(affordable, 5 * MIB))
    part = min(max(wanted, least), profile.most_part_bytes)
    segment_parts = max(1, min(int(profile.max_parts * _SEGMENT_SHARE), _SEGMENT_BYTES // part))
    fit = max(1, budget_bytes // part - 2)
    return Sizes(part, segment_parts, min(uploads, fit), _PACKERS)


def resumed(state: UploadState, now: Sizes) -> Sizes:
    """The sizes of an earlier run, without which its parts could not be made again."""
    return replace(now, part_bytes=state.part_bytes, block_bytes=state.block_bytes, segment_parts=state.segment_parts)


def _wanted(profile: Profile, estimate_bytes: int, affordable: int) -> int:
    """The estimate in one segment where memory allows it; beyond that there are more segments."""
    needed = estimate_bytes * _MARGIN / (profile.max_parts * _SEGMENT_SHARE)
    rounded = -(-int(needed) // MIB) * MIB
    return min(max(rounded, profile.least_part_bytes), affordable // MIB * MIB)
