"""What befalls commands of every kind alike: refused at the door, switched off, cancelled, cut off with the agent.

No test ends a command as ``internal``: a way to do that would be a fault to mend.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from backup_parts import settings_for
from ending_cases import CASES, MINIMAL, UPDATER
from stage import MADE, Begun, Case, Ill, Sent, Stage, Struck
from worlds import ACTIONS, Ears, Host, new_uuid, payload

from chunter_nsq.endings import KEYS
from chunter_nsq.errors import Cancelled, Forbidden, Interrupted
from chunter_nsq.storage.bucket import Bucket

pytest_plugins = ("s3_servers",)

NARROW = {"execute_api": "on", "lane.machine": "1", "lane.transfer": "1"}
# Shown one by one below; machine.execute by test_execution_flow.py, where a killed agent leaves no program.
BY_THEIR_OWN_RULES = {"host.update", "machine.create", "machine.execute", "machine.update"}
SLOW_IMPORT = Struck({"tool": "imgadm", "subcommand": "import", "delay": 15, "times": 1})


def declaring(error: type[Exception]) -> list[str]:
    """The actions that declare an error."""
    return sorted(name for name, action in ACTIONS.items() if error in action.errors)


def sample(action: str) -> Case:
    """The good case of an action."""
    return next(case for case in CASES[action] if case.error is None)


async def sent(stage: Stage, actions: list[str], params: Mapping[str, Any] | None = None, **members: Any) -> list[str]:
    """The good case of each action, whatever the host has of what it names."""
    samples = {action: sample(action) for action in actions}
    return [
        await stage.send(action, one.about, {**one.params, **(params or {})}, **members)
        for action, one in samples.items()
    ]


async def codes(ears: Ears, actions: list[str], commands: list[str]) -> dict[str, str]:
    """The error codes with which commands ended, by their actions."""
    ends = [await ears.result(command, 60) for command in commands]
    return {action: (end["error"] or {}).get("code") for action, end in zip(actions, ends, strict=True)}


def nowhere(host: Host, ears: Ears, bucket: Bucket) -> Stage:
    """A stage on which nothing is made: its names stand for things that there are not."""
    return Stage(host, ears, bucket, dict.fromkeys((*MADE, "last"), new_uuid()))


async def busy(host: Host, ears: Ears) -> list[str]:
    """The commands that fill both lanes of a host."""
    stage = Stage(host, ears, None)
    commands = []
    for step in (SLOW_IMPORT, Begun("image.import", "", {"image": MINIMAL})):
        await stage.take(step)
    commands.append(stage.last)
    await stage.take(Begun("machine.execute", "running", {"argv": ["sleep", "60"]}))
    return [*commands, stage.last]


async def test_the_door(ears: Ears, new_host: Callable[..., Host], bucket: Bucket) -> None:
    """Every action refuses what it does not know, what comes too late, and, signed or not, what nobody may do."""
    host, actions = new_host(settings={"execute_api": "on"}), sorted(ACTIONS)
    await host.start().ready()
    stage = nowhere(host, ears, bucket)
    odd = await codes(ears, actions, await sent(stage, actions, {"nonsense": 1}))
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    late = await codes(ears, actions, await sent(stage, actions, expires=past))
    keys = host.root / "etc" / "keys.json"
    keys.write_text(json.dumps({"ops": {"secret": "0123456789abcdef", "allow": ["*"]}}))
    host.configure(command_keys=str(keys))
    assert 0 == await host.stop()
    await host.start().ready()
    unsigned = await codes(ears, actions, await sent(stage, actions))

    assert dict.fromkeys(actions, "invalid_message") == odd
    assert dict.fromkeys(actions, "expired") == late
    assert dict.fromkeys(actions, "not_authorized") == unsigned


async def test_all_groups_can_be_off(ears: Ears, new_host: Callable[..., Host], bucket: Bucket) -> None:
    """With its group off an action is forbidden, and not announced."""
    actions = declaring(Forbidden)
    groups = {ACTIONS[name].group: "off" for name in actions}
    host = await new_host(settings=groups).start().ready()
    found = await codes(ears, actions, await sent(nowhere(host, ears, bucket), actions))

    assert dict.fromkeys(actions, "forbidden") == found
    announced = (await ears.result(host.send("host.info")))["result"]["actions"]
    assert sorted(set(ACTIONS) - set(actions)) == announced


async def test_whatever_waits_can_be_cancelled(ears: Ears, new_host: Callable[..., Host], bucket: Bucket) -> None:
    """While its lane is full every action that is not a query can be cancelled, and was never begun."""
    actions = declaring(Cancelled)
    host = await new_host(settings=NARROW).start().ready()
    before = await busy(host, ears)
    commands = await sent(nowhere(host, ears, bucket), actions)
    await ears.when(lambda: all("accepted" in ears.statuses(command) for command in commands))
    for command in (*commands, *before):
        host.send("command.cancel", params={"command": command})

    assert dict.fromkeys(actions, "cancelled") == await codes(ears, actions, commands)
    assert [["accepted", "cancelled"]] * len(actions) == [ears.statuses(command) for command in commands]


@pytest.mark.thorough
async def test_keys_end_with_the_agent_that_had_them(ears: Ears, new_host: Callable[..., Host], bucket: Bucket) -> None:
    """Commands that brought the store's keys along are interrupted when the agent ends before they do."""
    actions = [name for name in declaring(Interrupted) if name not in BY_THEIR_OWN_RULES]
    assert all(words == KEYS[Interrupted] for words in (ACTIONS[name].errors[Interrupted] for name in actions))
    host = await new_host(settings=NARROW).start().ready()
    stage = Stage(host, ears, bucket)
    await stage.take(Sent("snapshot.create", "stopped", {"snapshot": "one"}))
    await busy(host, ears)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # a store that never answers
        silent.setblocking(False)
        store = {**settings_for(bucket.account), "s3.endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        s3 = {name.removeprefix("s3."): value for name, value in store.items()}
        commands = await sent(stage, [name for name in actions if name != "backup.list"], {"s3": s3})
        await ears.when(lambda: all("accepted" in ears.statuses(command) for command in commands))
        listing = await sent(stage, ["backup.list"], {"s3": s3})
        connection, _ = await asyncio.get_running_loop().sock_accept(silent)
        with closing(connection):
            host.kill()
    await host.start().ready()

    waiting = [name for name in actions if name != "backup.list"]
    expected = dict.fromkeys(actions, "interrupted")
    assert expected == await codes(ears, [*waiting, "backup.list"], [*commands, *listing])


async def tool_runs(host: Host, *words: bytes) -> None:
    """Wait until a platform tool runs with all of these words."""
    async with asyncio.timeout(30):
        while not any(set(words) <= set(line) for line in await asyncio.to_thread(host.tool_lines)):
            await asyncio.sleep(0.02)


async def cut_off(host: Host, *, tools: bool) -> None:
    """Kill the agent, with its tools or without them, and start the next one."""
    host.kill()
    if tools:
        host.kill_tools()
    await host.start().ready()


async def test_a_half_made_machine_is_removed(ears: Ears, new_host: Callable[..., Host]) -> None:
    """Killed with its tool after the zone was configured, the next agent removes it and says interrupted."""
    host = new_host()
    host.latency(create=30.0)
    await host.start().ready()
    uuid = new_uuid()
    command = host.send("machine.create", uuid, params={"payload": payload()})
    async with asyncio.timeout(60):
        while uuid not in (host.platform / "etc" / "zones" / "index").read_text():
            await asyncio.sleep(0.02)
    await cut_off(host, tools=True)

    assert "interrupted" == (await ears.result(command, 60))["error"]["code"]
    assert uuid not in host.tool("zoneadm", "list", "-cp").stdout
    assert uuid not in host.tool("zfs", "list", "-H", "-o", "name").stdout


async def test_an_addition_is_not_made_twice(ears: Ears, new_host: Callable[..., Host]) -> None:
    """Killed while vmadm adds a NIC, the next agent finds the machine changed, and says interrupted."""
    host = new_host(zones=1)
    host.latency(update=3.0)
    await host.start().ready()
    uuid = host.machine()
    nic = {"nic_tag": "admin", "ips": ["10.0.7.7/24"]}
    command = host.send("machine.update", uuid, params={"payload": {"add_nics": [nic]}})
    await tool_runs(host, b"update", uuid.encode())
    await cut_off(host, tools=False)

    assert "interrupted" == (await ears.result(command, 60))["error"]["code"]
    nics = json.loads(host.tool("vmadm", "get", uuid).stdout)["nics"]
    assert 1 == sum(one.get("ip") == "10.0.7.7" for one in nics)


@pytest.mark.thorough
async def test_an_updater_that_is_gone(ears: Ears, new_host: Callable[..., Host]) -> None:
    """When nobody takes up what was asked of the updater, the update is interrupted."""
    host = await new_host().start().ready()
    stage = Stage(host, ears, None)
    await stage.take(Ill(UPDATER, "online"))

    assert "interrupted" == (await ears.result(host.send("host.update"), 90))["error"]["code"]
