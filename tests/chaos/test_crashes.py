"""Crashes of the agent and of nsqd at bad moments: nothing accepted is lost, and what is told is true."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nsq_servers import Nsqd
from sweeps import swept
from worlds import FINAL, Ears, Host, new_uuid, payload

pytestmark = pytest.mark.counted


def _state(host: Host, uuid: str) -> str | None:
    found = host.tool("vmadm", "get", uuid)
    return json.loads(found.stdout)["state"] if found.returncode == 0 else None


def _finals(ears: Ears, command: str) -> list[dict[str, Any]]:
    found = [e["data"] for e in ears.heard if e["data"].get("command") == command and e["data"]["status"] in FINAL]
    return [data for data in found if not data["duplicate"]]


@pytest.mark.parametrize("after_seconds", swept([0.0, 0.3, 0.8, 1.4, 1.9, 2.2], [1.4]))
async def test_a_create_survives_a_kill_of_the_agent(
    ears: Ears, new_host: Callable[..., Host], after_seconds: float
) -> None:
    """Killed at any moment of a create and started again, the agent tells one end, and it is true of the host."""
    host = new_host()
    host.latency(create=2.0)
    await host.start().ready()
    uuid = new_uuid()
    command = host.send("machine.create", uuid, params={"payload": payload()})
    await ears.when(lambda: "accepted" in ears.statuses(command))
    await asyncio.sleep(after_seconds)  # the moment of the crash is what is tried here
    host.kill()
    await host.start().ready()
    done = await ears.result(command, 60)
    await ears.result(host.send("host.ping"))

    assert 1 == len({event["id"] for event in ears.heard if event["data"] in _finals(ears, command)})
    if done["status"] == "succeeded":
        assert "running" == _state(host, uuid)
    else:
        assert "interrupted" == done["status"], done
        assert _state(host, uuid) is None


@pytest.mark.alone
async def test_nsqd_comes_back_and_so_do_we(nsqd: Nsqd, new_host: Callable[..., Host]) -> None:
    """Within five seconds of nsqd's return after a kill -9 commands are answered, and no event is missing."""
    host = await new_host(zones=2).start().ready()
    uuids = [host.machine(), host.machine()]
    async with Ears(nsqd) as before:
        await before.result(host.send("host.ping"))
        nsqd.kill()
        for uuid in uuids:  # told while nobody listens: it waits in the outbox
            await asyncio.to_thread(host.tool, "vmadm", "stop", uuid, "-F")
        await asyncio.sleep(1.5)  # two turns of the zone monitor
        nsqd.start()
        began = time.monotonic()
        command = host.send("host.ping")
        done = await before.result(command, 20)
        assert "succeeded" == done["status"]
        assert time.monotonic() - began < 5.0
        for uuid in uuids:
            await before.state(uuid, "stopped")
        for topic in ("chunter.zone", "chunter.result"):
            seen = [int(event["sequence"]) for event in before.heard if event["topic"] == topic]
            fresh = list(dict.fromkeys(seen))
            assert sorted(fresh) == fresh, "an event overtook another"
            assert list(range(fresh[0], fresh[-1] + 1)) == fresh, "an event is missing"


async def test_a_command_accepted_before_a_kill_is_run_after_it(ears: Ears, new_host: Callable[..., Host]) -> None:
    """Commands that waited in line when the agent was killed are run by the next one, in their order."""
    host = new_host(zones=1)
    host.latency(stop=0.7, start=0.7)
    await host.start().ready()
    uuid = host.machine()
    commands = [
        host.send(action, uuid) for action in ("machine.stop", "machine.start", "machine.stop", "machine.start")
    ]
    await ears.when(lambda: all("accepted" in ears.statuses(command) for command in commands))
    host.kill()
    await host.start().ready()
    for command in commands:
        assert "succeeded" == (await ears.result(command, 40))["status"]

    ended = [e["data"]["command"] for e in ears.heard if e["data"].get("status") == "succeeded"]
    assert commands == [command for command in dict.fromkeys(ended) if command in commands]
    assert "running" == _state(host, uuid)


async def test_sigterm_lets_work_end(ears: Ears, new_host: Callable[..., Host]) -> None:
    """SIGTERM lets what runs end and leaves no tool behind; what waited is run after a restart."""
    host = new_host(zones=1)
    host.latency(stop=2.0)
    await host.start().ready()
    uuid = host.machine()
    running, waiting = host.send("machine.stop", uuid), host.send("machine.start", uuid)
    await ears.when(lambda: "accepted" in ears.statuses(waiting))
    began = time.monotonic()
    assert 0 == await host.stop()

    assert time.monotonic() - began < 60
    assert "succeeded" == (await ears.result(running))["status"]
    assert [] == host.tools_running()
    await host.start().ready()
    assert "succeeded" == (await ears.result(waiting))["status"]


def _streams_of(host: Host) -> list[int]:
    found = []
    for pid in host.tools_running():
        with contextlib.suppress(OSError):
            if b"events" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


async def test_a_stream_whose_reader_was_killed_is_ended(new_host: Callable[..., Host]) -> None:
    """The event stream of a killed agent is ended by the next one; never are there two."""
    host = await new_host(zones=1).start().ready()
    while not _streams_of(host):
        await asyncio.sleep(0.05)
    (old,) = _streams_of(host)
    host.kill()
    await host.start().ready()
    while _streams_of(host) in ([], [old]):
        await asyncio.sleep(0.05)

    assert old not in _streams_of(host)
    assert 1 == len(_streams_of(host))


async def test_a_second_agent_on_the_same_tree_is_refused(host: Host) -> None:
    """The second start ends with 95 and names the process that holds the tree."""
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chunter_nsq", "run", "--root", str(host.root),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await second.communicate()

    assert 95 == second.returncode
    assert str(host.pid) in output.decode()
