"""The agent's own life: announce, heartbeat, reload, goodbye."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from worlds import Ears, Host, new_uuid, payload


async def test_a_host_announces_itself(ears: Ears, host: Host) -> None:
    """The announcement names the command topic, what can be done, networks, memory, and no secret."""
    await ears.when(lambda: any(e["data"]["data"]["resources"] for e in ears.of("chunter.host.announce")))

    told = ears.of("chunter.host.announce")[-1]["data"]["data"]
    assert (host.id, f"chunter.command.{host.id}", host.id) == (told["host"], told["command_topic"], told["channel"])
    assert ["admin", "external"] == told["networks"]
    assert ["stub0"] == told["etherstubs"]
    assert {"zone", "bhyve", "lx"} <= set(told["capabilities"])
    assert "machine.create" in told["actions"]
    assert 130934 == told["resources"]["total-memory"]
    assert "root_shadow" not in json.dumps(told)
    assert told["simulated"] is True


async def test_a_heart_beats_while_commands_run(ears: Ears, new_host: Callable[..., Host]) -> None:
    """Heartbeats come on time and name what runs."""
    host = new_host(zones=1, settings={"heartbeat_interval": "200ms"})
    host.latency(stop=2.0)
    await host.start().ready()
    uuid = json.loads(host.tool("vmadm", "lookup", "-j").stdout)[0]["uuid"]
    command = host.send("machine.stop", uuid)

    beat = await ears.until(
        lambda e: e["type"] == "chunter.host.heartbeat" and e["data"]["data"]["running"] != [],
    )
    assert [command] == [one["command"] for one in beat["data"]["data"]["running"]]
    assert "machine.stop" == beat["data"]["data"]["running"][0]["action"]
    await ears.result(command)


async def test_memory_follows_the_machines(ears: Ears, new_host: Callable[..., Host]) -> None:
    """A new machine's memory is provisioned in the next accounting."""
    host = await new_host(settings={"update_services_interval": "300ms"}).start().ready()
    await ears.result(host.send("machine.create", new_uuid(), params={"payload": payload(max_physical_memory=512)}))
    told = await ears.until(
        lambda e: e["type"] == "chunter.memory.update" and e["data"]["data"]["provisioned-memory"] == 512
    )

    assert 130934 - 512 == told["data"]["data"]["free-memory"]


async def test_goodbye_is_said(ears: Ears, new_host: Callable[..., Host]) -> None:
    """An agent that is stopped announces that it leaves."""
    host = await new_host().start().ready()
    assert 0 == await host.stop()

    told = await ears.until(lambda e: e["type"] == "chunter.host.leaving")
    assert host.id == told["data"]["data"]["host"]


async def test_sighup_takes_up_what_may_change(ears: Ears, new_host: Callable[..., Host]) -> None:
    """After SIGHUP a shorter interval is in force; a wrong file changes nothing and the agent goes on."""
    host = await new_host().start().ready()
    host.configure(heartbeat_interval="100ms")
    os.kill(host.pid, signal.SIGHUP)
    await ears.when(lambda: len(ears.of("chunter.host.heartbeat")) > 10, 8)

    host.configure(heartbeat_interval="soon")
    os.kill(host.pid, signal.SIGHUP)
    while "config.refused" not in host.log.read_text():
        await asyncio.sleep(0.02)
    before = len(ears.of("chunter.host.heartbeat"))
    await ears.when(lambda: len(ears.of("chunter.host.heartbeat")) > before + 5, 8)


def test_a_wrong_configuration_is_refused(tmp_path: Path) -> None:
    """With faults in chunter.conf `chunter run` ends with 96 and names each with its line."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "chunter.conf").write_text("nsqd = nowhere\nzonemon_intervall = 1s\nlog.level = loud\n")
    ended = subprocess.run(
        [sys.executable, "-m", "chunter_nsq", "run", "--root", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 96 == ended.returncode
    for part in ("1", "nowhere", "2", "zonemon_interval", "3", "loud"):
        assert part in ended.stderr


async def test_each_log_line_names_its_command(ears: Ears, new_host: Callable[..., Host]) -> None:
    """What is logged while a command runs carries the command's id."""
    host = await new_host(settings={"log.level": "debug"}).start().ready()
    command = host.send("machine.create", params={"payload": payload(image_uuid=new_uuid())})
    await ears.result(command)

    lines = [json.loads(line) for line in host.log.read_text().splitlines()]
    mine = [line for line in lines if line.get("command") == command]
    assert {"usr/sbin/vmadm"} <= {line["argv"][0] for line in mine if "argv" in line}
    assert any(line["event"] == "command.ended" for line in mine)
