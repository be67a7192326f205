"""Block devices of volumes."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from pathlib import Path

from slowness import SLOWNESS

BLOCK_BYTES = 8192
DEVICES = Path("/dev/zvol")
DEVICE_SECONDS = 5.0 * SLOWNESS


@dataclass(frozen=True, slots=True)
class Volumes:
    """The volumes below ``base``, which is what the simulated host calls zones."""

    base: str

    def path(self, volume: str) -> Path:
        """The device of a volume that the host calls ``zones/...``."""
        return DEVICES / self.base / volume.partition("/")[2]

    async def content(self, volume: str) -> bytes:
        """All blocks of a volume, read from its device anew."""
        device = await self.device(volume)
        return await asyncio.to_thread(_read, device)

    async def scribble(self, volume: str, chance: random.Random, blocks: int) -> bytes:
        """Write blocks at random places, some of them only zeros; all blocks as they are then."""
        device = await self.device(volume)
        await asyncio.to_thread(_scribble, device, chance, blocks)
        return await self.content(volume)

    async def device(self, volume: str) -> Path:
        """The device, which udev makes some moments after the volume."""
        path = self.path(volume)
        async with asyncio.timeout(DEVICE_SECONDS):
            while not path.exists():
                await asyncio.sleep(0.05)
        return path


def _read(device: Path) -> bytes:
    descriptor = os.open(device, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _scribble(device: Path, chance: random.Random, blocks: int) -> None:
    with device.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for number in range(blocks):
            file.seek(chance.randrange(size // BLOCK_BYTES) * BLOCK_BYTES)
            file.write(bytes(BLOCK_BYTES) if number % 5 == 4 else chance.randbytes(BLOCK_BYTES))
        file.flush()
        os.fsync(file.fileno())


def differing(expected: bytes, found: bytes) -> list[int]:
    """The numbers of the blocks that differ; what one of them does not have differs too."""
    longest = max(len(expected), len(found))
    starts = range(0, longest, BLOCK_BYTES)
    return [at // BLOCK_BYTES for at in starts if expected[at : at + BLOCK_BYTES] != found[at : at + BLOCK_BYTES]]
