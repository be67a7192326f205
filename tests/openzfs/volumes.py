"""Block devices of volumes, and machines that have some."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worlds import Ears, Host, new_uuid

IMAGES = {"kvm": "462d1d03-8457-e134-a408-cf9ea2b9be96", "bhyve": "cf6b54f9-2952-4213-ba84-b6f64a7ec229"}
MIB = 2**20
BLOCK_BYTES = 8192
DEVICES = Path("/dev/zvol")
DEVICE_SECONDS = 60.0
COMMAND_SECONDS = 400.0


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


async def with_disks(host: Host, ears: Ears, brand: str) -> tuple[str, list[str]]:
    """A stopped machine with two disks, the first of an image; its uuid, and the volumes as the host calls them."""
    wanted: dict[str, Any] = {
        "brand": brand, "alias": "disks", "ram": 256, "autoboot": False, "nics": [],
        "disks": [{"image_uuid": IMAGES[brand], "boot": True, "model": "virtio"}, {"size": 24, "model": "virtio"}],
    }  # fmt: skip
    uuid = new_uuid()
    await done(host, ears, "machine.create", uuid, payload=wanted, start=False)
    between = "-" if brand == "kvm" else "/"
    return uuid, [f"zones/{uuid}{between}disk{number}" for number in (0, 1)]


async def done(host: Host, ears: Ears, action: str, uuid: str, **params: Any) -> Any:
    """The result of a command that must succeed; everything takes its time in here."""
    answer = await ears.result(host.send(action, uuid, params=params), COMMAND_SECONDS)
    assert "succeeded" == answer["status"], answer
    return answer["result"]
