"""What tests of backups share: hosts with a store, short ways to say things, and looks at what is there.

PYTEST_DONT_REWRITE. As a plug-in it brings the fixtures ``backed`` and ``small``; s3_servers and zfs_pool belong to it.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nsq_servers import Nsqd
from worlds import Ears, Host, new_uuid, payload
from zfs_pool import Pool, destroy

from chunter_nsq.smartos.simulator import faults
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from tools.demo.store import settings as settings_for


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


async def made(host: Host, ears: Ears, **members) -> str:
    """A stopped machine."""
    uuid = new_uuid()
    wanted = {"payload": payload(autoboot=False, **members), "start": False}
    done = await ears.result(host.send("machine.create", uuid, params=wanted), 60)
    assert "succeeded" == done["status"], done
    return uuid


async def run(host: Host, ears: Ears, action: str, uuid: str, seconds: float = 60, **params) -> dict:
    """A command's final result."""
    return await ears.result(host.send(action, uuid, params=params), seconds)


async def good(host: Host, ears: Ears, action: str, uuid: str, seconds: float = 60, **params) -> dict:
    """The result of a command that must succeed."""
    done = await run(host, ears, action, uuid, seconds, **params)
    assert "succeeded" == done["status"], done
    return done["result"]


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
