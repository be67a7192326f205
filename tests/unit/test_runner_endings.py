from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path

import pytest
from tool_scripts import has_children, shell_tool

from chunter_nsq.errors import Interrupted, ToolTimeout
from chunter_nsq.smartos.exits import watch_by_descriptor, watch_by_thread
from chunter_nsq.smartos.group import is_populated
from chunter_nsq.smartos.runner import Runner

WATCHES = [watch_by_thread]
if sys.platform == "linux":
    WATCHES.append(watch_by_descriptor)

# A tool with a child and a grandchild, all of them long-lived.
FAMILY = "sh -c 'sleep 60 & sleep 60' &\necho ready\nsleep 60"
STUBBORN = "trap '' TERM\nsh -c 'sleep 60 & sleep 60' &\necho ready\nwhile :; do sleep 60; done"


@pytest.fixture(params=WATCHES, ids=lambda watch: watch.__name__)
def runner(request, tmp_path: Path) -> Runner:
    """A runner for each way of learning of an exit."""
    return Runner(tmp_path, timeout_seconds=20, run_dir=tmp_path / "run", exit_watch=request.param)


def only_pid(runner: Runner) -> int:
    """The process of the one tool that runs."""
    (running,) = runner.active()
    return running.pid


async def test_time_limit(runner: Runner, tmp_path: Path):
    """A tool that takes too long is killed with its children, and the fault says what was known."""
    argv = shell_tool(tmp_path, "vmadm", "echo waiting >&2\n" + FAMILY)

    run = asyncio.create_task(runner.run(argv, timeout_seconds=0.3, mutates=True))
    await asyncio.sleep(0.05)
    pid = only_pid(runner)
    with pytest.raises(
        ToolTimeout, match=r"vmadm did not end within 0.3 s and was killed. What .* is unknown"
    ) as raised:
        await run

    assert not is_populated(pid)
    assert {"argv": ["usr/sbin/vmadm"], "exit_status": -15, "stderr": "waiting\n", "timeout_seconds": 0.3} == (
        raised.value.details
    )
    assert runner.durations()["vmadm"].failures == 1


async def test_cancellation_ends_the_family(runner: Runner, tmp_path: Path):
    """Cancelling the waiting task kills the tool, its child and its grandchild before the cancellation goes on."""
    run = asyncio.create_task(runner.run(shell_tool(tmp_path, "vmadm", FAMILY), mutates=True))
    await asyncio.sleep(0.1)
    pid = only_pid(runner)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert not is_populated(pid)
    assert runner.active() == ()
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.alone
async def test_cancellation_of_the_stubborn(runner: Runner, tmp_path: Path):
    """What ignores SIGTERM is killed after the time of grace."""
    run = asyncio.create_task(runner.run(shell_tool(tmp_path, "vmadm", STUBBORN)))
    await asyncio.sleep(0.1)
    pid = only_pid(runner)

    started = time.monotonic()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert 1.9 < time.monotonic() - started < 4
    assert not is_populated(pid)


@pytest.mark.alone
async def test_second_cancellation_is_a_harder_one(runner: Runner, tmp_path: Path):
    """Being cancelled again during the time of grace kills at once."""
    run = asyncio.create_task(runner.run(shell_tool(tmp_path, "vmadm", STUBBORN)))
    await asyncio.sleep(0.1)
    pid = only_pid(runner)

    started = time.monotonic()
    run.cancel()
    await asyncio.sleep(0.05)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert time.monotonic() - started < 1
    assert not is_populated(pid)


async def test_cancellation_at_any_instant(runner: Runner, tmp_path: Path):
    """Whenever the cancellation comes, no process stays."""
    argv = shell_tool(tmp_path, "vmadm", "sleep 30 & sleep 0.002; echo x; sleep 30")
    pids = []
    for step in range(40):
        run = asyncio.create_task(runner.run(argv, stdin=b"x" * 100_000, mutates=True))
        for _ in range(step % 5):
            await asyncio.sleep(0)
        if step >= 5:
            await asyncio.sleep(step * 0.0003)
        pids += [running.pid for running in runner.active()]
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    assert [pid for pid in pids if is_populated(pid)] == []
    assert runner.active() == ()
    assert not has_children()


async def test_cancellation_by_a_timeout_of_the_caller(runner: Runner, tmp_path: Path):
    """The caller's own time limit ends the tool and shows as the caller's time-out."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await runner.run(shell_tool(tmp_path, "zfs", FAMILY))

    assert runner.active() == ()


def test_end_of_the_loop(tmp_path: Path):
    """A loop that ends with a tool still running leaves no process."""
    runner_of = []

    async def main() -> int:
        runner = Runner(tmp_path)
        runner_of.append(runner)
        runner_of.append(asyncio.create_task(runner.run(shell_tool(tmp_path, "vmadm", FAMILY))))
        await asyncio.sleep(0.05)
        return only_pid(runner)

    pid = asyncio.run(main())

    assert not is_populated(pid)


async def test_thrown_away_coroutine(runner: Runner, tmp_path: Path):
    """A coroutine that is thrown away in the middle takes its tool with it."""
    run = runner.run(shell_tool(tmp_path, "vmadm", FAMILY))
    run.send(None)
    pid = only_pid(runner)

    run.close()
    await asyncio.sleep(0.05)

    assert not is_populated(pid)
    assert runner.active() == ()
    gc.collect()


async def test_close(runner: Runner, tmp_path: Path):
    """Closing ends what runs, tells those who wait, and lets nothing more start."""
    argv = shell_tool(tmp_path, "vmadm", FAMILY)
    runs = [asyncio.create_task(runner.run(argv)) for _ in range(3)]
    await asyncio.sleep(0.1)
    pids = [running.pid for running in runner.active()]

    await runner.close()

    results = await asyncio.gather(*runs, return_exceptions=True)
    assert [Interrupted] * 3 == [type(result) for result in results]
    assert [pid for pid in pids if is_populated(pid)] == []
    with pytest.raises(Interrupted, match="was not started"):
        await runner.run(argv)


async def test_time_limit_of_a_silent_tool(runner: Runner, tmp_path: Path):
    """A tool that has closed its pipes and hangs is ended by its time limit."""
    with pytest.raises(ToolTimeout):
        await runner.run(shell_tool(tmp_path, "zfs", "exec >&- 2>&-; sleep 60"), timeout_seconds=0.1)


async def test_no_time_limit_after_the_end(runner: Runner, tmp_path: Path):
    """A time limit that passes while a left daemon holds the pipes is none: the tool has ended."""
    completed = await runner.run(shell_tool(tmp_path, "zfs", "sleep 1 & echo x"), timeout_seconds=0.2)

    assert (0, b"x\n") == (completed.exit_status, completed.stdout)


async def test_cancellation_after_the_end(runner: Runner, tmp_path: Path):
    """A cancellation while a left child holds the pipes of a tool that has ended takes that child too."""
    run = asyncio.create_task(runner.run(shell_tool(tmp_path, "zfs", "sleep 60 & echo x")))
    await asyncio.sleep(0.15)
    pid = only_pid(runner)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert not is_populated(pid)
