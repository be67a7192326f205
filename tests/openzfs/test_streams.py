"""What only a kernel's ZFS can do, through the same wrappers: estimates, bookmarks, streams of blocks as they lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from storage_parts import dice
from stream_parts import received, sent
from volumes import BLOCK_BYTES, Volumes, differing
from zfs_pool import Pool, command

from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_features import Features
from chunter_nsq.smartos.zfs_stream_argv import PLAIN, SendFlags
from chunter_nsq.smartos.zfs_streams import ZfsStreams

pytest_plugins = ("zfs_pool", "stream_parts")


@pytest.fixture
def pool_volumes(zfs_pool: Pool) -> Volumes:
    """Volumes of the pool itself."""
    return Volumes(zfs_pool.name)


def volume(pool: Pool, name: str, *options: str) -> str:
    """A fresh volume."""
    full = f"{pool.name}/{name}"
    command("zfs", "create", "-s", "-V", "16M", *options, full)
    return full


async def test_what_it_can_do(streams: ZfsStreams) -> None:
    """All of it, by its usage; the tests below do it."""
    expected = dict.fromkeys(Features.__dataclass_fields__, True)
    assert Features(**expected) == await streams.features()


async def test_estimates_are_what_is_sent(zfs_pool: Pool, streams: ZfsStreams, pool_volumes: Volumes) -> None:
    """Send says how long a stream will be: whole, since a snapshot, since a bookmark, with blocks as they lie."""
    chance = dice()
    name = volume(zfs_pool, "estimated", "-o", "compression=lz4")
    await pool_volumes.scribble(name, chance, 300)
    command("zfs", "snapshot", f"{name}@a")
    await streams.bookmark(f"{name}@a", f"{name}#a")
    await pool_volumes.scribble(name, chance, 300)
    command("zfs", "snapshot", f"{name}@b")

    for base in (None, f"{name}@a", f"{name}#a"):
        for flags in (PLAIN, SendFlags(compressed=True, large_blocks=True, embedded=True)):
            estimate = await streams.estimate(f"{name}@b", base, flags)
            size_bytes = len(await sent(streams, f"{name}@b", base, flags))
            assert "send" == estimate.source
            assert 0.9 * size_bytes < estimate.size_bytes < 1.1 * size_bytes, (base, flags)


async def test_a_bookmark_stands_in_for_its_snapshot(
    zfs_pool: Pool, streams: ZfsStreams, datasets: ZfsDatasets, runner: Runner, pool_volumes: Volumes
) -> None:
    """Bookmarks are listed oldest first with their snapshots' GUIDs, carry an increment over, and go one by one."""
    chance = dice()
    name = volume(zfs_pool, "marked")
    copy = f"{name}-copy"
    await pool_volumes.scribble(name, chance, 100)
    guids = []
    for short in ("a", "b"):
        command("zfs", "snapshot", f"{name}@{short}")
        await streams.bookmark(f"{name}@{short}", f"{name}#m-{short}")
        guids.append(await datasets.guid(f"{name}@{short}"))
    assert [("m-a", guids[0]), ("m-b", guids[1])] == [(one.name, one.guid) for one in await streams.bookmarks(name)]
    await received(streams, copy, await sent(streams, f"{name}@b"))
    for short in ("a", "b"):
        await Zfs(runner).destroy_snapshot(f"{name}@{short}")
    expected = await pool_volumes.scribble(name, chance, 100)
    command("zfs", "snapshot", f"{name}@c")
    await received(streams, copy, await sent(streams, f"{name}@c", f"{name}#m-b"))

    assert await datasets.guid(f"{name}@c") == await datasets.guid(f"{copy}@c")
    assert [] == differing(expected, await pool_volumes.content(copy))
    await streams.destroy_bookmark(f"{name}#m-a")
    assert ["m-b"] == [one.name for one in await streams.bookmarks(name)]


async def test_blocks_as_they_lie(
    zfs_pool: Pool, streams: ZfsStreams, datasets: ZfsDatasets, pool_volumes: Volumes
) -> None:
    """A compressed dataset's stream with -c is the shorter one and becomes the same snapshot, blocks and all."""
    name = volume(zfs_pool, "squeezed", "-o", "compression=lz4")
    chance = dice()
    blocks = b"".join(chance.randbytes(BLOCK_BYTES // 4) + bytes(BLOCK_BYTES * 3 // 4) for _ in range(400))
    (await pool_volumes.device(name)).write_bytes(blocks)
    expected = await pool_volumes.content(name)
    command("zfs", "snapshot", f"{name}@a")
    plain = await sent(streams, f"{name}@a")
    compressed = await sent(streams, f"{name}@a", flags=SendFlags(compressed=True))
    await received(streams, f"{name}-copy", compressed)

    assert len(compressed) < len(plain) / 2
    assert await datasets.guid(f"{name}@a") == await datasets.guid(f"{name}-copy@a")
    assert [] == differing(expected, await pool_volumes.content(f"{name}-copy"))


async def test_an_encrypted_volume_as_it_is(
    zfs_pool: Pool, streams: ZfsStreams, datasets: ZfsDatasets, pool_volumes: Volumes, tmp_path: Path
) -> None:
    """With -w the stream is as unreadable as the disk, needs no key to be received, and with the key is all there."""
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    options = ("encryption=aes-256-gcm", "keyformat=raw", f"keylocation=file://{key}")
    name = volume(zfs_pool, "secret", *(word for option in options for word in ("-o", option)))
    device = await pool_volumes.device(name)
    device.write_bytes(b"a plain word " * 50_000)
    expected = await pool_volumes.content(name)
    command("zfs", "snapshot", f"{name}@a")
    stream = await sent(streams, f"{name}@a", flags=SendFlags(raw=True))
    assert b"a plain word" in await sent(streams, f"{name}@a")
    assert b"a plain word" not in stream
    await received(streams, f"{name}-copy", stream)

    assert await datasets.guid(f"{name}@a") == await datasets.guid(f"{name}-copy@a")
    command("zfs", "load-key", "-L", f"file://{key}", f"{name}-copy")
    assert [] == differing(expected, await pool_volumes.content(f"{name}-copy"))
