from __future__ import annotations

import asyncio
import logging
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tool_scripts import group_leader, has_children, python_tool, shell_tool

from chunter_nsq.errors import InvalidMessage, ToolFailed, ToolTimeout
from chunter_nsq.smartos.exits import watch_by_descriptor, watch_by_thread
from chunter_nsq.smartos.group import is_populated
from chunter_nsq.smartos.process import STDERR_TAIL_BYTES
from chunter_nsq.smartos.runner import Runner, ToolCounts, current_command

WATCHES = [watch_by_thread]
if sys.platform == "linux":
    WATCHES.append(watch_by_descriptor)


@pytest.fixture(params=WATCHES, ids=lambda watch: watch.__name__)
def runner(request, tmp_path: Path) -> Runner:
    """A runner for each way of learning of an exit."""
    return Runner(tmp_path, timeout_seconds=20, output_limit_bytes=16 * 2**20, exit_watch=request.param)


async def test_result_of_a_failing_tool(runner: Runner, tmp_path: Path):
    """A tool that ends badly is returned like any other, with both of its outputs."""
    argv = shell_tool(tmp_path, "zoneadm", 'echo "said: $1 $2"; echo wrong >&2; exit 3')

    completed = await runner.run((*argv, "list", "a b; $HOME"))

    assert (3, b"said: list a b; $HOME\n", "wrong\n") == (completed.exit_status, completed.stdout, completed.stderr)
    assert (*argv, "list", "a b; $HOME") == completed.argv


async def test_death_by_signal(runner: Runner, tmp_path: Path):
    """A tool that a signal ended has that signal, negative, for its exit status."""
    completed = await runner.run(shell_tool(tmp_path, "vmadm", "kill -ABRT $$"))

    assert completed.exit_status == -6


async def test_surroundings(runner: Runner, tmp_path: Path):
    """A tool sees a fixed environment and the root directory, leads a group of its own and inherits no descriptor."""
    body = (
        "import os\n"
        "names = sorted(set(os.environ) - {'LC_CTYPE', 'PWD'})\n"
        "print([f'{n}={os.environ[n]}' for n in names], os.getcwd(), os.getsid(0) == os.getpid())\n"
        "print(sorted(int(d) for d in os.listdir('/dev/fd'))[:-1])"
    )

    completed = await runner.run(python_tool(tmp_path, "zfs", body))

    assert b"['LC_ALL=C', 'PATH=/usr/bin:/usr/sbin', 'TZ=UTC'] / True\n[0, 1, 2]\n" == completed.stdout


async def test_no_zombie(runner: Runner, tmp_path: Path):
    """When a run has returned, its process has been reaped."""
    await runner.run(shell_tool(tmp_path, "zfs", "exit 0"))

    assert not has_children()


async def test_fifty_at_once(runner: Runner, tmp_path: Path):
    """Fifty tools side by side each get their own answer and leave nothing behind."""
    argv = shell_tool(tmp_path, "zfs", 'sleep 0.05; echo "$1"; cat')

    completed = await asyncio.gather(*(runner.run((*argv, str(n)), stdin=b"%d" % n) for n in range(50)))

    assert [b"%d\n%d" % (n, n) for n in range(50)] == [each.stdout for each in completed]
    assert runner.active() == ()
    assert runner.durations()["zfs"].starts == 50


async def test_input_larger_than_a_pipe(runner: Runner, tmp_path: Path):
    """Input and output larger than a pipe pass whole."""
    payload = os.urandom(2**20) * 5

    completed = await runner.run(shell_tool(tmp_path, "vmadm", "exec cat"), stdin=payload)

    assert payload == completed.stdout


async def test_input_that_nobody_reads(runner: Runner, tmp_path: Path):
    """A tool that ends without reading its input is judged by its exit status."""
    completed = await runner.run(shell_tool(tmp_path, "vmadm", "echo done"), stdin=b"x" * 2**20)

    assert (0, b"done\n") == (completed.exit_status, completed.stdout)


async def test_no_input(runner: Runner, tmp_path: Path):
    """Without input a tool that reads finds the end at once."""
    completed = await runner.run(shell_tool(tmp_path, "vmadm", "exec cat"))

    assert (0, b"") == (completed.exit_status, completed.stdout)


async def test_flood_on_standard_error(runner: Runner, tmp_path: Path):
    """Of a flood on standard error the tail is kept, and the tool is not disturbed."""
    argv = shell_tool(tmp_path, "zfs", "head -c 30000000 /dev/zero | tr '\\0' 'x' >&2; echo last words >&2")

    completed = await runner.run(argv)

    assert completed.exit_status == 0
    assert completed.stderr.endswith("xxlast words\n")
    assert STDERR_TAIL_BYTES == len(completed.stderr)


async def test_flood_on_standard_output(runner: Runner, tmp_path: Path):
    """A tool that says more than the limit is killed, and the fault says so."""
    argv = shell_tool(tmp_path, "zfs", "exec head -c 100000000 /dev/zero")

    with pytest.raises(ToolFailed, match="said more than may be kept") as raised:
        await runner.run(argv)

    assert 16 * 2**20 < raised.value.details["stdout_bytes"] <= 16 * 2**20 + 64 * 1024
    assert ToolCounts(1, 1, runner.durations()["zfs"].seconds) == runner.durations()["zfs"]


async def test_closed_pipes(runner: Runner, tmp_path: Path):
    """A tool that closes its pipes is waited for until it has ended."""
    completed = await runner.run(shell_tool(tmp_path, "zfs", "exec >&- 2>&-; sleep 0.2; exit 7"))

    assert completed.exit_status == 7
    assert completed.seconds >= 0.2


@pytest.mark.alone
async def test_daemon_left_behind(runner: Runner, tmp_path: Path):
    """A daemon that a tool leaves behind neither delays its result for long nor is killed."""
    argv = shell_tool(tmp_path, "zoneadm", "sleep 5 & echo $!")

    completed = await runner.run(argv)

    assert completed.exit_status == 0
    assert completed.seconds < 2
    os.kill(int(completed.stdout), 9)


async def test_late_words_of_a_child(runner: Runner, tmp_path: Path):
    """What a tool's child still says after the tool's own end is heard as long as it keeps speaking."""
    argv = shell_tool(tmp_path, "zoneadm", "(for n in 1 2 3; do sleep 0.2; echo $n; done) & exit 0")

    completed = await runner.run(argv)

    assert completed.stdout == b"1\n2\n3\n"


async def test_secrets(runner: Runner, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A secret in an argument or in the tool's words is starred everywhere but in the tool's own arguments."""
    caplog.set_level(logging.DEBUG)
    argv = shell_tool(tmp_path, "vmadm", 'echo "$1" | tr a-z A-Z; echo "bad $1" >&2; sleep 0.1')

    run = asyncio.create_task(runner.run((*argv, "pw=hunter2", "hunter22"), secrets=["hunter2", "hunter22", ""]))
    await asyncio.sleep(0.03)
    (running,) = runner.active()
    completed = await run

    assert (*argv, "pw=***", "***") == running.argv == completed.argv
    assert (b"PW=HUNTER2\n", "bad pw=***\n") == (completed.stdout, completed.stderr)
    assert "hunter2" not in "".join(str(record.__dict__) for record in caplog.records)


async def test_log_lines(runner: Runner, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Start and end of a tool are one debug line each, with what it was, for whom, and how it went."""
    caplog.set_level(logging.DEBUG, logger="chunter_nsq.smartos")
    argv = shell_tool(tmp_path, "zfs", "echo abc; exit 4")

    token = current_command.set("6f0c")
    await runner.run(argv)
    current_command.reset(token)

    start, end = (record.__dict__ for record in caplog.records if record.message.startswith("tool."))
    assert ("tool.start", argv, "6f0c") == (start["message"], start["argv"], start["command"])
    assert ("tool.end", argv, "6f0c", 4, 4) == tuple(
        end[name] for name in ("message", "argv", "command", "exit_status", "stdout_bytes")
    )
    assert 0 < end["seconds"] < 5


async def test_list_of_what_runs(runner: Runner, tmp_path: Path):
    """What runs is listed with its command, and no longer once it has ended."""
    argv = shell_tool(tmp_path, "zfs", "sleep 0.1")
    current_command.set("6f0c")

    run = asyncio.create_task(runner.run(argv))
    await asyncio.sleep(0)
    (running,) = runner.active()
    await run

    assert (argv, "6f0c") == (running.argv, running.command)
    assert runner.active() == ()


async def test_missing_tool(runner: Runner, tmp_path: Path):
    """A tool that is not there is named with its path and a remedy."""
    with pytest.raises(ToolFailed, match=r"/usr/sbin/imgadm cannot be started: .*check platform_root") as raised:
        await runner.run(("usr/sbin/imgadm", "list"))

    assert ["usr/sbin/imgadm", "list"] == raised.value.details["argv"]
    assert ToolCounts(1, 1, runner.durations()["imgadm"].seconds) == runner.durations()["imgadm"]


async def test_tool_without_its_interpreter(runner: Runner, tmp_path: Path):
    """A script whose interpreter is missing is told from a missing script."""
    argv = shell_tool(tmp_path, "vmadm", "")
    (tmp_path / argv[0]).write_text("#!/no/such/node\n")

    with pytest.raises(ToolFailed, match="its interpreter or what it links to is missing"):
        await runner.run(argv)


async def test_tool_that_may_not_run(runner: Runner, tmp_path: Path):
    """A tool that is not executable is named with what it must be."""
    argv = shell_tool(tmp_path, "vmadm", "")
    (tmp_path / argv[0]).chmod(0o644)

    with pytest.raises(ToolFailed, match=r"usr/sbin/vmadm cannot be started: .*must be an executable file"):
        await runner.run(argv)


@pytest.mark.parametrize("path", ["/bin/sh", "../bin/sh", "usr/../../bin/sh", "", "."])
async def test_path_outside_the_root(runner: Runner, path: str):
    """Only a path below the platform root is started."""
    with pytest.raises(ToolFailed, match="is not a tool's path below"):
        await runner.run((path,))


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
async def test_word_that_no_program_can_be_given(runner: Runner, tmp_path: Path, word: str):
    """An argument that cannot be given to a program is refused before anything starts."""
    with pytest.raises(InvalidMessage, match="was not started"):
        await runner.run((*shell_tool(tmp_path, "zfs", ""), word))


async def test_start_is_cheap(tmp_path: Path):
    """Starting, watching and reaping a tool costs the agent a few milliseconds."""
    runner = Runner(tmp_path)
    shell_tool(tmp_path, "zfs", "")
    argv = ("usr/sbin/true",)
    (tmp_path / argv[0]).symlink_to("/bin/true")
    await runner.run(argv)

    started = os.times()
    for _ in range(50):
        await runner.run(argv)
    ended = os.times()

    assert (ended.user + ended.system - started.user - started.system) / 50 < 0.01


async def test_no_descriptors_left(tmp_path: Path):
    """Without file descriptors a tool is not started, no process stays, and the remedy is named."""
    argv = shell_tool(tmp_path, "zfs", "sleep 60")
    runner = Runner(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    faults = []
    fillers = [os.dup(0)]
    while fillers[-1] < 100:
        fillers.append(os.dup(0))

    try:
        for spare in range(1, 10):  # each of the start's own descriptors in turn is the one that is missing
            resource.setrlimit(resource.RLIMIT_NOFILE, (100 + spare, limits[1]))
            try:
                await runner.run(argv, stdin=b"x", timeout_seconds=0.05)
            except ToolFailed as fault:
                faults.append(fault.message)
            except ToolTimeout:
                break
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for filler in fillers:
            os.close(filler)

    assert len(faults) > 3
    assert all("Too many open files: the limits" in message for message in faults)
    assert not has_children()


def test_ignored_children(tmp_path: Path):
    """An agent started with SIGCHLD ignored still learns how its tools end."""
    shell_tool(tmp_path, "zfs", "exit 3")
    agent = (
        "import asyncio, signal, sys\nfrom pathlib import Path\n"
        "from chunter_nsq.smartos.runner import Runner\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "print(asyncio.run(Runner(Path(sys.argv[1])).run(('usr/sbin/zfs',))).exit_status)"
    )

    ended = subprocess.run([sys.executable, "-c", agent, str(tmp_path)], capture_output=True, text=True, check=True)

    assert ended.stdout == "3\n"


async def test_exit_that_cannot_be_watched(tmp_path: Path):
    """A tool whose exit cannot be watched is killed with its children and reaped."""
    pids = []

    def no_thread(pid: int, _ended) -> None:
        pids.append(pid)
        raise RuntimeError("can't start new thread")

    with pytest.raises(ToolFailed, match="zfs cannot be started: can't start new thread"):
        await Runner(tmp_path, exit_watch=no_thread).run(shell_tool(tmp_path, "zfs", "sleep 60 & sleep 60"), stdin=b"x")

    assert not is_populated(pids[0])
    assert not has_children()


def test_population_of_a_group(tmp_path: Path):
    """A group has members as long as one lives; where the dead cannot be told from the living, they count."""
    dead = group_leader("true")
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)

    assert is_populated(os.getpgrp())
    assert [False, True] == [is_populated(dead.pid), is_populated(dead.pid, proc=tmp_path)]
    dead.wait()
    assert not is_populated(dead.pid, proc=tmp_path)
