from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tool_scripts import group_leader, shell_tool

from chunter_nsq.errors import ToolFailed
from chunter_nsq.smartos.birth import birth_of
from chunter_nsq.smartos.runner import Runner, Running, current_command

AGENT = """
import asyncio, sys
from pathlib import Path
from chunter_nsq.smartos.runner import Runner, current_command
async def main():
    current_command.set("6f0c")
    root = Path(sys.argv[1])
    runner = Runner(root, run_dir=root / "run")
    await runner.run(("usr/sbin/vmadm", "create", "hunter2"), secrets=["hunter2"], mutates=True)
asyncio.run(main())
"""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner with a run directory."""
    return Runner(tmp_path, run_dir=tmp_path / "run")


def killed_agent(root: Path) -> int:
    """Have an agent start its tool and kill it then; the tool's process."""
    agent = subprocess.Popen([sys.executable, "-c", AGENT, str(root)])
    give_up_at = time.monotonic() + 10
    while not any(path.stat().st_size for path in root.glob("run/*")) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    agent.kill()
    agent.wait()
    return int(next(root.glob("run/*")).name)


async def test_file_of_a_changing_tool(runner: Runner, tmp_path: Path):
    """A changing tool has a file as long as it runs; others have none."""
    argv = shell_tool(tmp_path, "vmadm", "sleep 0.1")
    current_command.set("6f0c")

    run = asyncio.create_task(runner.run((*argv, "hunter2"), secrets=["hunter2"], mutates=True))
    await asyncio.sleep(0)
    (running,) = runner.active()
    document = json.loads((tmp_path / "run" / str(running.pid)).read_text())
    await run
    await runner.run(argv)

    assert {
        "pid": running.pid,
        "argv": ["usr/sbin/vmadm", "***"],
        "command": "6f0c",
        "started": running.started,
    } == {name: document[name] for name in ("pid", "argv", "command", "started")}
    assert list((tmp_path / "run").iterdir()) == []


async def test_orphan_of_a_killed_agent(runner: Runner, tmp_path: Path):
    """What a killed agent left running is found with its command, and can be waited for."""
    shell_tool(tmp_path, "vmadm", "sleep 60 & sleep 60")
    pid = await asyncio.to_thread(killed_agent, tmp_path)

    (orphan,) = await runner.orphans()
    early = await runner.wait_orphan(orphan, 0.2)
    os.killpg(pid, signal.SIGKILL)
    late = await runner.wait_orphan(orphan, 10)

    assert Running(("usr/sbin/vmadm", "create", "***"), pid, orphan.started, "6f0c") == orphan
    assert (False, True) == (early, late)
    assert await runner.orphans() == ()
    assert list((tmp_path / "run").iterdir()) == []


async def test_a_tool_finds_its_file_when_it_begins(runner: Runner, tmp_path: Path):
    """However soon the agent is killed: a changing tool runs no instruction before its file is there, whole."""
    argv = shell_tool(tmp_path, "vmadm", f"cat {tmp_path}/run/$$")

    document = json.loads((await runner.run(argv, mutates=True)).stdout)

    assert {"pid", "argv", "command", "started", "birth"} == document.keys()
    assert list((tmp_path / "run").iterdir()) == []


async def test_a_tool_that_cannot_be_started_leaves_no_file(runner: Runner, tmp_path: Path):
    """The child that could not become a tool has written a file; it goes with it."""
    with pytest.raises(ToolFailed, match="it is not there"):
        await runner.run(("usr/sbin/vmadm", "list"), mutates=True)

    assert list((tmp_path / "run").iterdir()) == []


async def test_own_tools_are_no_orphans(runner: Runner, tmp_path: Path):
    """What this agent runs itself is not an orphan."""
    run = asyncio.create_task(runner.run(shell_tool(tmp_path, "vmadm", "sleep 0.2"), mutates=True))
    await asyncio.sleep(0.05)

    orphans = await runner.orphans()
    await run

    assert orphans == ()


async def test_file_of_a_process_that_is_gone(runner: Runner, tmp_path: Path):
    """The file of a process that has ended is removed."""
    gone = group_leader("true")
    gone.wait()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / str(gone.pid)).write_text("{}")

    assert await runner.orphans() == ()
    assert list((tmp_path / "run").iterdir()) == []


async def test_number_that_belongs_to_another_by_now(runner: Runner, tmp_path: Path):
    """A process that was born at another time than the file says is not taken for the orphan."""
    stranger = group_leader("sleep", "60")
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / str(stranger.pid)
    path.write_text(json.dumps({"pid": stranger.pid, "argv": ["usr/sbin/vmadm"], "birth": "12"}))

    orphans = await runner.orphans()
    stranger.kill()
    stranger.wait()

    assert orphans == ()
    assert not path.exists()


@pytest.mark.parametrize("text", ["", '{"pid": 1', "[]", '{"argv": 3, "started": "x", "command": []}'])
async def test_half_written_file(runner: Runner, tmp_path: Path, text: str):
    """Of a half-written file the name is enough to find the orphan."""
    orphan = group_leader("sleep", "60")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / str(orphan.pid)).write_text(text)
    (tmp_path / "run" / "README").write_text("not a process")

    orphans = await runner.orphans()
    orphan.kill()
    orphan.wait()

    assert (Running((), orphan.pid, 0.0, None),) == orphans


async def test_run_directory_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A run directory that cannot be written is told in the log, and the tool runs all the same."""
    (tmp_path / "run").write_text("a file where the directory should be")
    runner = Runner(tmp_path, run_dir=tmp_path / "run")

    completed = await runner.run(shell_tool(tmp_path, "vmadm", "echo done"), mutates=True)

    assert completed.stdout == b"done\n"
    messages = ["runner.leftover_not_written", "runner.leftover_not_removed"]
    assert messages == [record.message for record in caplog.records]


async def test_no_run_directory(tmp_path: Path):
    """Without a run directory there are no orphans."""
    assert await Runner(tmp_path).orphans() == ()
    assert await Runner(tmp_path).wait_orphan(Running((), 1, 0.0, None), 0.0)


def test_birth_of_a_process(tmp_path: Path):
    """A living process has a birth that stays the same, a dead one has none; illumos tells it in another form."""
    psinfo = tmp_path / "77" / "psinfo"
    psinfo.parent.mkdir()
    psinfo.write_bytes(
        bytes(88) + (1_714_567_890).to_bytes(8, sys.byteorder) + (5).to_bytes(8, sys.byteorder) + bytes(200)
    )

    assert birth_of(os.getpid()) == birth_of(os.getpid()) is not None
    assert birth_of(78, tmp_path) is None
    assert birth_of(77, tmp_path) == "1714567890.000000005"
