"""A simulated host whose datasets are real ones of this machine."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from simhost import BASE, CENTOS, WEB, Host
from zfs_pool import Pool, command, destroy

from chunter_nsq.smartos.runner import Runner, Sink, Source
from chunter_nsq.smartos.simulator import create, faults
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_streams import ZfsStreams

pytest_plugins = ("zfs_pool",)


@pytest.fixture
def real(tmp_path: Path, zfs_pool: Pool, request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host with a dataset of the test pool for its own."""
    base = f"{zfs_pool.name}/host{hashlib.sha1(request.node.name.encode(), usedforsecurity=False).hexdigest()[:8]}"
    host = Host(create(tmp_path / "host", zfs=f"host:{base}"))
    host.base = base
    yield host
    destroy(base)


def test_names_both_ways(real: Host):
    """Names and paths are the simulated host's in what is typed and in what is said, complaints included."""
    real.create()
    name, mountpoint = real.out("zfs", "list", "-H", "-o", "name,mountpoint", f"zones/{WEB}").split()

    assert (f"zones/{WEB}", f"/zones/{WEB}") == (name, mountpoint)
    assert f"zones/{BASE}@final\n" == real.out("zfs", "get", "-H", "-o", "value", "origin", f"zones/{WEB}")
    done = real.run("zfs", "list", "zones/none")
    assert (1, "cannot open 'zones/none': dataset does not exist\n") == (done.returncode, done.stderr)
    assert all(line.startswith("zones") for line in real.out("zfs", "list", "-H", "-o", "name").splitlines())
    assert "ONLINE\n" == real.out("zpool", "list", "-H", "-o", "health", "zones")
    assert real.out("zpool", "list", "-H", "-o", "name") == "zones\n"
    assert "all pools are healthy\n" == real.out("zpool", "status", "-x")


def test_create_and_delete(real: Host):
    """A VM is a real clone of its image with a real quota, and nothing is left of it when it is deleted."""
    real.create(quota=1)
    folder = real.root / "zones" / WEB

    assert "base-64-lts" in (folder / "root/etc/motd").read_text()
    assert str(2**30) == command("zfs", "get", "-Hp", "-o", "value", "quota", f"{real.base}/{WEB}").strip()
    vm = real.get()
    assert (f"zones/{WEB}", 1, []) == (vm["zfs_filesystem"], vm["quota"], vm["snapshots"])
    assert real.run("vmadm", "delete", WEB).returncode == 0
    assert WEB not in command("zfs", "list", "-H", "-o", "name", "-r", real.base)
    assert not folder.exists()


def test_files_are_in_snapshots(real: Host):
    """What is written into a VM's root is in its snapshot, and comes back by a rollback."""
    real.create(autoboot=False)
    file = real.root / "zones" / WEB / "root/data"
    file.write_bytes(b"before")
    real.out("zfs", "snapshot", f"zones/{WEB}@s")
    assert real.run("vmadm", "create-snapshot", WEB, "v").returncode == 0
    file.write_bytes(b"after")
    assert ["v"] == [one["name"] for one in real.get()["snapshots"]]
    assert real.run("vmadm", "rollback-snapshot", WEB, "v").returncode == 0
    real.run("vmadm", "stop", WEB, "-F")

    assert b"before" == file.read_bytes()


def test_streams_pass_untouched(real: Host):
    """A stream of the host is the stream of this machine, and what it becomes is a VM's dataset again."""
    real.create(autoboot=False)
    (real.root / "zones" / WEB / "root/data").write_bytes(os.urandom(3_000_000))
    real.out("zfs", "snapshot", f"zones/{WEB}@s")
    stream = subprocess.run([real.tool("zfs"), "send", f"zones/{WEB}@s"], capture_output=True, check=True).stdout
    straight = subprocess.run(["/usr/sbin/zfs", "send", f"{real.base}/{WEB}@s"], capture_output=True, check=True).stdout
    zfs = [real.tool("zfs"), "receive", "-u", "zones/copy"]
    done = subprocess.run(zfs, input=stream, capture_output=True, check=False)

    assert (0, b"") == (done.returncode, done.stderr)
    assert len(straight) == len(stream) > 3_000_000
    guids = real.out("zfs", "get", "-Hp", "-o", "value", "guid", f"zones/{WEB}@s", "zones/copy@s").split()
    assert guids[0] == guids[1]
    again = subprocess.run(zfs, input=stream, capture_output=True, text=False, check=False)
    assert (1, b"destination 'zones/copy' exists") == (again.returncode, again.stderr[38:69])
    real.out("zfs", "rename", "zones/copy", "zones/restored")
    real.out("zfs", "mount", "zones/restored")
    assert 3_000_000 == (real.root / "zones/restored/root/data").stat().st_size


def test_a_killed_tool_takes_the_real_one_along(real: Host):
    """The end of the host's tool is the end of the machine's."""
    real.create(autoboot=False)
    (real.root / "zones" / WEB / "root/data").write_bytes(os.urandom(3_000_000))
    real.out("zfs", "snapshot", f"zones/{WEB}@s")
    argv = [real.tool("zfs"), "send", f"zones/{WEB}@s"]
    sender = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    sender.stdout.read(1000)
    sender.send_signal(signal.SIGTERM)

    assert -signal.SIGTERM == sender.wait(5)
    sender.stdout.close()
    sender.stderr.close()
    deadline = time.monotonic() + 5
    while real.run("zfs", "destroy", f"zones/{WEB}@s").returncode and time.monotonic() < deadline:
        time.sleep(0.05)
    assert real.run("zfs", "list", f"zones/{WEB}@s").returncode == 1
    assert [-15] == [one["exit"] for one in real.invocations() if one["argv"][1] == "send"]


def test_faults_reach_streams(real: Host):
    """A stream can be cut off by a fault that was set, as any tool's output."""
    real.create(autoboot=False)
    real.out("zfs", "snapshot", f"zones/{WEB}@s")
    faults.add(str(real.root), {"tool": "zfs", "subcommand": "send", "truncate": 1000, "times": 1})
    argv = [real.tool("zfs"), "send", f"zones/{WEB}@s"]

    cut = subprocess.run(argv, capture_output=True, check=False)
    assert (0, 1000, b"") == (cut.returncode, len(cut.stdout), cut.stderr)
    half = {"truncate": 1000, "exit": 1, "stderr": "internal error", "times": 1}
    faults.add(str(real.root), {"tool": "zfs", "subcommand": "send", **half})
    cut = subprocess.run(argv, capture_output=True, check=False)
    assert (1, 1000, b"internal error\n") == (cut.returncode, len(cut.stdout), cut.stderr)
    assert 1000 < len(subprocess.run(argv, capture_output=True, check=True).stdout)


def test_renames_are_not_late(real: Host):
    """A mounted dataset is renamed and destroyed at once, as on the platform, whatever this machine's ZFS needs."""
    for number in range(3):
        real.out("zfs", "create", "zones/a")
        (real.root / "zones/a/file").write_text("data")
        real.out("zfs", "rename", "zones/a", "zones/b")
        assert "data" == (real.root / "zones/b/file").read_text()
        real.out("zfs", "destroy", "zones/b")
        assert not (real.root / "zones/b").exists(), number


async def test_wrappers_stream_through_it(real: Host):
    """The agent's streams work through the host's tools: round trip, and a cancelled receive that leaves nothing."""
    real.create(autoboot=False)
    (real.root / "zones" / WEB / "root/data").write_bytes(os.urandom(3_000_000))
    real.out("zfs", "snapshot", f"zones/{WEB}@s")
    runner = Runner(real.root)
    streams, datasets = ZfsStreams(runner), ZfsDatasets(runner)
    kept: list[bytes] = []

    def copy(source: Source, sink: Sink) -> None:
        while block := source.read(2**20):
            kept.append(block)
            sink.write(block)
        sink.finish()

    async with streams.send(f"zones/{WEB}@s") as source, streams.receive("zones/copy") as sink:
        await asyncio.to_thread(copy, source, sink)
    assert await datasets.guid(f"zones/{WEB}@s") == await datasets.guid("zones/copy@s")
    assert (await streams.estimate(f"zones/{WEB}@s")).size_bytes > 2_000_000

    begun = asyncio.Event()

    async def half() -> None:
        async with streams.receive("zones/half") as sink:
            await asyncio.to_thread(sink.write, kept[0])
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(half())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await datasets.exists("zones/half")
    assert () == runner.active()


def test_volumes(real: Host):
    """A VM with a disk gets a volume, or a file system that stands for one, and vmadm says its size."""
    disk = {"image_uuid": CENTOS, "boot": True, "model": "virtio"}
    payload = {"uuid": WEB, "brand": "kvm", "disks": [disk], "ram": 256, "vcpus": 1, "autoboot": False}
    done = real.run("vmadm", "create", stdin=payload)
    assert 0 == done.returncode, done.stderr
    vm = real.get()

    assert [(f"zones/{WEB}-disk0", 10240)] == [(one["zfs_filesystem"], one["size"]) for one in vm["disks"]]
    assert real.run("vmadm", "delete", WEB).returncode == 0
    assert f"{WEB}-disk0" not in command("zfs", "list", "-H", "-o", "name", "-r", real.base)


def test_a_host_with_vms(tmp_path: Path, zfs_pool: Pool):
    """A host can be made with running VMs; a second one on the same datasets is refused, and so is a missing pool."""
    base = f"{zfs_pool.name}/busy"
    host = Host(create(tmp_path / "host", zones=2, snapshots=1, zfs=f"host:{base}"))
    machines = json.loads(host.out("vmadm", "lookup", "-j"))

    assert 2 == len(machines)
    assert 2 == sum(line.startswith(f"{base}/") and "final" not in line for line in snapshots(base))
    with pytest.raises(FileExistsError, match="holds datasets already"):
        create(tmp_path / "second", zfs=f"host:{base}")
    with pytest.raises(ValueError, match="no pool"):
        create(tmp_path / "third", zfs="host:nosuchpool")
    with pytest.raises(ValueError, match="unknown kind"):
        create(tmp_path / "fourth", zfs="host:")
    destroy(base)


@pytest.mark.parametrize("kind", ["real", "simulated"])
async def test_names_that_begin_alike_are_listed_together(kind: str, tmp_path: Path, request: pytest.FixtureRequest):
    """A recursive listing of snapshots goes on with a name until nothing is left that begins with it."""
    host = request.getfixturevalue("real") if kind == "real" else Host(create(tmp_path / "host"))
    zfs = Zfs(Runner(host.root, run_dir=tmp_path / "run", timeout_seconds=30))
    for name in ("web", "web/data", "web-1", "web-disk0", "wet", "we"):
        assert 0 == host.run("zfs", "create", f"zones/{name}").returncode
    for short in ("b", "a"):
        assert 0 == host.run("zfs", "snapshot", "-r", f"zones@{short}").returncode
    found = [one.full_name async for one in zfs.snapshots_stream("zones", recursive=True)]
    for start in ("zones/we", "zones/web", "zones/web-1", "zones/web/data"):
        places = [at for at, name in enumerate(found) if name.startswith(start)]
        assert list(range(places[0], places[-1] + 1)) == places, found


def snapshots(base: str) -> list[str]:
    """All snapshots below a dataset of this machine."""
    return command("zfs", "list", "-H", "-t", "snapshot", "-o", "name", "-r", base).splitlines()
