"""Consoles over topics: keys in, the screen out, one sitting at a time, and an end by whatever comes first."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest
from backup_parts import good, run
from nsq_servers import Nsqd
from worlds import Ears, Host, new_uuid, payload

from chunter_nsq.authority import signature

pytest_plugins = ("backup_parts", "zfs_pool", "s3_servers")
pytestmark = pytest.mark.counted

SECRET = "a secret of the operators"
CENTOS = "462d1d03-8457-e134-a408-cf9ea2b9be96"


class Screen:
    """Somebody who sits at a console: hears its output, publishes keys."""

    def __init__(self, host: Host, ears: Ears, session: str) -> None:
        self.session = session
        self._host = host
        self._ears = ears
        self._seen = 0

    def type(self, text: str, **members: Any) -> None:
        """Press keys."""
        document = {"input": text, **members}
        self._host.nsqd.pub(f"chunter.console.{self.session}.in", json.dumps(document).encode())

    def shown(self) -> str:
        """All that was shown so far."""
        told = [event["data"]["data"] for event in self._ears.of("chunter.console.output")]
        return "".join(
            base64.b64decode(one["output"]).decode(errors="replace") if one["encoding"] == "base64" else one["output"]
            for one in told
            if one["session"] == self.session
        )

    async def see(self, wanted: str) -> None:
        """Wait until something appears behind what was seen before."""
        await self._ears.when(lambda: wanted in self.shown()[self._seen :])
        self._seen = self.shown().index(wanted, self._seen) + len(wanted)

    async def log_in(self) -> Self:
        """As root."""
        await self.see("console login: ")
        self.type("root\r")
        await self.see("Password: ")
        self.type("x\r")
        await self.see("~]# ")
        return self

    async def over(self) -> str:
        """Why it ended."""
        return (await self._ears.until(lambda event: event["type"] == "chunter.console.closed"))["data"]["data"][
            "reason"
        ]


@asynccontextmanager
async def sitting(
    host: Host, ears: Ears, uuid: str, session: str | None = None, **params: Any
) -> AsyncIterator[Screen]:
    """A console that is open."""
    session = session or f"s{time.monotonic_ns()}"
    async with Ears(host.nsqd, f"chunter.console.{session}.out") as listening:
        topics = (await good(host, ears, "console.open", uuid, session=session, **params))["topics"]
        assert {"input": f"chunter.console.{session}.in", "output": f"chunter.console.{session}.out"} == topics
        yield Screen(host, listening, session)
        numbers = [int(event["sequence"]) for event in listening.heard]
        assert list(range(1, len(numbers) + 1)) == numbers


@pytest.fixture
def running(shared: Host) -> tuple[Host, str]:
    """A host with a machine that runs."""
    return shared, shared.machine()


async def test_somebody_works_at_a_console(running: tuple[Host, str], ears: Ears) -> None:
    """Log in, type, read; what comes twice is typed once; nothing of it is in log, journal or any other topic."""
    host, uuid = running
    async with sitting(host, ears, uuid, cols=132, rows=50) as screen:
        await screen.log_in()
        screen.type("echo first\r", number=1)
        await screen.see("first\r\nfirst\r\n")
        screen.type("echo first\r", number=1)
        screen.type("echo grün 🦊\r", number=2)
        await screen.see("grün 🦊\r\ngrün 🦊\r\n")
        assert 2 == screen.shown().count("first")  # as it was typed, and as it was echoed
        again = await good(host, ears, "console.open", uuid, session=screen.session, cols=80, rows=24)
        assert again["session"] == screen.session
        taken = await run(host, ears, "console.open", new_uuid(), session="x")
        assert "not_found" == taken["error"]["code"]
        other = await run(host, ears, "console.open", uuid, session="second")
        assert ("locked", True) == (other["error"]["code"], "in use by process" in other["error"]["message"])
        await good(host, ears, "console.close", uuid, session=screen.session)
        assert "closed" == await screen.over()
    missing = await run(host, ears, "console.close", uuid, session=screen.session)
    assert "not_found" == missing["error"]["code"]
    everything = [path.read_bytes() for path in (host.root / "var").rglob("*") if path.is_file()]
    for content in [*everything, host.log.read_bytes(), json.dumps(ears.heard).encode()]:
        assert b"console login" not in content
    assert [] == [words for words in host.tool_lines() if b"-C" in words]


async def test_a_boot_is_watched_and_a_halt_ends_it(running: tuple[Host, str], ears: Ears) -> None:
    """A console of a stopped machine shows its boot; it ends when the machine stops, and with its deletion."""
    host, uuid = running
    await good(host, ears, "machine.stop", uuid, force=True)
    await ears.state(uuid, "stopped")
    async with sitting(host, ears, uuid) as screen:
        await good(host, ears, "machine.start", uuid)
        await screen.see("[NOTICE: Zone booting up]")
        await screen.see("console login: ")
        await good(host, ears, "machine.stop", uuid, force=True)
        assert "machine_stopped" == await screen.over()
    async with sitting(host, ears, uuid) as screen:
        await good(host, ears, "machine.delete", uuid)
        assert await screen.over() in ("machine_stopped", "console_ended")


async def test_what_is_no_key(running: tuple[Host, str], ears: Ears) -> None:
    """Other messages are refused with their faults, and the console goes on."""
    host, uuid = running
    async with sitting(host, ears, uuid) as screen:
        await screen.see("login: ")
        topic = f"chunter.console.{screen.session}.in"
        for body in (
            b"ls\r",
            b"[1]",
            b'{"inptu": "x"}',
            b'{"resize": {"cols": 0, "rows": 1}}',
            b'{"input_base64": "%"}',
        ):
            host.nsqd.pub(topic, body)
        heard = screen._ears.of
        await screen._ears.when(lambda: 5 == len(heard("chunter.console.refused")))
        assert {"invalid_message"} == {one["data"]["data"]["code"] for one in heard("chunter.console.refused")}
        host.nsqd.pub(topic, json.dumps({"resize": {"cols": 100, "rows": 40}}).encode())
        host.nsqd.pub(topic, json.dumps({"input_base64": base64.b64encode(b"root\r").decode()}).encode())
        await screen.see("Password: ")


async def test_a_flood_is_slowed_down(running: tuple[Host, str], ears: Ears) -> None:
    """Megabytes on the screen come in small pieces, in order, no faster than messages may."""
    host, uuid = running
    lines = "".join(f"{number:07d}\n" for number in range(100_000))
    (host.platform / "zones" / uuid / "root" / "large").write_text(lines)
    async with sitting(host, ears, uuid) as screen:
        await screen.log_in()
        begun = time.monotonic()
        screen.type("cat /large\r")
        await screen.see("0020000\r\n")
        assert time.monotonic() - begun > 0.4
        sizes = [len(json.dumps(event)) for event in screen._ears.of("chunter.console.output")]
        assert max(sizes) < 40_000
        numbers = [int(one) for one in screen.shown().split() if one.isdigit() and len(one) == 7]
        assert list(range(len(numbers))) == numbers


async def test_nobody_types(new_host: Callable[..., Host], ears: Ears) -> None:
    """After console_idle without a key the console is closed, and says why; other ends of an agent are told too."""
    host = await new_host(zones=1, settings={"console_idle": "2s"}).start().ready()
    uuid = host.machine()
    async with sitting(host, ears, uuid) as screen:
        assert "idle" == await screen.over()
    host.configure(console_idle="5m")
    await host.stop()
    await host.start().ready()
    async with sitting(host, ears, uuid) as screen:
        await host.stop()
        assert "agent_stopped" == await screen.over()
    assert [] == host.tools_running()


async def test_a_killed_agent_leaves_no_console(new_host: Callable[..., Host], ears: Ears) -> None:
    """The tool ends with its terminal, and the console is free for the next agent."""
    host = await new_host(zones=1).start().ready()
    uuid = host.machine()
    async with Ears(host.nsqd, "chunter.console.one.out") as listening:
        await good(host, ears, "console.open", uuid, session="one")
        await listening.until(lambda event: event["type"] == "chunter.console.output")
        host.kill()
        await host.start().ready()
        async with asyncio.timeout(10):
            while any(b"-C" in words for words in host.tool_lines()):
                await asyncio.sleep(0.05)
    async with sitting(host, ears, uuid, "two") as screen:
        await screen.log_in()


async def test_a_kvm_machine(shared: Host, ears: Ears) -> None:
    """Its console is that of its hypervisor, which is there while it runs."""
    disk = {"image_uuid": CENTOS, "boot": True, "model": "virtio"}
    wanted = {n: v for n, v in payload(brand="kvm", ram=256, nics=[], disks=[disk]).items() if n != "image_uuid"}
    wanted = {n: v for n, v in wanted.items() if n not in ("quota", "max_physical_memory")}
    uuid = new_uuid()
    assert "succeeded" == (await run(shared, ears, "machine.create", uuid, payload=wanted))["status"]
    planned = await good(shared, ears, "console.open", uuid, session="k", dry_run=True)
    assert [["usr/sbin/vmadm", "console", uuid]] == planned["argv"]
    async with sitting(shared, ears, uuid) as screen:
        await screen.see("console]")
    await good(shared, ears, "machine.stop", uuid, force=True)
    done = await run(shared, ears, "console.open", uuid, session="k")
    assert "invalid_state" == done["error"]["code"]


async def test_keys_are_signed_where_commands_are(new_host: Callable[..., Host], nsqd: Nsqd, ears: Ears) -> None:
    """Where commands are signed so is what is typed, for this session, once."""
    host = new_host(zones=1)
    uuid = host.machine()
    keys = host.root / "etc" / "command.keys"
    keys.write_text(json.dumps({"ops": {"secret": SECRET}}))
    host.configure(command_keys=str(keys))
    await host.start().ready()

    def signed(**document: Any) -> dict[str, Any]:
        auth = {"key": "ops", "ts": int(time.time()), "nonce": new_uuid()}
        return document | {"auth": auth | {"hmac": signature({**document, "auth": auth}, SECRET.encode())}}

    async with Ears(nsqd, "chunter.console.one.out") as listening:
        command = signed(id="open", action="console.open", uuid=uuid, params={"session": "one"})
        nsqd.pub(host.topic, json.dumps(command).encode())
        assert "succeeded" == (await ears.result("open"))["status"]
        screen = Screen(host, listening, "one")
        await screen.see("login: ")
        topic = "chunter.console.one.in"
        nsqd.pub(topic, b'{"input": "evil\\r"}')
        nsqd.pub(topic, json.dumps(signed(input="evil\r", session="other", number=1)).encode())
        nsqd.pub(topic, json.dumps(signed(input="evil\r", session="one")).encode())
        await listening.when(lambda: 3 == len(listening.of("chunter.console.refused")))
        keys_pressed = json.dumps(signed(input="root\r", session="one", number=1)).encode()
        nsqd.pub(topic, keys_pressed)
        await screen.see("Password: ")
        nsqd.pub(topic, keys_pressed)  # somebody else recorded them
        nsqd.pub(topic, json.dumps(signed(input="\r", session="one", number=2)).encode())
        await screen.see("~]# ")
        assert "evil" not in screen.shown()
