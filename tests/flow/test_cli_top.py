"""`chunter top` over a real nsqd, with a real agent on the other side."""

from __future__ import annotations

import asyncio
import os
import pty

import pytest
from cli_parts import chunter, running
from worlds import SHARED_MACHINES

pytestmark = pytest.mark.counted

SETTINGS = {"heartbeat_interval": "1s"}  # of the host that is shared


@pytest.fixture
def host(shared):
    """One for those who watch."""
    return shared


async def test_once_prints_hosts_machines_and_rates(host, nsqd):
    """What is known after a while, without a terminal."""
    shown = await chunter("top", "--once", "--wait", "3", nsqd=nsqd)
    assert (0, "") == (shown.status, shown.err)
    lines = shown.out.splitlines()
    assert f"1 host; {SHARED_MACHINES} running" == lines[0]
    assert "announce" in lines[1]
    assert "smartos01" == lines[-1].split()[0]
    assert "sim" == lines[-1].split()[-1]
    assert max(map(len, lines)) <= 80


async def test_on_a_terminal_it_goes_on_until_q(host, nsqd):
    """The screen is the terminal's second one, the keyboard is as it was before."""
    ours, theirs = pty.openpty()
    seen = bytearray()
    loop = asyncio.get_running_loop()
    found = asyncio.Event()

    def read() -> None:
        try:
            seen.extend(os.read(ours, 65536))
        except OSError:  # the other side is closed
            loop.remove_reader(ours)
        if b"smartos01" in seen:
            found.set()

    loop.add_reader(ours, read)
    environment = {"CHUNTER_NSQD_HTTP": nsqd.http_address, "TERM": "xterm-256color"}
    async with running("top", environment=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        async with asyncio.timeout(20):
            await found.wait()
            os.write(ours, b"q")
            assert 0 == await process.wait()
    loop.remove_reader(ours)
    os.close(ours)
    assert b"\x1b[?1049h" in seen
    assert b"\x1b[?1049l" in seen


async def test_without_nsqd_it_says_so():
    """In words, with status 1."""
    shown = await chunter("top", "--once", "--nsqd-http", "127.0.0.1:1")
    assert (1, "") == (shown.status, shown.out)
    assert "Is nsqd running?" in shown.err
