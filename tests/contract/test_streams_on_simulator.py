"""Streams of the wrappers against a simulated host: its own form of stream, the platform's refusals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time

import pytest
from simhost import WEB, Host
from stream_parts import drain, received, sent

from chunter_nsq.errors import AlreadyExists, NotFound, ToolFailed
from chunter_nsq.smartos.runner import Runner, Source
from chunter_nsq.smartos.simulator import faults
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_refusal import (
    BaseMismatch,
    BaseMissing,
    DestinationExists,
    DestinationModified,
    DoubtfulStream,
    InvalidStream,
)
from chunter_nsq.smartos.zfs_streams import ZfsStreams


@pytest.fixture
def streams(host: Host) -> ZfsStreams:
    """Streams of the host."""
    return ZfsStreams(Runner(host.root))


@pytest.fixture
def datasets(host: Host) -> ZfsDatasets:
    """Datasets of the host."""
    return ZfsDatasets(Runner(host.root))


async def test_a_vm_comes_back(host: Host, streams: ZfsStreams, datasets: ZfsDatasets):
    """Full and increment bring back a deleted VM: files, configuration and GUIDs, in its place once mounted."""
    host.create(autoboot=False, tags={"role": "web"})
    folder = host.root / "zones" / WEB
    (folder / "root/data").write_bytes(b"one")
    host.out("zfs", "snapshot", f"zones/{WEB}@a")
    (folder / "root/data").write_bytes(b"two")
    (folder / "root/link").symlink_to("/nowhere")
    host.out("zfs", "snapshot", f"zones/{WEB}@b")
    (folder / "root/data").write_bytes(b"three")
    full, increment = await sent(streams, f"zones/{WEB}@a"), await sent(streams, f"zones/{WEB}@b", f"zones/{WEB}@a")
    guids = [await datasets.guid(f"zones/{WEB}@{name}") for name in "ab"]
    assert host.run("vmadm", "delete", WEB).returncode == 0

    await received(streams, "zones/incoming", full)
    await received(streams, "zones/incoming", increment)
    assert not (host.root / "zones/incoming").exists()
    await datasets.rename("zones/incoming", f"zones/{WEB}")
    await datasets.mount(f"zones/{WEB}")

    assert guids == [await datasets.guid(f"zones/{WEB}@{name}") for name in "ab"]
    assert b"two" == (folder / "root/data").read_bytes()
    assert "/nowhere" == os.readlink(folder / "root/link")  # noqa: PTH115 - as it was written
    assert {"role": "web"} == json.loads((folder / "config/tags.json").read_text())


async def test_a_mounted_dataset_moves_with_its_name(host: Host, datasets: ZfsDatasets):
    """A rename takes the files along, unmounting takes them away, and a rollback brings back what a snapshot has."""
    host.create(autoboot=False)
    old, new = host.root / "zones" / WEB, host.root / "zones/new"
    (old / "root/data").write_bytes(b"one")
    host.out("zfs", "snapshot", f"zones/{WEB}@a")
    await datasets.rename(f"zones/{WEB}", "zones/new")
    assert (False, b"one") == (old.exists(), (new / "root/data").read_bytes())
    await datasets.unmount("zones/new")
    await datasets.unmount("zones/new")
    assert "no\n" == host.out("zfs", "get", "-H", "-o", "value", "mounted", "zones/new")
    assert not new.exists()
    await datasets.mount("zones/new")
    (new / "root/data").write_bytes(b"two")
    host.out("zfs", "rollback", "zones/new@a")
    assert b"one" == (new / "root/data").read_bytes()
    await datasets.discard("zones/new")

    assert not new.exists()


async def test_clones_carry_files(host: Host, datasets: ZfsDatasets):
    """A clone has its snapshot's files; promoted, it stands without what it was made of."""
    host.create(autoboot=False)
    (host.root / "zones" / WEB / "root/data").write_bytes(b"one")
    host.out("zfs", "snapshot", f"zones/{WEB}@a")
    await datasets.clone(f"zones/{WEB}@a", "zones/copy")
    with pytest.raises(AlreadyExists):
        await datasets.clone(f"zones/{WEB}@a", "zones/copy")
    await datasets.promote("zones/copy")
    await datasets.destroy(f"zones/{WEB}")

    assert b"one" == (host.root / "zones/copy/root/data").read_bytes()
    assert "zones/copy@a\n" == host.out("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", "zones/copy")


async def test_refusals(host: Host, streams: ZfsStreams):
    """What does not fit is told apart, and leaves things as they were."""
    host.create(autoboot=False)
    file = host.root / "zones" / WEB / "root/data"
    for name in "abc":
        file.write_text(name)
        host.out("zfs", "snapshot", f"zones/{WEB}@{name}")
    full = await sent(streams, f"zones/{WEB}@a")
    await received(streams, "zones/copy", full)
    first = await sent(streams, f"zones/{WEB}@b", f"zones/{WEB}@a")
    second = await sent(streams, f"zones/{WEB}@c", f"zones/{WEB}@b")

    with pytest.raises(NotFound):
        await sent(streams, f"zones/{WEB}@x")
    with pytest.raises(BaseMissing):
        await sent(streams, f"zones/{WEB}@b", f"zones/{WEB}@x")
    with pytest.raises(BaseMismatch):
        await sent(streams, f"zones/{WEB}@a", f"zones/{WEB}@b")
    with pytest.raises(DestinationExists):
        await received(streams, "zones/copy", full)
    with pytest.raises(BaseMismatch):
        await received(streams, "zones/copy", second)
    host.out("zfs", "mount", "zones/copy")
    (host.root / "zones/copy/root/data").write_text("mine")
    with pytest.raises(DestinationModified):
        await received(streams, "zones/copy", first)
    assert "mine" == (host.root / "zones/copy/root/data").read_text()
    await received(streams, "zones/copy", first, overwrite=True)
    assert "b" == (host.root / "zones/copy/root/data").read_text()


@pytest.mark.parametrize("harm", ["nothing", "start", "middle", "end", "bit", "noise"])
async def test_damaged_streams(host: Host, streams: ZfsStreams, datasets: ZfsDatasets, harm: str):
    """A stream that is cut off, damaged or none is refused, and nothing of it is left."""
    host.out("zfs", "snapshot", "zones/opt@a")
    whole = await sent(streams, "zones/opt@a")
    middle = len(whole) // 2
    harmed = {
        "nothing": b"",
        "start": whole[:100],
        "middle": whole[:middle],
        "end": whole[:-1],
        "bit": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "noise": os.urandom(1000),
    }[harm]

    with pytest.raises(InvalidStream):
        await received(streams, "zones/copy", harmed)
    assert not await datasets.exists("zones/copy")


async def test_what_this_host_can_do(host: Host, streams: ZfsStreams):
    """The usage says so, and estimates are exact."""
    features = await streams.features()
    host.out("zfs", "snapshot", "zones/opt@a")

    assert (True, True, True, True, False) == (
        features.exact_lists,
        features.many_snapshots,
        features.bookmarks,
        features.estimates,
        features.resumable,
    )
    assert len(await sent(streams, "zones/opt@a")) == (await streams.estimate("zones/opt@a")).size_bytes


async def test_bookmarks(host: Host, streams: ZfsStreams, datasets: ZfsDatasets):
    """A bookmark is the base of an increment when its snapshot is gone, and follows its dataset."""
    host.out("zfs", "create", "zones/ds")
    host.out("zfs", "snapshot", "zones/ds@a")
    await received(streams, "zones/copy", await sent(streams, "zones/ds@a"))
    guid = await datasets.guid("zones/ds@a")
    await streams.bookmark("zones/ds@a", "zones/ds#a")
    host.out("zfs", "destroy", "zones/ds@a")
    host.out("zfs", "snapshot", "zones/ds@b")
    await received(streams, "zones/copy", await sent(streams, "zones/ds@b", "zones/ds#a"))
    await datasets.rename("zones/ds", "zones/other")
    mark = (await streams.bookmarks("zones/other"))[0]

    assert ("zones/other#a", guid) == (mark.full_name, mark.guid)
    with pytest.raises(BaseMissing):
        await sent(streams, "zones/other@b", "zones/other#x")
    await streams.destroy_bookmark("zones/other#a")
    with pytest.raises(NotFound):
        await streams.destroy_bookmark("zones/other#a")
    assert () == await streams.bookmarks("zones/other")


async def test_faults_on_the_way(host: Host, streams: ZfsStreams):
    """A send that fails, dies or only complains is no send."""
    host.out("zfs", "snapshot", "zones/opt@a")
    for fault, kind in (
        ({"exit": 1, "stderr": "internal error: I/O error"}, ToolFailed),
        ({"truncate": 100_000, "exit": 1, "stderr": "warning: cannot send: I/O error"}, ToolFailed),
        ({"stderr": "warning: something is odd"}, DoubtfulStream),
    ):
        faults.add(str(host.root), {"tool": "zfs", "subcommand": "send", "times": 1, **fault})
        with pytest.raises(kind):
            await sent(streams, "zones/opt@a")

    def read(source: Source) -> None:
        source.read(1000)
        os.kill(source.pid, signal.SIGKILL)
        drain(source)

    async with streams.send("zones/opt@a") as source:
        with pytest.raises(ToolFailed, match="SIGKILL"):
            await asyncio.to_thread(read, source)


@pytest.mark.alone
async def test_cancelled_receive(host: Host, streams: ZfsStreams, datasets: ZfsDatasets):
    """A cancelled receive is over at once and leaves nothing."""
    host.out("zfs", "snapshot", "zones/opt@a")
    stream = await sent(streams, "zones/opt@a")
    begun = asyncio.Event()

    async def work() -> None:
        async with streams.receive("zones/copy") as sink:
            await asyncio.to_thread(sink.write, stream[:100_000])
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await begun.wait()
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert time.monotonic() - started < 2
    assert not await datasets.exists("zones/copy")
