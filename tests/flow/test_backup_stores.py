"""Backups and their stores: one that is killed meanwhile, one behind TLS, one that is slow, each make of them."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from backup_parts import good, holds, keys, made, on_real_zfs, run, settings_for, tree
from nsq_servers import Nsqd
from s3_proxy import FaultProxy
from s3_servers import Weed
from storage_parts import VM, download, manifest, mixed, transfer, upload
from trees import grow, picture, seeded
from worlds import Ears, Host
from zfs_pool import Pool

from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.catalogue import commit, page, remove
from chunter_nsq.storage.profiles import MIB, PROFILES
from chunter_nsq.storage.verify import verify_catalogue, verify_hash, wanted
from tools import weed

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")

BIG_BYTES = 20 * 10**6  # four parts of 6 MB


@pytest.fixture
def own_weed() -> Iterator[Weed]:
    """A store that a test may kill; what it has is on disk."""
    with tempfile.TemporaryDirectory(prefix="weed-") as place:
        server = Weed(Path(place)).start()
        yield server
        server.stop()


@pytest.fixture
async def beside(
    tmp_path: Path, nsqd: Nsqd, zfs_pool: Pool, own_weed: Weed, request
) -> AsyncIterator[tuple[Host, FaultProxy, Bucket]]:
    """A host with real datasets, and the proxy to the store that may be killed."""
    account = own_weed.new_bucket()
    bucket = Bucket(account)
    with FaultProxy(account.endpoint) as proxy:
        settings = settings_for(account) | {"s3.endpoint": proxy.endpoint, "s3_upload_chunk_size": "6MB"}
        async with on_real_zfs(tmp_path / "beside", nsqd, zfs_pool, settings, request.node.name) as host:
            yield host, proxy, bucket
    bucket.close()


def test_a_store_that_is_killed_leaves_no_sockets(own_weed: Weed) -> None:
    """Those that it had in /tmp are gone with it."""
    mine = {str(port) for first in own_weed.ports for port in (first, first + 10_000)}
    before = _sockets(mine)
    own_weed.stop()

    assert 6 == len(before)
    assert [] == _sockets(mine)


def _sockets(ports: set[str]) -> list[str]:
    return [one.name for one in weed.SOCKETS.glob("seaweedfs-*.sock") if one.stem.rpartition("-")[2] in ports]


async def parts_are_there(bucket: Bucket, uuid: str, count: int) -> None:
    """Wait until the store has so many parts of what is unfinished."""
    async with asyncio.timeout(60):
        while count > await asyncio.to_thread(_parts, bucket, uuid):
            await asyncio.sleep(0.02)


def _parts(bucket: Bucket, uuid: str) -> int:
    return sum(len(bucket.parts(one.key, one.upload_id) or ()) for one in bucket.uploads(f"{uuid}/"))


@pytest.mark.thorough
async def test_store_and_agent_are_killed_meanwhile(
    beside: tuple[Host, FaultProxy, Bucket], ears: Ears, own_weed: Weed
):
    """The store, then the agent is killed: the upload goes on, each part is sent until it is stored, and no oftener."""
    host, proxy, bucket = beside
    uuid = await made(host, ears)
    grow(tree(host, uuid), seeded(1))
    (tree(host, uuid) / "big").write_bytes(seeded(1).randbytes(BIG_BYTES))
    then = picture(tree(host, uuid))
    proxy.harm("stall", "PUT", query="partNumber=3", times=1)
    backup = host.send("backup.create", uuid, params={"snapshot": "one"})
    await parts_are_there(bucket, uuid, 2)
    await asyncio.to_thread(own_weed.stop)
    host.kill()
    proxy.heal()
    await asyncio.to_thread(own_weed.start)
    stored = _parts(bucket, uuid)
    proxy.requests.clear()
    await host.start().ready(60)
    done = await ears.result(backup, 120)

    assert "succeeded" == done["status"], done
    sent = [target for method, target in proxy.requests if method == "PUT" and f"{uuid}/one?" in target]
    assert 4 - stored == len(sent)
    assert ([], 0) == (list(bucket.uploads(f"{uuid}/")), holds(host, uuid))
    host.tool("zfs", "destroy", f"zones/{uuid}@one")
    await good(host, ears, "backup.restore", uuid, 120, snapshot="one")
    assert then == picture(tree(host, uuid))


@pytest.mark.thorough
async def test_a_store_that_restarts(beside: tuple[Host, FaultProxy, Bucket], ears: Ears, own_weed: Weed):
    """The agent waits for it, and the command succeeds as if nothing had been."""
    host, proxy, bucket = beside
    uuid = await made(host, ears)
    tree(host, uuid).mkdir(parents=True)
    (tree(host, uuid) / "big").write_bytes(seeded(2).randbytes(BIG_BYTES))
    proxy.harm("stall", "PUT", query="partNumber=4", times=1)
    backup = host.send("backup.create", uuid, params={"snapshot": "one"})
    await parts_are_there(bucket, uuid, 2)
    await asyncio.to_thread(own_weed.stop)
    failed = proxy.harm("drop", "PUT", query="partNumber=4")
    proxy.hang_up()
    async with asyncio.timeout(30):
        while not failed.done:
            await asyncio.sleep(0.02)
    proxy.heal()
    await asyncio.to_thread(own_weed.start)
    done = await ears.result(backup, 120)

    assert "succeeded" == done["status"], done
    assert ["one", "one.manifest.json", "one.xml"] == keys(bucket, uuid)
    seen = await good(host, ears, "backup.verify", uuid, 120, snapshot="one", level="restore")
    assert seen["good"], seen


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("s3")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-days", "2", "-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*argv, "-keyout", folder / "key.pem", "-out", folder / "ca.pem"], check=True, capture_output=True)
    return folder


@pytest.mark.thorough
async def test_a_store_behind_tls(new_host: Callable[..., Host], ears: Ears, account: Account, certificate: Path):
    """With s3.ca_file the store's certificate is checked by it; without it nothing is said to a stranger."""
    with FaultProxy(account.endpoint, certificate) as proxy:
        settings = settings_for(account) | {"s3.endpoint": proxy.endpoint, "s3.path_style": "on"}
        host = await new_host(settings=settings).start().ready()
        uuid = await made(host, ears)
        refused = await run(host, ears, "backup.create", uuid, snapshot="one")
        assert ("failed", "storage_failed") == (refused["status"], refused["error"]["code"]), refused
        assert "CERTIFICATE_VERIFY_FAILED" in refused["error"]["message"]
        assert [] == proxy.requests
        await host.stop()
        host.configure(**{"s3.ca_file": str(certificate / "ca.pem")})
        await host.start().ready()
        await good(host, ears, "backup.create", uuid, snapshot="one")
        seen = await good(host, ears, "backup.verify", uuid, snapshot="one", level="restore")
        assert seen["good"], seen
        assert all(target.startswith(f"/{account.bucket}") for _, target in proxy.requests)


@pytest.mark.thorough
async def test_no_faster_than_is_allowed(new_host: Callable[..., Host], ears: Ears, account: Account):
    """backup_rate_limit holds for the way there and for the way back."""
    settings = settings_for(account) | {"backup_rate_limit": "2MB"}
    host = await new_host(settings=settings).start().ready()
    uuid = await made(host, ears)
    tree(host, uuid).mkdir(parents=True)
    (tree(host, uuid) / "big").write_bytes(seeded(3).randbytes(4 * MIB))
    there = await good(host, ears, "backup.create", uuid, snapshot="one")
    back = await good(host, ears, "backup.verify", uuid, snapshot="one", level="hash")

    assert all(1.5 < one["seconds"] < 30 for one in (there, back)), (there, back)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_profile_speaks_to_a_store(account: Account, name: str) -> None:
    """Whatever the make is called: up in parts, listed, looked at, down again, and gone."""
    bucket = Bucket(replace(account, profile=name))
    raw = mixed(11 * MIB, 40)
    one = manifest(upload(bucket, raw, part_bytes=5 * MIB, segment_parts=2))
    with transfer(bucket) as means:
        commit(means, one)
        assert (one,) == page(bucket, VM).manifests
        assert all(verdict.good for verdict in (*verify_catalogue(means, one), *verify_hash(means, one)))
    sink = io.BytesIO()
    download(bucket, wanted(one.files[0]), sink)
    assert raw == sink.getvalue()
    assert 2 == len(one.keys)
    with transfer(bucket) as means:
        remove(means, one)
    assert [] == list(bucket.keys(""))
    bucket.close()
