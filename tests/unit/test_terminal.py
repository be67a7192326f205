"""Tools on a terminal of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tool_scripts import python_tool

from chunter_nsq.errors import Interrupted
from chunter_nsq.smartos.runner import Runner, Terminal
from chunter_nsq.smartos.terminal import HELD_BYTES, Size

SMALL = Size(80, 24)
TALK = """
import os, select, sys, termios, fcntl, struct, signal, tty
tty.setraw(0)
told, tell = os.pipe()  # a signal just before a read is not missed
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell)
def size(*_):
    rows, cols = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, b"\\0" * 8))[:2]
    os.write(1, f"{cols}x{rows};".encode())
signal.signal(signal.SIGWINCH, size)
os.write(2, b"aside")
size()
while True:
    ready = select.select([0, told], [], [])[0]
    if told in ready: os.read(told, 100)
    if 0 not in ready: continue
    heard = os.read(0, 100)
    if heard == b"q": sys.exit(3)
    os.write(1, heard.upper())
"""


async def until(terminal: Terminal, wanted: bytes) -> bytes:
    """All that is said up to something."""
    said = b""
    async with asyncio.timeout(10):
        while wanted not in said:
            said += await terminal.read(1000)
    return said


async def test_it_is_a_terminal(tmp_path: Path) -> None:
    """The tool has a size, hears what is typed, is told of a new size; its complaints are no part of the screen."""
    runner = Runner(tmp_path)
    argv = python_tool(tmp_path, "talk", TALK)
    async with runner.terminal(argv, SMALL) as terminal:
        assert b"80x24;" == await until(terminal, b";")
        await terminal.write("grün".encode())
        assert b"GR\xc3\xbcN" == await until(terminal, b"N")
        terminal.resize(Size(132, 50))
        assert b"132x50;" == await until(terminal, b";")
        await terminal.write(b"q")
        assert b"" == await terminal.read(1000)
        assert (3, "aside") == (terminal.exit_status, terminal.stderr)
    assert () == runner.active()


async def test_what_nobody_takes_is_held_back(tmp_path: Path) -> None:
    """A tool that says more and more waits; memory does not grow."""
    runner = Runner(tmp_path)
    argv = python_tool(tmp_path, "flood", "import os\nwhile True: os.write(1, b'x' * 1000)")
    async with runner.terminal(argv, SMALL) as terminal:
        await until(terminal, b"x")
        async with asyncio.timeout(10):
            while terminal._held_bytes <= HELD_BYTES:
                await asyncio.sleep(0)
        held = terminal._held_bytes
        await asyncio.sleep(0.2)  # as long as nobody reads
        assert held == terminal._held_bytes < 3 * HELD_BYTES
        assert 10 == len(await terminal.read(10))


async def test_leaving_ends_the_tool(tmp_path: Path) -> None:
    """Whoever leaves the context ends the tool; whoever closes the runner ends the reading."""
    runner = Runner(tmp_path)
    argv = python_tool(tmp_path, "wait", "import time\nprint('here', flush=True)\ntime.sleep(60)")
    async with runner.terminal(argv, SMALL) as terminal:
        await until(terminal, b"here")
    assert () == runner.active()
    async with runner.terminal(argv, SMALL) as terminal:
        await until(terminal, b"here")
        await runner.close()
        with pytest.raises(Interrupted):
            await until(terminal, b"never")
