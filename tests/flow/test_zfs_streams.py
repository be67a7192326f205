from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest
from stream_parts import MIB, drain, received, sent
from trees import differences, grow, seeded
from zfs_pool import Pool, command

from chunter_nsq.errors import AlreadyExists, InsufficientResources, Interrupted, NotFound, ToolFailed, Unsupported
from chunter_nsq.smartos.runner import Runner, Sink, Source
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_datasets import Quotas, ZfsDatasets
from chunter_nsq.smartos.zfs_refusal import (
    BaseMismatch,
    BaseMissing,
    DestinationExists,
    DestinationModified,
    InvalidStream,
)
from chunter_nsq.smartos.zfs_streams import ZfsStreams

pytest_plugins = ("zfs_pool", "stream_parts")


def big(pool: Pool, size_bytes: int = 12 * MIB) -> str:
    """A snapshot whose stream does not fit into a pipe."""
    dataset = pool.new("big")
    (pool.path(dataset) / "file").write_bytes(seeded(size_bytes).randbytes(size_bytes))
    command("zfs", "snapshot", f"{dataset}@s")
    return f"{dataset}@s"


@pytest.mark.parametrize("seed", range(4))
async def test_round_trip(zfs_pool: Pool, streams: ZfsStreams, datasets: ZfsDatasets, seed: int):
    """A full stream and four increments of a random tree arrive as they were, snapshot by snapshot, GUIDs included."""
    chance = seeded(seed)
    origin = zfs_pool.new("tree")
    copy = f"{origin}-copy"
    for number in range(5):
        grow(zfs_pool.path(origin), chance)
        snapshot = f"{origin}@s{number}"
        command("zfs", "snapshot", snapshot)
        base = f"{origin}@s{number - 1}" if number else None
        await received(streams, copy, await sent(streams, snapshot, base))
        assert await datasets.guid(snapshot) == await datasets.guid(f"{copy}@s{number}")
    await datasets.rename(copy, f"{origin}-renamed")
    await datasets.mount(f"{origin}-renamed")

    assert "" == differences(zfs_pool.path(origin), zfs_pool.path(f"{origin}-renamed"))
    assert (zfs_pool.path(origin) / ".zfs").exists() == (zfs_pool.path(f"{origin}-renamed") / ".zfs").exists()


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.3, 0.999])
async def test_cut_off_stream(zfs_pool: Pool, streams: ZfsStreams, share: float):
    """A stream that is cut off anywhere is refused, and what it had made is gone."""
    stream = await sent(streams, big(zfs_pool, 2 * MIB))
    target = f"{zfs_pool.name}/cut"

    with pytest.raises(InvalidStream):
        await received(streams, target, stream[: int(len(stream) * share)])

    assert target not in zfs_pool.names()


async def test_damaged_stream(zfs_pool: Pool, streams: ZfsStreams):
    """A stream with a flipped bit is refused, and what it had made is gone."""
    stream = bytearray(await sent(streams, big(zfs_pool, 2 * MIB)))
    stream[len(stream) // 2] ^= 1
    target = f"{zfs_pool.name}/damaged"

    with pytest.raises(InvalidStream):
        await received(streams, target, bytes(stream))

    assert target not in zfs_pool.names()


async def test_noise(zfs_pool: Pool, streams: ZfsStreams):
    """What never was a stream is refused."""
    with pytest.raises(InvalidStream):
        await received(streams, f"{zfs_pool.name}/noise", seeded(1).randbytes(100_000))


async def test_refusals_to_send(zfs_pool: Pool, streams: ZfsStreams):
    """A missing snapshot, a missing base and a base that is not older are told apart."""
    dataset = zfs_pool.new()
    for name in ("a", "b"):
        command("zfs", "snapshot", f"{dataset}@{name}")

    for snapshot, base, fault in (
        (f"{dataset}@x", None, NotFound),
        (f"{zfs_pool.name}/x@a", None, NotFound),
        (f"{dataset}@a", f"{dataset}@x", BaseMissing),
        (f"{dataset}@a", f"{dataset}@b", BaseMismatch),
        (f"{dataset}@a", f"{zfs_pool.name}/x@b", BaseMismatch),
    ):
        with pytest.raises(fault):
            await sent(streams, snapshot, base)


async def test_refusals_to_receive(zfs_pool: Pool, streams: ZfsStreams, datasets: ZfsDatasets):
    """A dataset that is there, was changed, or does not end with the base is told apart, and stays as it was."""
    dataset = zfs_pool.new()
    for name in ("a", "b", "c"):
        (zfs_pool.path(dataset) / name).write_bytes(os.urandom(1000))
        command("zfs", "snapshot", f"{dataset}@{name}")
    full = await sent(streams, f"{dataset}@a")
    copy = f"{dataset}-copy"
    await received(streams, copy, full)

    with pytest.raises(DestinationExists):
        await received(streams, copy, full)
    with pytest.raises((BaseMismatch, DestinationModified)):
        await received(streams, copy, await sent(streams, f"{dataset}@c", f"{dataset}@b"))
    with pytest.raises(NotFound):
        await received(streams, f"{zfs_pool.name}/no/parent", full)
    assert [copy, f"{copy}@a"] == zfs_pool.names(copy)
    await datasets.mount(copy)
    (zfs_pool.path(copy) / "mine").write_bytes(b"mine")
    command("zfs", "snapshot", f"{copy}@mine")
    with pytest.raises((BaseMismatch, DestinationModified)):
        await received(streams, copy, await sent(streams, f"{dataset}@b", f"{dataset}@a"))
    assert b"mine" == (zfs_pool.path(copy) / "mine").read_bytes()


async def test_no_space(zfs_pool: Pool, streams: ZfsStreams, datasets: ZfsDatasets):
    """A stream that does not fit below a quota is refused for want of space, and what it had made is gone."""
    stream = await sent(streams, big(zfs_pool))
    home = zfs_pool.new("small")
    await datasets.set(home, {"quota": str(2 * MIB)})

    with pytest.raises(InsufficientResources):
        await received(streams, f"{home}/copy", stream)

    assert [home] == zfs_pool.names(home)


async def test_killed_sender(zfs_pool: Pool, streams: ZfsStreams):
    """A sender that is killed half-way never shows the end of a stream."""

    def read(source: Source) -> None:
        source.read(MIB)
        os.kill(source.pid, signal.SIGKILL)
        drain(source)

    async with streams.send(big(zfs_pool)) as source:
        with pytest.raises(ToolFailed, match="SIGKILL"):
            await asyncio.to_thread(read, source)


@pytest.mark.alone
async def test_cancelled_send(zfs_pool: Pool, streams: ZfsStreams, runner: Runner):
    """A cancelled send is over within a second, frees its thread and leaves the snapshot free."""
    snapshot = big(zfs_pool)
    reading = threading.Event()

    def read(source: Source) -> None:
        source.read(MIB)
        reading.set()
        time.sleep(0.2)
        with pytest.raises(Interrupted):
            drain(source)
        freed.set()

    async def work() -> None:
        async with streams.send(snapshot) as source:
            await asyncio.to_thread(read, source)

    freed = threading.Event()
    task = asyncio.create_task(work())
    await asyncio.to_thread(reading.wait, 10)
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(freed.wait, 5)
    command("zfs", "destroy", snapshot)

    assert time.monotonic() - begun < 2
    assert () == runner.active()


@pytest.mark.alone
async def test_cancelled_receive(zfs_pool: Pool, streams: ZfsStreams, runner: Runner):
    """A cancelled receive is over within two seconds, with its group, its file and the half-made dataset gone."""
    stream = await sent(streams, big(zfs_pool))
    target = f"{zfs_pool.name}/cancelled"
    writing = threading.Event()

    def write(sink: Sink) -> None:
        sink.write(stream[: len(stream) // 2])
        writing.set()

    async def work() -> None:
        async with streams.receive(target) as sink:
            await asyncio.to_thread(write, sink)
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.to_thread(writing.wait, 10)
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert time.monotonic() - begun < 2
    assert ((), ()) == (runner.active(), await runner.orphans())
    assert target not in zfs_pool.names()


async def test_abandoned_increment(zfs_pool: Pool, streams: ZfsStreams):
    """An increment that is given up half-way leaves the dataset as it was, and the whole one is taken afterwards."""
    dataset = zfs_pool.new("inc")
    command("zfs", "snapshot", f"{dataset}@a")
    (zfs_pool.path(dataset) / "file").write_bytes(os.urandom(3 * MIB))
    command("zfs", "snapshot", f"{dataset}@b")
    copy = f"{dataset}-copy"
    await received(streams, copy, await sent(streams, f"{dataset}@a"))
    increment = await sent(streams, f"{dataset}@b", f"{dataset}@a")

    async with streams.receive(copy) as sink:
        await asyncio.to_thread(sink.write, increment[: len(increment) // 2])
    await asyncio.sleep(0.3)
    assert [copy, f"{copy}@a"] == zfs_pool.names(copy)
    await received(streams, copy, increment)

    assert [copy, f"{copy}@a", f"{copy}@b"] == zfs_pool.names(copy)


async def test_what_this_zfs_can_do(zfs_pool: Pool, streams: ZfsStreams):
    """What the usage says is so: estimates and bookmarks work, or are known to be missing and done without."""
    snapshot = big(zfs_pool)
    features = await streams.features()
    size_bytes = len(await sent(streams, snapshot))
    estimate = await streams.estimate(snapshot)

    assert ("send" if features.estimates else "referenced") == estimate.source
    assert 0.5 * size_bytes < estimate.size_bytes < 1.5 * size_bytes
    if features.bookmarks:
        await streams.bookmark(snapshot, snapshot.replace("@", "#"))
        assert [await ZfsDatasets(streams._runner).guid(snapshot)] == [
            one.guid for one in await streams.bookmarks(snapshot.partition("@")[0])
        ]
    else:
        assert () == await streams.bookmarks(snapshot.partition("@")[0])
        with pytest.raises(Unsupported):
            await streams.bookmark(snapshot, snapshot.replace("@", "#"))


async def test_datasets(zfs_pool: Pool, datasets: ZfsDatasets, runner: Runner):
    """Clones, promotion, renames, properties, holds and destruction do what they say."""
    name = zfs_pool.new("one")
    (zfs_pool.path(name) / "file").write_bytes(b"data")
    await Zfs(runner).snapshot([f"{name}@s"])
    await datasets.clone(f"{name}@s", f"{name}-clone")
    with pytest.raises(AlreadyExists):
        await datasets.clone(f"{name}@s", f"{name}-clone")
    await datasets.promote(f"{name}-clone")
    await datasets.destroy(name)
    await datasets.unmount(f"{name}-clone")
    await datasets.rename(f"{name}-clone", f"{name}-new")
    await datasets.mount(f"{name}-new")
    await datasets.set(f"{name}-new", {"quota": str(64 * MIB), "org.example:note": "a b=c"})
    await Zfs(runner).hold(f"{name}-new@s", "backup")

    assert b"data" == (zfs_pool.path(f"{name}-new") / "file").read_bytes()
    assert Quotas(64 * MIB, 0, 0, 0) == await datasets.quotas(f"{name}-new")
    assert 1 == await datasets.userrefs(f"{name}-new@s")
    assert 0 < await datasets.available_bytes(f"{name}-new") <= 64 * MIB
    assert {"org.example:note": "a b=c"} == await datasets.get(f"{name}-new", ["org.example:note"])
    await datasets.unmount(f"{name}-new")
    await datasets.unmount(f"{name}-new")
    await Zfs(runner).release(f"{name}-new@s", "backup")
    await datasets.discard(f"{name}-new")
    await datasets.discard(f"{name}-new")
    assert not await datasets.exists(f"{name}-new")
