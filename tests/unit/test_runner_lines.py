from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tool_scripts import python_tool, shell_tool

from chunter_nsq.errors import Interrupted, ToolFailed, ToolTimeout
from chunter_nsq.smartos.group import is_populated
from chunter_nsq.smartos.lines import LineSplitter
from chunter_nsq.smartos.runner import Runner


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner on an empty root."""
    return Runner(tmp_path)


@given(st.lists(st.binary(max_size=8).map(lambda part: part.replace(b"x", b"\n"))))
def test_splitting(chunks: list[bytes]):
    """However the bytes come, the lines are those of the whole."""
    splitter = LineSplitter()

    lines = [line for chunk in chunks for line in splitter.feed(chunk)]

    assert b"".join(chunks).split(b"\n") == [*lines, splitter.rest()]


async def test_lines_and_status(runner: Runner, tmp_path: Path):
    """The lines come one by one, an unterminated last one too; then status and standard error are known."""
    argv = shell_tool(tmp_path, "vmadm", "echo one; echo; echo oops >&2; printf two; exit 5")

    async with runner.lines(argv) as lines:
        pid = lines.pid
        said = [line async for line in lines]

    assert [b"one", b"", b"two"] == said
    assert (5, "oops\n", True) == (lines.exit_status, lines.stderr, lines.unterminated)
    assert pid > 1
    assert runner.active() == ()


async def test_lines_as_they_come(runner: Runner, tmp_path: Path):
    """A line is there when the tool has said it, not when the tool has ended."""
    async with runner.lines(shell_tool(tmp_path, "vmadm", "echo one; sleep 60")) as lines:
        assert await anext(lines) == b"one"
        assert lines.exit_status is None


async def test_leaving_ends_the_tool(runner: Runner, tmp_path: Path):
    """Leaving the context ends the tool with its children, and that is no failure."""
    async with runner.lines(shell_tool(tmp_path, "vmadm", "sleep 60 & echo one; sleep 60")) as lines:
        await anext(lines)

    assert not is_populated(lines.pid)
    assert runner.durations()["vmadm"].failures == 0


async def test_error_in_the_context(runner: Runner, tmp_path: Path):
    """An error of whoever reads ends the tool and goes on."""
    with pytest.raises(KeyError):
        async with runner.lines(shell_tool(tmp_path, "vmadm", "sleep 60")) as lines:
            raise KeyError

    assert not is_populated(lines.pid)


async def test_cancelled_reader(runner: Runner, tmp_path: Path):
    """A reader that is cancelled while it waits for a line ends the tool first."""
    argv = shell_tool(tmp_path, "vmadm", "sleep 60")

    async def read() -> None:
        async with runner.lines(argv) as lines:
            await anext(lines)

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    (running,) = runner.active()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader

    assert not is_populated(running.pid)


async def test_huge_line(runner: Runner, tmp_path: Path):
    """A line of many megabytes is one line."""
    body = "import sys\nsys.stdout.write('x' * 20_000_000 + '\\nshort\\n')"

    async with runner.lines(python_tool(tmp_path, "vmadm", body)) as lines:
        lengths = [len(line) async for line in lines]

    assert [20_000_000, 5] == lengths


async def test_line_over_the_limit(runner: Runner, tmp_path: Path):
    """A line over the limit ends the tool; what came before it is delivered."""
    argv = shell_tool(tmp_path, "vmadm", "echo one; exec cat /dev/zero")

    async with runner.lines(argv, line_limit_bytes=100_000) as lines:
        first = await anext(lines)
        with pytest.raises(ToolFailed, match="said more than may be kept"):
            await anext(lines)

    assert first == b"one"
    assert not is_populated(lines.pid)


async def test_slow_reader(runner: Runner, tmp_path: Path):
    """A reader that is slow makes the tool wait, not the memory grow; nothing is lost."""
    argv = shell_tool(tmp_path, "zfs", "exec seq 1 1000000")

    async with runner.lines(argv) as lines:
        first = await anext(lines)
        await asyncio.sleep(0.3)
        assert lines.exit_status is None
        last, count = first, 1
        async for line in lines:
            last, count = line, count + 1

    assert (b"1000000", 1_000_000, 0) == (last, count, lines.exit_status)


async def test_slow_reader_of_a_tool_that_has_ended(runner: Runner, tmp_path: Path):
    """What a tool left in the pipe when it ended waits for a slow reader."""
    argv = shell_tool(tmp_path, "zfs", "exec seq 1 150000")

    async with runner.lines(argv) as lines:
        count = 0
        async for _ in lines:
            count += 1
            if count == 1:
                await asyncio.sleep(0.8)

    assert (150_000, 0) == (count, lines.exit_status)


async def test_time_limit_while_reading(runner: Runner, tmp_path: Path):
    """A time limit given to a stream shows while reading, after the lines that were said."""
    argv = shell_tool(tmp_path, "vmadm", "echo one; sleep 60")
    said = []

    async with runner.lines(argv, timeout_seconds=0.2) as lines:
        said.append(await anext(lines))
        with pytest.raises(ToolTimeout):
            await anext(lines)

    assert [b"one"] == said


async def test_close_while_reading(runner: Runner, tmp_path: Path):
    """A reader is told when the runner is closed."""
    argv = shell_tool(tmp_path, "vmadm", "sleep 60")

    async with runner.lines(argv) as lines:
        closing = asyncio.create_task(runner.close())
        with pytest.raises(Interrupted):
            await anext(lines)
    await closing


@pytest.mark.alone
async def test_output_closed_by_a_tool_that_lives_on(runner: Runner, tmp_path: Path):
    """A tool that closed its output and hangs is ended after a few seconds."""
    argv = shell_tool(tmp_path, "vmadm", "echo one; exec >&- 2>&-; sleep 60")

    started = time.monotonic()
    async with runner.lines(argv) as lines:
        said = [line async for line in lines]

    assert [b"one"] == said
    assert 1.9 < time.monotonic() - started < 5
    assert not is_populated(lines.pid)
