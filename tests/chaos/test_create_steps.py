"""Creates that fail at each step in turn leave nothing behind, and twenty at once share what they need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise

import pytest
from sweeps import swept
from worlds import BASE_IMAGE, Ears, Event, Host, new_uuid, payload

from chunter_nsq.smartos.simulator import faults

MINIMAL = "85d0f826-0131-11ed-973d-2bfeef68011f"
AT_ONCE = 20
# What the original told of a machine, in its order: what it is going to be, then what it is, then what its zone does.
TOLD = ["installing_dataset", "update", "creating", "update", "create", "stopped", "booting", "running"]
PASSING = {"stopped", "booting"}  # may be over before anybody has looked


def _left(host: Host) -> tuple[str, set[str]]:
    """The zones as configured, and the datasets."""
    zones = host.tool("zoneadm", "list", "-cp").stdout
    return zones, set(host.tool("zfs", "list", "-H", "-o", "name").stdout.split())


def _latency(host: Host, **seconds: float) -> None:
    file = host.platform / "var" / "simulator" / "latency.json"
    file.write_text(json.dumps({name.replace("_", " ", 1): one for name, one in seconds.items()}))


async def _free(ears: Ears, host: Host) -> int:
    """The memory that a dry run finds free, MiB."""
    params = {"payload": payload(), "dry_run": True}
    return (await ears.result(host.send("machine.create", params=params)))["result"]["found"]["memory_free_mib"]


def _fails(subcommand: str, code: str, words: str, **fault: object) -> tuple[dict[str, object], str, str]:
    tool, _, verb = subcommand.partition(" ")
    return {"tool": tool, "subcommand": verb, **fault}, code, words


GONE = "imgadm import: error (DownloadError): gone"
LATE = "timed out waiting for /var/svc/provisioning"
FAILURES = {
    "image": _fails("imgadm import", "tool_failed", "DownloadError", exit=1, stderr=GONE),
    "image killed": _fails("imgadm import", "tool_failed", "SIGKILL", kill_after="downloading"),
    "refused": _fails("vmadm create", "tool_failed", LATE, exit=1, stderr=LATE),
    "configured": _fails("vmadm create", "tool_failed", "SIGKILL", kill_after="configured"),
    "incomplete": _fails("vmadm create", "tool_failed", "SIGKILL", kill_after="incomplete"),
    "installed": _fails("vmadm create", "tool_failed", "SIGKILL", kill_after="installed"),
    "time-out": _fails("vmadm create", "tool_timeout", "did not end within", hang=True),
}


@pytest.mark.parametrize("failure", swept(FAILURES, ["image killed", "installed"]))
async def test_a_create_that_fails_leaves_nothing(ears: Ears, new_host: Callable[..., Host], failure: str) -> None:
    """Zones, datasets and memory are as before, the lock is free, and the error has the tool's own words."""
    fault, code, words = FAILURES[failure]
    host = await new_host(settings={"machine_timeout": "8s"}).start().ready()
    before, free = _left(host), await _free(ears, host)
    faults.add(str(host.platform), {**fault, "times": 1})
    uuid, image = new_uuid(), MINIMAL if fault["tool"] == "imgadm" else BASE_IMAGE
    done = await ears.result(host.send("machine.create", uuid, params={"payload": payload(image_uuid=image)}), 60)

    assert ("failed", code) == (done["status"], done["error"]["code"]), done
    assert words in done["error"]["message"]
    assert before == _left(host)
    assert free == await _free(ears, host)
    await ears.state(uuid, "failed")
    assert "failed" == ears.of("chunter.zone.state", uuid)[-1]["data"]["data"]
    again = await ears.result(host.send("machine.create", uuid, params={"payload": payload(image_uuid=image)}), 60)
    assert "succeeded" == again["status"], again


@pytest.mark.parametrize("verb", swept(["imgadm_import", "vmadm_create"], ["vmadm_create"]))
@pytest.mark.parametrize("with_tools", swept([False, True], [True]), ids=["agent", "agent and tools"])
async def test_a_kill_of_the_agent_leaves_nothing(
    ears: Ears, new_host: Callable[..., Host], verb: str, *, with_tools: bool
) -> None:
    """Killed while the image comes or the machine is made, the next agent ends it one way or the other, wholly."""
    host = new_host()
    _latency(host, **{verb: 3.0})
    await host.start().ready()
    before = _left(host)
    uuid = new_uuid()
    command = host.send("machine.create", uuid, params={"payload": payload(image_uuid=MINIMAL)})
    await ears.state(uuid, "creating" if verb == "vmadm_create" else "installing_dataset")
    await asyncio.sleep(0.8)  # in the middle of it
    host.kill()
    if with_tools:
        host.kill_tools()
    await host.start().ready()
    done = await ears.result(command, 60)

    zones, datasets = _left(host)
    if done["status"] == "succeeded":
        assert "running" == json.loads(host.tool("vmadm", "get", uuid).stdout)["state"]
        assert not any("partial" in name for name in datasets)
    else:
        assert "interrupted" == done["status"], done
        assert (before[0], before[1]) == (zones, datasets - {f"zones/{MINIMAL}"})


def _creates(host: Host) -> list[tuple[float, float]]:
    """When each vmadm create began and ended, in the order of their ends."""
    lines = (host.platform / "invocations.jsonl").read_text().splitlines()
    ran = [one for one in map(json.loads, lines) if one["argv"][1:] == ["create"] and one["argv"][0].endswith("vmadm")]
    ends = [(datetime.fromisoformat(one["time"]).timestamp(), one["seconds"]) for one in ran]
    return [(began, began + seconds) for began, seconds in sorted(ends)]


def _told(ears: Ears, uuid: str) -> list[str]:
    """What is told of a machine in its order: states by name, the rest by its event; no changes after its birth.

    A slow host is seen with half of the configuration first: a change that adds to the one before is one with it.
    """
    heard = [one for one in ears.heard if one["topic"] == "chunter.zone" and one["subject"] == uuid]
    events = [one for before, one in pairwise([None, *heard]) if before is None or not _adds_to(before, one)]
    told = [str(one["data"]["data"]) if one["data"]["event"] == "state" else one["data"]["event"] for one in events]
    born = told.index("create")
    return told[:born] + [one for one in told[born:] if one != "update"]


def _adds_to(before: Event, one: Event) -> bool:
    """Whether both tell a configuration, and the later one is the earlier one, unchanged, with more."""
    if {before["data"]["event"], one["data"]["event"]} != {"update"}:
        return False
    earlier, later = (each["data"]["data"]["config"].items() for each in (before, one))
    return earlier < later


def _is_in_order(told: list[str]) -> bool:
    """Whether it is the original's order, with nothing twice and nothing left out that lasts."""
    order = iter(TOLD)
    return all(one in order for one in told) and set(TOLD) - PASSING <= set(told)


@pytest.mark.thorough
async def test_twenty_creates_with_the_same_missing_image(ears: Ears, new_host: Callable[..., Host]) -> None:
    """One import, twenty machines, one after the other, each told in the order that it had."""
    host = await new_host().start().ready()
    _latency(host, imgadm_import=1.0, vmadm_create=0.2)
    uuids = [new_uuid() for _ in range(AT_ONCE)]
    wanted = {"image_uuid": MINIMAL, "nics": []}
    commands = [
        host.send("machine.create", uuid, params={"payload": payload(alias=f"m{number}", **wanted)})
        for number, uuid in enumerate(uuids)
    ]
    for command in commands:
        assert "succeeded" == (await ears.result(command, 90))["status"]
    for uuid in uuids:
        await ears.state(uuid, "running")

    assert 1 == sum("import" in argv for argv in host.invocations("imgadm"))
    assert AT_ONCE == len(json.loads(host.tool("vmadm", "lookup", "-j").stdout))
    made = _creates(host)
    assert AT_ONCE == len(made)
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(made))
    said = [(e["subject"], e["data"]["data"]) for e in ears.of("chunter.zone.state")]
    for uuid in uuids:
        assert _is_in_order(_told(ears, uuid)), _told(ears, uuid)
    assert TOLD in [_told(ears, uuid) for uuid in uuids]
    begun = [subject for subject, state in said if state == "creating"]
    ended = [e["subject"] for e in ears.of("chunter.result") if e["data"]["status"] == "succeeded"]
    assert uuids == begun
    assert uuids == ended
    order = [e for e in ears.heard if e["subject"] in uuids and e["data"].get("data") == "creating"]
    assert AT_ONCE == len(order)


async def test_a_failed_import_is_shared(ears: Ears, new_host: Callable[..., Host]) -> None:
    """All who waited for an image that cannot be had are told why, after one try; whoever asks later tries anew."""
    host = await new_host().start().ready()
    _latency(host, imgadm_import=0.5)
    text = "imgadm import: error (DownloadError): gone"
    faults.add(
        str(host.platform),
        {"tool": "imgadm", "subcommand": "import", "delay": 2.0, "exit": 1, "stderr": text, "times": 1},
    )
    wanted = payload(image_uuid=MINIMAL)
    commands = [host.send("machine.create", params={"payload": wanted}) for _ in range(5)]
    ends = [await ears.result(command, 30) for command in commands]

    assert ["tool_failed"] * 5 == [end["error"]["code"] for end in ends]
    assert all("DownloadError" in end["error"]["message"] for end in ends)
    assert 1 == sum("import" in argv for argv in host.invocations("imgadm"))
    assert "succeeded" == (await ears.result(host.send("machine.create", params={"payload": wanted}), 30))["status"]


async def test_memory_is_promised(ears: Ears, new_host: Callable[..., Host]) -> None:
    """What does not fit is refused before anything is touched; what fits is counted while it is being made."""
    host = new_host(settings={"reserved_memory": "130000MB"})
    host.latency(create=2.0)
    await host.start().ready()
    one, other = new_uuid(), new_uuid()
    first = host.send("machine.create", one, params={"payload": payload(max_physical_memory=700)})
    second = host.send("machine.create", other, params={"payload": payload(max_physical_memory=700)})
    await ears.state(one, "creating")
    told = await ears.until(
        lambda e: e["type"] == "chunter.memory.update" and e["data"]["data"]["provisioned-memory"] == 700
    )
    assert 234 == told["data"]["data"]["free-memory"]
    assert "succeeded" == (await ears.result(first, 30))["status"]
    refused = await ears.result(second, 30)
    assert "insufficient_resources" == refused["error"]["code"]
    assert (700, 234) == (
        refused["error"]["details"]["wanted_mib"], refused["error"]["details"]["free-memory"],
    )  # fmt: skip
    assert not any(other in argv for argv in host.invocations("vmadm") if "create" in argv)
