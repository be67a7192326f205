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

import pytest
from prometheus_client.parser import text_string_to_metric_families
from worlds import Ears, Event, Host, new_uuid, payload

pytestmark = pytest.mark.counted

SETTINGS = {"heartbeat_interval": "200ms", "log.level": "debug"}  # of the host that is shared


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


async def test_a_heart_beats_while_commands_run(ears: Ears, shared: Host) -> None:
    """Heartbeats come on time and name what runs."""
    shared.latency(stop=2.0)
    command = shared.send("machine.stop", shared.machine())

    beat = await ears.until(
        lambda e: e["type"] == "chunter.host.heartbeat" and e["data"]["data"]["running"] != [],
    )
    assert [command] == [one["command"] for one in beat["data"]["data"]["running"]]
    assert "machine.stop" == beat["data"]["data"]["running"][0]["action"]
    await ears.result(command)
    shared.latency()


async def test_a_heart_tells_how_the_agent_does(ears: Ears, shared: Host) -> None:
    """What tools ran and for how long, how late each publisher is, who found zone events, what waits: as /metrics."""
    wanted = {"kstat", "prtconf", "svcs", "zfs", "zoneadm", "zpool"}

    def beats_with_all(event: Event) -> bool:
        return event["type"] == "chunter.host.heartbeat" and wanted <= set(event["data"]["data"]["tool_runs"])

    beat = await ears.until(beats_with_all)
    told = beat["data"]["data"]

    assert all(one["runs"] >= 1 and one["seconds"] > 0 for one in told["tool_runs"].values())
    sources = {"announce", "arc", "heartbeat", "memory", "metrics", "services", "snapshots", "zones", "zpools"}
    assert sources | {"zones stream"} <= set(told["publishers"])
    assert all(one["late_seconds"] >= 0 for one in told["publishers"].values())
    assert {"stream", "list"} == set(told["zone_events"])
    assert {"query": 0, "machine": 0, "transfer": 0} == told["queues"]


async def test_what_only_the_list_shows_is_counted(ears: Ears, new_host: Callable[..., Host]) -> None:
    """A change while the platform's stream is silent is found by the list, and counted as such in heart and figures."""
    host = new_host(zones=1, settings={"heartbeat_interval": "200ms"})
    await host.chunter("simulator", "fault", str(host.platform), "vmadm", "events", "--exit", "1")
    await host.start().ready()
    uuid = host.machine()
    await ears.state(uuid, "running")
    assert 0 == (await asyncio.to_thread(host.tool, "vmadm", "stop", uuid, "-F")).returncode
    await ears.state(uuid, "stopped")

    def beats_with_found(event: Event) -> bool:
        return event["type"] == "chunter.host.heartbeat" and event["data"]["data"]["zone_events"]["list"] >= 1

    beat = await ears.until(beats_with_found)
    assert 0 == beat["data"]["data"]["zone_events"]["stream"]
    figures = text_string_to_metric_families((await host.get("/metrics"))[1].decode())
    found = {s.labels["found_by"]: s.value for f in figures if f.name == "chunter_zone_events" for s in f.samples}
    assert (True, 0) == (found["list"] >= 1, found["stream"])


async def test_memory_follows_the_machines(ears: Ears, new_host: Callable[..., Host]) -> None:
    """What is made, resized or deleted, by command or by hand, is accounted for at once and not at the next tick."""
    host = await new_host(settings={"update_services_interval": "10m"}).start().ready()
    uuid = new_uuid()

    async def accounted(provisioned: int) -> None:
        await ears.when(lambda: [provisioned] == [one["provisioned-memory"] for one in _accounts(ears)][-1:])
        assert 130934 - provisioned == _accounts(ears)[-1]["free-memory"]

    await accounted(0)
    created = host.send("machine.create", uuid, params={"payload": payload(max_physical_memory=512)})
    await accounted(512)
    await ears.result(created)
    await asyncio.to_thread(host.tool, "vmadm", "update", uuid, "max_physical_memory=700")
    await accounted(700)
    await ears.result(host.send("machine.update", uuid, params={"payload": {"max_physical_memory": 300}}))
    await accounted(300)
    await asyncio.to_thread(host.tool, "vmadm", "delete", uuid)
    await accounted(0)
    assert [0, 512, 700, 300, 0] == [one["provisioned-memory"] for one in _accounts(ears)]


async def test_host_info_looks_at_memory_itself(ears: Ears, new_host: Callable[..., Host]) -> None:
    """It has the resources before anything accounted for them, and all the rest while the platform does not tell."""
    host = new_host(settings={"update_services_interval": "10m"})
    await host.chunter("simulator", "fault", str(host.platform), "prtconf", "--denied")
    await host.start().ready()
    await ears.until(
        lambda e: e["type"] == "chunter.host.warning" and e["data"]["data"]["source"] == "memory", timeout_seconds=60
    )
    told = (await ears.result(host.send("host.info")))["result"]
    assert (host.id, {}) == (told["host"], told["resources"])
    await host.chunter("simulator", "faults", str(host.platform), "--clear")
    told = (await ears.result(host.send("host.info")))["result"]
    assert (130934, 0) == (told["resources"]["total-memory"], told["resources"]["provisioned-memory"])
    assert [] == _accounts(ears)


def _accounts(ears: Ears) -> list[dict[str, int]]:
    return [event["data"]["data"] for event in ears.of("chunter.memory.update")]


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


async def test_each_log_line_names_its_command(ears: Ears, shared: Host) -> None:
    """What is logged while a command runs carries the command's id."""
    command = shared.send("machine.create", params={"payload": payload(image_uuid=new_uuid())})
    await ears.result(command)

    lines = [json.loads(line) for line in shared.log.read_text().splitlines()]
    mine = [line for line in lines if line.get("command") == command]
    assert {"usr/sbin/vmadm"} <= {line["argv"][0] for line in mine if "argv" in line}
    assert any(line["event"] == "command.ended" for line in mine)
