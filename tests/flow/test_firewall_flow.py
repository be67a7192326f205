"""A machine's firewall rules through a real nsqd, a real agent and the simulated platform."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from worlds import Ears, Host, new_uuid

OWNER = "00000000-0000-0000-0000-000000000000"
SSH = {"action": "allow", "direction": "inbound", "protocol": "tcp", "target": "all", "filters": [443, 22]}
MAIL = {"action": "block", "direction": "outbound", "protocol": "tcp", "target": "all", "filters": [25]}


@pytest.fixture
def guarded(shared: Host) -> tuple[Host, str]:
    """A host, its agent ready, and a machine of it that runs."""
    return shared, shared.machine()


async def update(ears: Ears, host: Host, uuid: str, *rules: Any, **params: Any) -> dict[str, Any]:
    """The end of firewall.update."""
    return await ears.result(host.send("firewall.update", uuid, params={"rules": list(rules), **params}))


def rules_of(host: Host, uuid: str) -> list[dict[str, Any]]:
    """The rules that a machine is in."""
    return [rule for rule in json.loads(host.tool("fwadm", "list", "-j").stdout) if uuid in rule["rule"]]


def kept(host: Host, uuid: str) -> dict[str, dict[str, Any]]:
    """The rules that a machine is in by their texts."""
    return {rule["rule"]: rule for rule in rules_of(host, uuid)}


def changes(host: Host) -> list[str]:
    """What was asked of fwadm that changes something."""
    verbs = ("add", "delete", "start", "stop")
    return [argv[1] for argv in host.invocations("fwadm") if argv[1] in verbs and "--dryrun" not in argv]


async def test_rules_come_stay_and_go(ears: Ears, guarded: tuple[Host, str]) -> None:
    """Only what differs is changed, however it is written; the firewall works while there are rules."""
    host, uuid = guarded
    begun = len(changes(host))
    ssh, mail = f"FROM any TO vm {uuid} ALLOW tcp (PORT 22 AND PORT 443)", f"FROM vm {uuid} TO any BLOCK tcp PORT 25"
    web = f"from tag role=lb to vm {uuid} allow tcp port 80"
    done = await update(ears, host, uuid, SSH, web)
    assert "succeeded" == done["status"], done
    assert [ssh, f'FROM tag "role" = "lb" TO vm {uuid} ALLOW tcp PORT 80'] == [
        one["rule"] for one in done["result"]["added"]
    ]
    assert {(True, OWNER)} == {(rule["enabled"], rule["owner_uuid"]) for rule in kept(host, uuid).values()}
    assert "running\n" == host.tool("fwadm", "status", uuid).stdout

    before = kept(host, uuid)[ssh]
    result = (await update(ears, host, uuid, ssh, MAIL))["result"]
    assert [[mail], 1, [before["uuid"]]] == [
        [one["rule"] for one in result["added"]],
        len(result["deleted"]),
        [one["uuid"] for one in result["kept"]],
    ]
    assert {ssh, mail} == set(kept(host, uuid))
    assert before == kept(host, uuid)[ssh]
    assert ["add", "start", "add", "delete"] == changes(host)[begun:]

    assert ([], []) == ((await update(ears, host, uuid, MAIL, ssh))["result"]["added"], changes(host)[begun + 4 :])
    result = (await update(ears, host, uuid))["result"]
    assert (2, False, {}) == (len(result["deleted"]), result["firewall_enabled"], kept(host, uuid))
    assert ["delete", "stop"] == changes(host)[begun + 4 :]


async def test_rules_of_others_stay_as_they_are(ears: Ears, guarded: tuple[Host, str]) -> None:
    """They are neither counted nor deleted, and while one is at work the firewall is not stopped."""
    host, uuid = guarded
    begun = len(changes(host))
    theirs = f"FROM any TO vm {uuid} ALLOW udp PORT 53"
    host.tool("fwadm", "add", "-e", "-O", OWNER, "--", theirs)
    before = kept(host, uuid)
    await update(ears, host, uuid, SSH, theirs)
    assert 3 == len(rules_of(host, uuid))
    result = (await update(ears, host, uuid))["result"]
    assert (2, True) == (len(result["deleted"]), result["firewall_enabled"])
    assert before == kept(host, uuid)
    assert "stop" not in changes(host)[begun:]

    host.tool("fwadm", "disable", before[theirs]["uuid"])
    assert (await update(ears, host, uuid))["result"]["firewall_enabled"] is False


async def test_what_cannot_be_expressed_is_refused(ears: Ears, guarded: tuple[Host, str]) -> None:
    """Each with its place; and nothing of the others is done."""
    host, uuid = guarded
    begun = len(changes(host))
    done = await update(ears, host, uuid, SSH, SSH | {"target": {"cluster": uuid}})
    assert ("unsupported", "rules[1].target") == (done["error"]["code"], done["error"]["details"]["path"])
    good = f"FROM any TO vm {uuid} ALLOW ah"
    done = await update(ears, host, uuid, SSH, good, good, f"FROM any TO vm {uuid} PERMIT tcp PORT 1", SSH, "FROM")
    assert "invalid_message" == done["error"]["code"]
    assert "$.params.rules[3]" == done["error"]["details"]["faults"][0]["path"]
    assert "Error at character 51: 'PERMIT', expected: 'TO', " in done["error"]["message"]
    done = await update(ears, host, uuid, f"FROM any TO vm {new_uuid()} ALLOW ah")
    assert "$.params.rules[0]" == done["error"]["details"]["faults"][0]["path"]
    assert "rejected" == (await update(ears, host, uuid, SSH, 5))["status"]
    assert "not_found" == (await update(ears, host, new_uuid(), SSH))["error"]["code"]
    assert ({}, []) == (kept(host, uuid), changes(host)[begun:])


async def test_a_dry_run_shows_the_vectors(ears: Ears, guarded: tuple[Host, str]) -> None:
    """What would be added, deleted and started; nothing is."""
    host, uuid = guarded
    await update(ears, host, uuid, SSH)
    before = kept(host, uuid)
    shown = (await update(ears, host, uuid, MAIL, owner=OWNER, dry_run=True))["result"]
    old = next(iter(before.values()))["uuid"]
    assert [["usr/sbin/fwadm", "add", "-j"], ["usr/sbin/fwadm", "delete", "-j", old]] == shown["argv"]
    assert [f"FROM vm {uuid} TO any BLOCK tcp PORT 25"] == [one["rule"] for one in shown["found"]["add"]]
    assert ["usr/sbin/fwadm", "stop", "-j", uuid] == (await update(ears, host, uuid, dry_run=True))["result"]["argv"][1]
    assert before == kept(host, uuid)


async def test_a_crash_between_two_steps_is_mended(ears: Ears, new_host: Callable[..., Host]) -> None:
    """Killed while rules were added, the agent finds what is there and does the rest, once."""
    host = await new_host(zones=1).start().ready()
    uuid = host.machine()
    latency = host.platform / "var" / "simulator" / "latency.json"
    latency.write_text(json.dumps({"fwadm start": 3.0}))
    command = host.send("firewall.update", uuid, params={"rules": [SSH, MAIL]})
    await ears.when(lambda: "accepted" in ears.statuses(command))
    async with asyncio.timeout(20):
        while len(kept(host, uuid)) < 2:
            await asyncio.sleep(0.05)
    host.kill()
    latency.write_text("{}")
    await host.start().ready()
    done = await ears.result(command, 30)
    assert ("succeeded", 0, 2) == (done["status"], len(done["result"]["added"]), len(done["result"]["kept"])), done
    assert "running\n" == host.tool("fwadm", "status", uuid).stdout
    assert 2 == len(rules_of(host, uuid))
    assert 0 == await host.stop()
