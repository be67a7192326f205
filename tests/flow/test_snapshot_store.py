"""snapshot.store: an image of a snapshot, in the bucket or as a file, that imgadm installs and machines run from."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backup_parts import good, holds, made, run, send_delay, settings_for
from sweeps import swept
from worlds import Ears, Host, new_uuid, payload

from chunter_nsq.smartos.simulator import faults
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")

CENTOS = "462d1d03-8457-e134-a408-cf9ea2b9be96"


@pytest.fixture
def small(shared_small: Host) -> Host:
    """One for all: each backs up machines of its own."""
    return shared_small


def installed(host: Host, folder: Path, image: str) -> dict[str, Any]:
    """What imgadm says of an image that it installed from a folder."""
    words = ["-m", str(folder / f"{image}.imgmanifest"), "-f", str(folder / f"{image}.zfs.gz")]
    done = host.tool("imgadm", "install", *words)
    assert 0 == done.returncode, done.stderr
    return json.loads(host.tool("imgadm", "get", image).stdout)["manifest"]


def fetched(bucket: Bucket, folder: Path, image: str) -> Path:
    """The image's two objects as files."""
    folder.mkdir()
    (folder / f"{image}.zfs.gz").write_bytes(bucket.get(image))
    (folder / f"{image}.imgmanifest").write_bytes(bucket.get(f"{image}.imgmanifest"))
    return folder


async def written(host: Host, ears: Ears, uuid: str, text: str) -> None:
    """A file in a machine, and a snapshot of it."""
    place = host.platform / "zones" / uuid / "root" / "golden"
    place.parent.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(place.write_text, text)
    await good(host, ears, "snapshot.create", uuid, snapshot="golden")


async def test_an_image_in_the_bucket(small: Host, tmp_path: Path, ears: Ears, bucket: Bucket):
    """The object has the sums that are told, its manifest is imgadm's, and a machine made of it has the files."""
    await image_and_machine_of_it(small, tmp_path, ears, bucket)


@pytest.mark.thorough
async def test_an_image_of_real_datasets(backed: Host, tmp_path: Path, ears: Ears, bucket: Bucket):
    """The same with ZFS's own streams."""
    await image_and_machine_of_it(backed, tmp_path, ears, bucket)


async def image_and_machine_of_it(host: Host, tmp_path: Path, ears: Ears, bucket: Bucket) -> None:
    """Store an image, look at it, install it, and make a machine of it."""
    uuid, image = await made(host, ears, quota=1), new_uuid()
    await written(host, ears, uuid, "as it was")
    done = await good(
        host, ears, "snapshot.store", uuid, snapshot="golden", image=image, manifest={"name": "golden", "version": "7"}
    )

    content = bucket.get(image)
    assert (len(content), hashlib.sha256(content).hexdigest()) == (done["size"], done["sha256"])
    assert hashlib.sha1(content, usedforsecurity=False).hexdigest() == done["sha1"]
    assert {"sha1": done["sha1"], "size": done["size"], "compression": "gzip"} == done["manifest"]["files"][0]
    assert json.loads(bucket.get(f"{image}.imgmanifest")) == done["manifest"]
    assert 0 == holds(host, uuid)
    manifest = installed(host, fetched(bucket, tmp_path / "image", image), image)
    assert ("golden", "7", "zone-dataset", "smartos") == tuple(manifest[n] for n in ("name", "version", "type", "os"))
    assert manifest["requirements"]["min_platform"]  # as the image that the machine was made from says
    other = await made(host, ears, image_uuid=image, quota=1)
    assert "as it was" == (host.platform / "zones" / other / "root" / "golden").read_text()


async def test_an_image_as_a_file(new_host: Callable[..., Host], ears: Ears):
    """Without a store two files lie on the host; the boot disk of a kvm machine becomes an image of type zvol."""
    host = await new_host().start().ready()
    disk = {"image_uuid": CENTOS, "boot": True, "model": "virtio"}
    members = {"ram": 512, "vcpus": 1, "nics": [], "disks": [disk, {"size": 100, "model": "virtio"}], "brand": "kvm"}
    wanted = {n: v for n, v in payload(autoboot=False, **members).items() if n not in ("image_uuid", "quota")}
    wanted.pop("max_physical_memory")
    uuid, image = new_uuid(), new_uuid()
    assert "succeeded" == (await run(host, ears, "machine.create", uuid, payload=wanted))["status"]
    await good(host, ears, "snapshot.create", uuid, snapshot="golden")
    planned = await good(host, ears, "snapshot.store", uuid, snapshot="golden", image=image, dry_run=True)
    assert [["usr/sbin/zfs", "send", f"zones/{uuid}-disk0@golden"]] == planned["argv"]
    done = await good(host, ears, "snapshot.store", uuid, snapshot="golden", image=image)

    folder = host.platform / "opt/chunter/var/images"
    assert {f"{image}.zfs.gz", f"{image}.imgmanifest"} == {path.name for path in folder.iterdir()}
    assert str(folder / f"{image}.zfs.gz") == done["file"]
    manifest = installed(host, folder, image)
    assert ("zvol", 10240, "linux") == (manifest["type"], manifest["image_size"], manifest["os"])
    again = await run(host, ears, "snapshot.store", uuid, snapshot="golden", image=image)
    assert "already_exists" == again["error"]["code"]
    assert 2 == len(list(folder.iterdir()))


async def test_what_is_refused(small: Host, ears: Ears, bucket: Bucket):
    """No snapshot, no such manifest, an image of that name, a doubtful stream: nothing is stored, nothing is held."""
    uuid, image = await made(small, ears), new_uuid()
    await written(small, ears, uuid, "x")
    for code, params in (
        ("not_found", {"snapshot": "never"}),
        ("invalid_message", {"manifest": {"files": []}}),
        ("invalid_message", {"manifest": {"name": "a\nb", "nonsense": 1}}),
    ):
        done = await run(small, ears, "snapshot.store", uuid, **{"snapshot": "golden", "image": image, **params})
        assert ("failed", code) == (done["status"], done["error"]["code"]), done
    faults.add(str(small.platform), {"tool": "zfs", "subcommand": "send", "times": 2, "exit": 1, "stderr": "I/O error"})
    broken = await run(small, ears, "snapshot.store", uuid, snapshot="golden", image=image)
    assert "tool_failed" == broken["error"]["code"]
    assert ([], [], 0) == (list(bucket.keys(image)), list(bucket.uploads(image)), holds(small, uuid))
    await good(small, ears, "snapshot.store", uuid, snapshot="golden", image=image)
    again = await run(small, ears, "snapshot.store", uuid, snapshot="golden", image=image)
    assert "already_exists" == again["error"]["code"]
    assert 2 == len(list(bucket.keys(image)))


async def test_others_go_on_and_a_cancelled_one_leaves_nothing(small: Host, ears: Ears, bucket: Bucket):
    """Beside it the machine starts; its snapshot waits to be deleted; command.cancel leaves no object and no hold."""
    uuid, image = await made(small, ears), new_uuid()
    await written(small, ears, uuid, "x")
    send_delay(small, 40.0)
    command = small.send("snapshot.store", uuid, params={"snapshot": "golden", "image": image})
    assert "running" == (await good(small, ears, "machine.start", uuid))["state"]
    deletion = small.send("snapshot.delete", uuid, params={"snapshot": "golden"})
    await ears.until(lambda event: event["data"].get("command") == deletion)
    await ears.result(small.send("command.cancel", params={"command": command}))
    ends = [await ears.result(one) for one in (command, deletion)]

    assert ["cancelled", "succeeded"] == [one["status"] for one in ends]
    assert ([], []) == (list(bucket.keys(image)), list(bucket.uploads(image)))


@pytest.mark.parametrize("where", swept(["bucket", "folder"], ["bucket"]))
async def test_a_killed_agent_goes_on(
    where: str, new_host: Callable[..., Host], account: Account, bucket: Bucket, ears: Ears
):
    """The next agent finishes the image, once, and nothing of the first attempt stays."""
    host = await new_host(settings=settings_for(account) if where == "bucket" else {}).start().ready()
    uuid, image = await made(host, ears), new_uuid()
    await written(host, ears, uuid, "x")
    send_delay(host, 6.0)
    command = host.send("snapshot.store", uuid, params={"snapshot": "golden", "image": image})
    async with asyncio.timeout(20):
        while not any(b"send" in words and b"-nvP" not in words for words in host.tool_lines()):
            await asyncio.sleep(0.05)
    host.kill()
    faults.clear(str(host.platform))
    await host.start().ready()
    done = await ears.result(command, 40)

    assert "succeeded" == done["status"], done
    if where == "bucket":
        assert {image, f"{image}.imgmanifest"} == {key for key, _ in bucket.keys("")}
        assert [] == list(bucket.uploads(""))
    else:
        assert 2 == len(list((host.platform / "opt/chunter/var/images").iterdir()))
    assert 0 == holds(host, uuid)
