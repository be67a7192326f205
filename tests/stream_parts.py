"""What tests of streams share: whole ones in memory, and the agent's wrappers on this machine's own ZFS.

PYTEST_DONT_REWRITE. As a plug-in it brings the fixtures ``runner``, ``streams`` and ``datasets``; zfs_pool belongs to
it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from slowness import SLOWNESS
from zfs_pool import SBIN, Pool

from chunter_nsq.smartos.runner import Runner, Sink, Source
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_stream_argv import PLAIN, SendFlags
from chunter_nsq.smartos.zfs_streams import ZfsStreams

MIB = 2**20
SILENCE_SECONDS = 20 * SLOWNESS
_PIECE_BYTES = 100_000  # no length of a pipe or of a block


@pytest.fixture
def runner(tmp_path: Path, zfs_pool: Pool) -> Runner:
    """A runner whose platform has this machine's own zfs and zpool."""
    root = tmp_path / "platform"
    folder = root / "usr" / "sbin"
    folder.mkdir(parents=True)
    for tool in ("zfs", "zpool"):
        (folder / tool).symlink_to(SBIN / tool)
    return Runner(root, run_dir=root / "run")


@pytest.fixture
def streams(runner: Runner) -> ZfsStreams:
    """Streams of the real ZFS."""
    return ZfsStreams(runner, silence_seconds=SILENCE_SECONDS)


@pytest.fixture
def datasets(runner: Runner) -> ZfsDatasets:
    """Datasets of the real ZFS."""
    return ZfsDatasets(runner)


def drain(source: Source) -> bytes:
    """All of a stream, as a thread reads it."""
    return b"".join(iter(lambda: source.read(MIB), b""))


def feed(sink: Sink, stream: bytes) -> None:
    """Give all of a stream, and say so."""
    for start in range(0, len(stream), _PIECE_BYTES):
        sink.write(stream[start : start + _PIECE_BYTES])
    sink.finish()


async def sent(streams: ZfsStreams, snapshot: str, base: str | None = None, flags: SendFlags = PLAIN) -> bytes:
    """The stream of a snapshot."""
    async with streams.send(snapshot, base, flags) as source:
        return await asyncio.to_thread(drain, source)


async def received(streams: ZfsStreams, target: str, stream: bytes, *, overwrite: bool = False) -> None:
    """A stream received whole."""
    async with streams.receive(target, overwrite=overwrite) as sink:
        await asyncio.to_thread(feed, sink, stream)
