"""What tests of backups share: hosts with a store, short ways to say things, and looks at what is there.

PYTEST_DONT_REWRITE. As a plug-in it brings the fixtures ``backed``, ``small``, ``shared_small`` and ``weak``;
s3_servers and zfs_pool belong to it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from nsq_servers import Nsqd
from s3_proxy import FaultProxy
from worlds import Ears, Host, new_uuid, payload
from zfs_pool import Pool, destroy

from chunter_nsq.smartos.simulator import faults
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from tools.demo.store import settings as settings_for

PART = "6MB"
SIZE_BYTES = 20 * 10**6  # four such parts


@asynccontextmanager
async def on_real_zfs(
    place: Path, nsqd: Nsqd, pool: Pool, settings: Mapping[str, str], label: str
) -> AsyncIterator[Host]:
    """A host with datasets of its own in a real pool, and an agent."""
    base = f"{pool.name}/b{hashlib.sha1(label.encode(), usedforsecurity=False).hexdigest()[:8]}"
    host = Host(place, nsqd, zfs=f"host:{base}", settings=settings)
    host.base = base
    try:
        yield await host.start().ready(60)
    finally:
        host.end()
        destroy(base)


@pytest.fixture
async def backed(tmp_path: Path, nsqd: Nsqd, zfs_pool: Pool, account: Account, request) -> AsyncIterator[Host]:
    """A host with real datasets, a store, and an agent."""
    async with on_real_zfs(tmp_path / "backed", nsqd, zfs_pool, settings_for(account), request.node.name) as host:
        yield host


@pytest.fixture
async def small(new_host: Callable[..., Host], account: Account) -> Host:
    """A host with simulated datasets, a store, and an agent."""
    return await new_host(settings=settings_for(account)).start().ready()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_small(new_shared: Callable[..., Awaitable[Host]], shared_account: Account) -> Host:
    """Such a host for the tests of a module that leave its agent and its store as they are."""
    return await new_shared(settings=settings_for(shared_account))


@pytest.fixture
async def weak(new_host: Callable[..., Host], account: Account, proxy: FaultProxy) -> Host:
    """A host whose store is behind the proxy."""
    settings = settings_for(account) | {"s3.endpoint": proxy.endpoint, "s3_upload_chunk_size": PART}
    return await new_host(settings=settings).start().ready()


async def made(host: Host, ears: Ears, **members) -> str:
    """A stopped machine."""
    uuid = new_uuid()
    wanted = {"payload": payload(autoboot=False, **members), "start": False}
    done = await ears.result(host.send("machine.create", uuid, params=wanted), 60)
    assert "succeeded" == done["status"], done
    return uuid


async def filled(host: Host, ears: Ears, size_bytes: int = SIZE_BYTES) -> str:
    """A machine with a file in it."""
    uuid = await made(host, ears)
    tree(host, uuid).mkdir(parents=True)
    (tree(host, uuid) / "file").write_bytes(os.urandom(size_bytes))
    return uuid


async def run(host: Host, ears: Ears, action: str, uuid: str, seconds: float = 60, **params) -> dict:
    """A command's final result."""
    return await ears.result(host.send(action, uuid, params=params), seconds)


async def good(host: Host, ears: Ears, action: str, uuid: str, seconds: float = 60, **params) -> dict:
    """The result of a command that must succeed."""
    done = await run(host, ears, action, uuid, seconds, **params)
    assert "succeeded" == done["status"], done
    return done["result"]


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something that no event tells."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


def parts(bucket: Bucket, uuid: str) -> int:
    """How many parts of unfinished objects are in the store."""
    return sum(len(bucket.parts(one.key, one.upload_id) or ()) for one in bucket.uploads(f"{uuid}/"))


def keys(bucket: Bucket, uuid: str) -> list[str]:
    """What the store has of a machine."""
    return [key.partition("/")[2] for key, _ in bucket.keys(f"{uuid}/")]


def holds(host: Host, uuid: str) -> int:
    """How many holds there are on a machine's snapshots."""
    names = host.tool("zfs", "list", "-H", "-o", "name", "-t", "snapshot", "-r", f"zones/{uuid}").stdout.split()
    found = [host.tool("zfs", "get", "-Hp", "-o", "value", "userrefs", name).stdout for name in names]
    return sum(int(one) for one in found if one.strip().isdecimal())


async def out(*argv: str | Path, stdin: bytes = b"") -> bytes:
    """What a program says."""
    done = await asyncio.to_thread(subprocess.run, argv, input=stdin, capture_output=True, check=True)
    return done.stdout


def send_delay(host: Host, seconds: float) -> None:
    """Let zfs send take its time."""
    faults.add(str(host.platform), {"tool": "zfs", "subcommand": "send", "times": 2, "delay": seconds / 2})


def tree(host: Host, uuid: str) -> Path:
    """A machine's own files."""
    return host.platform / "zones" / uuid / "root" / "srv"


def guid(host: Host, name: str) -> str:
    """The GUID of a snapshot."""
    return host.tool("zfs", "get", "-Hp", "-o", "value", "guid", name).stdout.strip()


def datasets(host: Host) -> list[str]:
    """All datasets of a host that are no images."""
    names = host.tool("zfs", "list", "-H", "-o", "name", "-t", "filesystem,volume").stdout.split()
    return sorted(name for name in names if "/cores" not in name)
