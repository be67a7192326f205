from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from stream_parts import MIB, drain
from tool_scripts import has_children, python_tool, shell_tool

from chunter_nsq.errors import AlreadyExists, Interrupted, NotFound, ToolFailed, ToolTimeout
from chunter_nsq.smartos.group import is_populated
from chunter_nsq.smartos.runner import Runner, Sink, Source


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner on an empty platform root, with a run directory."""
    return Runner(tmp_path, run_dir=tmp_path / "run")


def open_descriptors() -> set[str]:
    """What this process has open."""
    return {f"{one.name} {one.readlink()}" for one in Path("/proc/self/fd").iterdir() if one.exists()}


async def test_source_is_whole(runner: Runner, tmp_path: Path):
    """All bytes of a stream arrive in order, in blocks as large as asked for, and the end is shown once it is good."""
    argv = python_tool(tmp_path, "zfs", "import os\nfor n in range(40): os.write(1, bytes([n]) * 100_003)")

    async with runner.source(argv) as source:
        first = await asyncio.to_thread(source.read, 250_000)
        rest = await asyncio.to_thread(drain, source)
        completed = await source.completed()

    assert b"".join(bytes([n]) * 100_003 for n in range(40)) == first + rest
    assert (250_000, 4_000_120, 0) == (len(first), source.moved_bytes, completed.exit_status)


async def test_source_counts_as_running(runner: Runner, tmp_path: Path):
    """A tool that streams is listed while it runs, and counted when it is over."""
    argv = shell_tool(tmp_path, "zfs", "echo hello")

    async with runner.source(argv) as source:
        assert [source.pid] == [one.pid for one in runner.active()]
        assert b"hello\n" == await asyncio.to_thread(drain, source)
    assert ((), 1) == (runner.active(), runner.durations()["zfs"].starts)


@pytest.mark.parametrize(
    ("body", "fault", "words"),
    [
        ("head -c 3000000 /dev/zero; echo half-way >&2; exit 1", ToolFailed, "half-way"),
        ("echo \"cannot open 'z@s': dataset does not exist\" >&2; exit 1", NotFound, "z@s"),
        ("head -c 3000000 /dev/zero; kill -9 $$", ToolFailed, "SIGKILL"),
    ],
)
async def test_source_that_fails_shows_no_end(runner: Runner, tmp_path: Path, body: str, fault: type, words: str):
    """A tool that fails or is killed half-way raises where its stream would have ended, in its own words."""
    async with runner.source(shell_tool(tmp_path, "zfs", body)) as source:
        with pytest.raises(fault, match=words):
            await asyncio.to_thread(drain, source)


async def test_source_judged_by_its_caller(runner: Runner, tmp_path: Path):
    """What counts as a good end is the caller's to say."""

    def judge(completed: object) -> None:
        raise ToolFailed(f"it spoke: {completed.stderr}")

    async with runner.source(shell_tool(tmp_path, "zfs", "echo data; echo warning >&2"), judge) as source:
        with pytest.raises(ToolFailed, match="it spoke: warning"):
            await asyncio.to_thread(drain, source)


async def test_silent_source_is_ended(runner: Runner, tmp_path: Path):
    """A stream that stands still while somebody waits for it is ended, with its group."""
    argv = shell_tool(tmp_path, "zfs", "echo x; sleep 60 & wait")

    async with runner.source(argv, silence_seconds=0.2) as source:
        with pytest.raises(ToolTimeout, match=r"stood still for 0.2 s"):
            await asyncio.to_thread(drain, source)
        assert not is_populated(source.pid)


async def test_slow_reader_is_not_silence(runner: Runner, tmp_path: Path):
    """A reader may take its time: only waiting for the tool counts."""
    argv = shell_tool(tmp_path, "zfs", "head -c 5000000 /dev/zero")

    async with runner.source(argv, silence_seconds=0.2) as source:
        await asyncio.to_thread(source.read, 10)
        await asyncio.sleep(0.5)
        assert 5_000_000 - 10 == len(await asyncio.to_thread(drain, source))


@pytest.mark.alone
async def test_cancelled_source(runner: Runner, tmp_path: Path):
    """A cancellation ends the whole group and frees the thread, which is told that the stream is not whole."""
    argv = shell_tool(tmp_path, "zfs", "echo x; sleep 60 & wait")
    raised: list[BaseException] = []
    reading = threading.Event()
    pids: list[int] = []

    def read(source: Source) -> None:
        source.read(2)
        reading.set()
        try:
            source.read(2)
        except BaseException as fault:  # noqa: BLE001 - whatever it is, it is looked at
            raised.append(fault)

    async def work() -> None:
        async with runner.source(argv) as source:
            pids.append(source.pid)
            thread = threading.Thread(target=read, args=(source,))
            threads.append(thread)
            thread.start()
            await asyncio.sleep(60)

    threads: list[threading.Thread] = []
    task = asyncio.create_task(work())
    await asyncio.to_thread(reading.wait, 10)
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(threads[0].join, 5)

    assert [Interrupted] == [type(one) for one in raised]
    assert time.monotonic() - begun < 1
    assert not is_populated(pids[0])


async def test_source_left_with_words_in_the_pipe(runner: Runner, tmp_path: Path):
    """What was not read before the context was left is not taken for the end of a stream."""
    async with runner.source(shell_tool(tmp_path, "zfs", "echo hello")) as source:
        await source.completed()

    with pytest.raises(Interrupted, match="left before its end"):
        await asyncio.to_thread(source.read, 10)


async def test_closed_runner_ends_streams(runner: Runner, tmp_path: Path):
    """Closing the runner ends a stream, and its thread is told why."""
    async with runner.source(shell_tool(tmp_path, "zfs", "sleep 60")) as source:
        reading = asyncio.create_task(asyncio.to_thread(source.read, 10))
        await asyncio.sleep(0.05)
        await runner.close()
        with pytest.raises(Interrupted, match="closing"):
            await reading


async def test_the_loop_may_not_read(runner: Runner, tmp_path: Path):
    """The thread that runs the loop is refused, instead of waiting for itself for ever."""
    async with runner.source(shell_tool(tmp_path, "zfs", "echo x")) as source:
        with pytest.raises(RuntimeError, match="for threads"):
            source.read(1)


async def test_sink_takes_all(runner: Runner, tmp_path: Path):
    """A tool gets every byte, ends when it is told that this was all, and its words are kept."""
    argv = shell_tool(tmp_path, "zfs", f"cat > {tmp_path}/got; echo received")

    def write(sink: Sink) -> bytes:
        for n in range(40):
            sink.write(bytes([n]) * 100_003)
        return sink.finish().stdout

    async with runner.sink(argv) as sink:
        noted = [one.name for one in (tmp_path / "run").iterdir()]
        stdout = await asyncio.to_thread(write, sink)

    assert (b"received\n", [str(sink.pid)]) == (stdout, noted)
    assert b"".join(bytes([n]) * 100_003 for n in range(40)) == (tmp_path / "got").read_bytes()
    assert [] == list((tmp_path / "run").iterdir())


async def test_sink_that_refuses(runner: Runner, tmp_path: Path):
    """A tool that reads no further is heard: its refusal is raised, not a broken pipe."""
    argv = shell_tool(tmp_path, "zfs", "head -c 10 >/dev/null; echo \"destination 'z/x' exists\" >&2; exit 1")

    async with runner.sink(argv) as sink:
        with pytest.raises(AlreadyExists, match="exists"):
            await asyncio.to_thread(sink.write, bytes(10 * MIB))


async def test_sink_that_wants_less(runner: Runner, tmp_path: Path):
    """A tool that ends well before it has read all has not taken all."""
    async with runner.sink(shell_tool(tmp_path, "zfs", "head -c 10 >/dev/null")) as sink:
        with pytest.raises(ToolFailed, match="before it had read all"):
            await asyncio.to_thread(sink.write, bytes(10 * MIB))


async def test_sink_that_was_left_sees_no_end(runner: Runner, tmp_path: Path):
    """Leaving the context by a fault kills the tool first: it never sees an end of its input."""
    argv = shell_tool(tmp_path, "zfs", f"cat >/dev/null && touch {tmp_path}/end")

    async def feed() -> None:
        async with runner.sink(argv) as sink:
            await asyncio.to_thread(sink.write, b"half")
            raise ValueError("bad part")

    with pytest.raises(ValueError, match="bad part"):
        await feed()
    await asyncio.sleep(0.05)

    assert not (tmp_path / "end").exists()


async def test_silent_sink_is_ended(runner: Runner, tmp_path: Path):
    """A tool that reads nothing, or does not end after the last byte, is ended after its time."""
    async with runner.sink(shell_tool(tmp_path, "zfs", "sleep 60"), silence_seconds=0.2) as sink:
        with pytest.raises(ToolTimeout, match="stood still"):
            await asyncio.to_thread(sink.write, bytes(10 * MIB))
    async with runner.sink(shell_tool(tmp_path, "zfs", "cat >/dev/null; sleep 60"), silence_seconds=0.2) as sink:
        with pytest.raises(ToolTimeout, match="stood still"):
            await asyncio.to_thread(sink.finish)


async def test_sink_killed_from_outside(runner: Runner, tmp_path: Path):
    """A receiver that somebody kills is noticed at the next write."""

    def write(sink: Sink) -> None:
        os.kill(sink.pid, signal.SIGKILL)
        sink.write(bytes(10 * MIB))

    async with runner.sink(shell_tool(tmp_path, "zfs", "exec sleep 60")) as sink:
        with pytest.raises(ToolFailed, match="SIGKILL"):
            await asyncio.to_thread(write, sink)


async def test_nothing_is_left_open(runner: Runner, tmp_path: Path):
    """Streams that ended well, badly or not at all leave no descriptor, no child and no thread."""
    shell_tool(tmp_path, "zfs", "echo x")
    async with runner.source(("usr/sbin/zfs",)) as source:
        await asyncio.to_thread(drain, source)
    before, threads = open_descriptors(), threading.active_count()
    for _ in range(20):
        async with runner.source(("usr/sbin/zfs",)) as source:
            await asyncio.to_thread(drain, source)
        async with runner.sink(("usr/sbin/zfs",)):
            pass
        with pytest.raises(ToolFailed):
            async with runner.source(("usr/sbin/missing",)):
                pass

    assert (before, threads, False) == (open_descriptors(), threading.active_count(), has_children())


@pytest.mark.alone
async def test_speed(runner: Runner, tmp_path: Path):
    """A stream passes far faster than any disk or compressor."""
    argv = shell_tool(tmp_path, "zfs", "exec head -c 268435456 /dev/zero")
    buffer = bytearray(4 * MIB)

    def read(source: Source) -> None:
        while source.readinto(buffer):
            pass

    begun = time.monotonic()
    async with runner.source(argv) as source:
        await asyncio.to_thread(read, source)

    assert 268435456 == source.moved_bytes
    assert time.monotonic() - begun < 2
