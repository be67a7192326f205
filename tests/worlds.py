"""A whole world for flow tests: a simulated host, a real agent process on it, and ears on the topics."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from jsonschema import Draft202012Validator
from nsq_servers import Nsqd, free_port
from slowness import SLOWNESS

import handlers
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer, Delivery
from chunter_nsq.bus.settings import Connection
from chunter_nsq.endings import EVERY
from chunter_nsq.errors import UnknownAction
from chunter_nsq.messages.catalogue import KINDS
from chunter_nsq.smartos import simulator

SHARED_MACHINES = 8  # of a host that tests share; each is for one of them
BASE_IMAGE = "e44ed3e0-910b-11ed-a5d4-00151714048c"
FINAL = frozenset({"succeeded", "failed", "rejected", "expired", "cancelled", "interrupted"})
ACTIONS = handlers.actions()
TOPICS = tuple(f"chunter.{topic}" for topic in dict.fromkeys(kind.topic for kind in KINDS if "{" not in kind.topic))
HEARD: set[str] = set()  # the types of all events that ears have heard so far; see hearing.py
Event = dict[str, Any]


@cache
def shapes() -> dict[str, Draft202012Validator]:
    """By type of event, what ``chunter schema json`` prints for everybody."""
    argv = [sys.executable, "-m", "chunter_nsq", "schema", "json"]
    printed = subprocess.run(argv, capture_output=True, check=True).stdout
    return {name: Draft202012Validator(shape) for name, shape in json.loads(printed)["events"].items()}


class Host:
    """A simulated host with an agent of its own; the agent is a child process."""

    def __init__(
        self,
        directory: Path,
        nsqd: Nsqd,
        *,
        zones: int = 0,
        zfs: str = "simulated",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.nsqd = nsqd
        self.platform = simulator.create(directory / "platform", zones=zones, zfs=zfs)
        self.root = directory / "chunter"
        self.log = directory / "agent.log"
        self._machines = [path.stem for path in (self.platform / "etc" / "zones").glob("*-*.xml")]
        self.status_port = free_port()
        self.settings = {
            "platform_root": str(self.platform),
            "nsqd": nsqd.tcp_address,
            "status_listen": f"127.0.0.1:{self.status_port}",
            **(settings or {}),
        }
        self._child: subprocess.Popen[bytes] | None = None
        self.configure()

    def configure(self, **changed: str) -> None:
        """Write chunter.conf."""
        self.settings.update(changed)
        (self.root / "etc").mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{key} = {value}\n" for key, value in self.settings.items())
        (self.root / "etc" / "chunter.conf").write_text(lines)

    @property
    def id(self) -> str:
        """The host's id, once the agent made it."""
        return (self.root / "etc" / "hostid").read_text().strip()

    @property
    def topic(self) -> str:
        """The host's own command topic."""
        return f"chunter.command.{self.id}"

    def machine(self) -> str:
        """One of the machines that the host was made with, another each time; they run.

        When there is none left, because a test has a second attempt, one is made.
        """
        return self._machines.pop() if self._machines else self._another()

    def _another(self) -> str:
        wanted = {**payload(), "uuid": new_uuid()}
        made = self.tool("vmadm", "create", stdin=json.dumps(wanted))
        assert made.returncode == 0, made.stderr
        return str(wanted["uuid"])

    @property
    def pid(self) -> int:
        """The agent's process id."""
        assert self._child is not None
        return self._child.pid

    def start(self) -> Self:
        """Start the agent; it is ready some time later."""
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "chunter_nsq", "run", "--root", str(self.root)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        return self

    async def ready(self, timeout_seconds: float = 20.0) -> Self:
        """Wait until /readyz says so."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds * SLOWNESS
        while asyncio.get_running_loop().time() < deadline:
            assert self._child is not None
            assert self._child.poll() is None, self.log.read_text()[-3000:]
            if (await self.get("/readyz"))[0] == 200:
                return self
            await asyncio.sleep(0.02)
        raise AssertionError(f"the agent is not ready:\n{self.log.read_text()[-3000:]}")

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a page of the status listener; status 0 when nobody listens."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.status_port)
        except OSError:
            return 0, b""
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answer = await reader.read()
        except ConnectionError:
            return 0, b""
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0, body

    def kill(self) -> None:
        """SIGKILL to the agent alone, as a crash; its tools go on."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    async def stop(self, timeout_seconds: float = 60.0) -> int:
        """SIGTERM; the exit status."""
        assert self._child is not None
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._child.wait, timeout_seconds * SLOWNESS)

    def end(self) -> None:
        """Whatever it takes; the tools of a killed agent go as well."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        self.kill_tools()

    def kill_tools(self) -> None:
        """SIGKILL to the platform tools that run."""
        for pid in self.tools_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def tools_running(self) -> list[int]:
        """The platform tools of this host that run now, by their process ids."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(self.platform).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    def tool_lines(self) -> list[list[bytes]]:
        """The command lines of the platform tools that run now."""
        found = []
        for pid in self.tools_running():
            with contextlib.suppress(OSError):
                found.append(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        return found

    def tool(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a platform tool by hand, as an operator would: ``tool("vmadm", "list")``."""
        for folder in ("usr/sbin", "usr/bin"):
            path = self.platform / folder / argv[0]
            if path.exists():
                return subprocess.run([path, *argv[1:]], input=stdin, capture_output=True, text=True, check=False)
        raise FileNotFoundError(argv[0])

    async def chunter(self, *argv: str) -> str:
        """Run the command line; what it prints."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chunter_nsq", *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await child.communicate()
        assert child.returncode == 0, output.decode()
        return output.decode()

    def invocations(self, tool: str) -> list[list[str]]:
        """The argument vectors with which a tool was run so far."""
        log = self.platform / "invocations.jsonl"
        entries = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [entry["argv"] for entry in entries if Path(entry["argv"][0]).name == tool]

    def latency(self, **seconds: float) -> None:
        """How long vmadm's verbs take."""
        file = self.platform / "var" / "simulator" / "latency.json"
        file.write_text(json.dumps({f"vmadm {verb}": one for verb, one in seconds.items()}))

    def send(self, action: str, uuid: str | None = None, *, topic: str | None = None, **members: Any) -> str:
        """Publish a command by HTTP; its id."""
        document: dict[str, Any] = {"id": f"test-{os.urandom(6).hex()}", "action": action}
        if uuid is not None:
            document["uuid"] = uuid
        document.update(members)
        self.nsqd.pub(topic or self.topic, json.dumps(document).encode())
        return str(document["id"])


class Ears:
    """Hears topics of an nsqd through channels of its own, in order.

    What has not its printed shape, or an error that its action does not declare, fails the test.

    The channels are not ephemeral: without a memory queue nsqd discards what an ephemeral one cannot take at once.
    """

    def __init__(self, nsqd: Nsqd, *topics: str) -> None:
        self.heard: list[Event] = []
        self.misshapen: list[str] = []
        self._nsqd = nsqd
        self._topics = topics or TOPICS
        self._channel = f"ears{os.urandom(4).hex()}"
        self._shapes = shapes()
        self._news = asyncio.Condition()
        address = Address.parse(nsqd.tcp_address)
        connection = Connection(nsqd=(address,), hostname="ears", handshake_timeout_seconds=10 * SLOWNESS)
        self._consumers = [Consumer(connection, topic, self._channel, self._hear) for topic in self._topics]

    async def __aenter__(self) -> Self:
        for consumer in self._consumers:
            await consumer.start()
        for consumer in self._consumers:
            assert await consumer.wait_ready(10 * SLOWNESS)
        return self

    async def __aexit__(self, *_: object) -> None:
        for consumer in self._consumers:
            await consumer.close()
        assert self.misshapen == [], self.misshapen[:3]

    def forget(self) -> None:
        """Nsqd keeps nothing for ears that are closed."""
        for topic in self._topics:
            self._nsqd.post(f"/channel/delete?topic={topic}&channel={self._channel}")

    async def _hear(self, delivery: Delivery) -> None:
        event = json.loads(delivery.body)
        try:
            self._shapes[event["type"]].validate(event)
            assert is_declared(event["data"]), "an error that its action does not declare"
            HEARD.add(event["type"])
        except Exception as fault:  # noqa: BLE001 - told by __aexit__, where the test can fail
            self.misshapen.append(f"{fault}: {json.dumps(event)[:500]}")
        async with self._news:
            self.heard.append({**event, "topic": delivery.topic})
            self._news.notify_all()

    async def until(self, wanted: Callable[[Event], bool], timeout_seconds: float = 20.0) -> Event:
        """The first event that is wanted, heard already or to come."""
        looked, found = 0, None

        def is_there() -> bool:
            nonlocal looked, found
            while found is None and looked < len(self.heard):
                found = self.heard[looked] if wanted(self.heard[looked]) else None
                looked += 1
            return found is not None

        await self.when(is_there, timeout_seconds)
        assert found is not None
        return found

    async def when(self, condition: Callable[[], bool], timeout_seconds: float = 20.0) -> None:
        """Wait until a condition on what was heard is true; it is asked after each event."""
        timeout_seconds *= SLOWNESS
        try:
            async with asyncio.timeout(timeout_seconds), self._news:
                await self._news.wait_for(condition)
        except TimeoutError:
            told = "\n".join(json.dumps(event)[:300] for event in self.heard[-15:])
            raise AssertionError(f"not heard within {timeout_seconds} s; the last were:\n{told}") from None

    async def result(self, command: str, timeout_seconds: float = 20.0) -> dict[str, Any]:
        """The data of a command's final result."""

        def is_final(event: Event) -> bool:
            return event["data"].get("command") == command and event["data"].get("status") in FINAL

        return (await self.until(is_final, timeout_seconds))["data"]

    async def state(self, uuid: str, state: str, timeout_seconds: float = 20.0) -> Event:
        """The zone event that says that a machine is in a state."""
        return await self.until(
            lambda event: (
                event["subject"] == uuid and event["data"].get("event") == "state" and event["data"]["data"] == state
            ),
            timeout_seconds,
        )

    def of(self, kind: str, subject: str | None = None) -> list[Event]:
        """What was heard of a type so far."""
        return [e for e in self.heard if e["type"] == kind and (subject is None or e["subject"] == subject)]

    def statuses(self, command: str) -> list[str]:
        """The statuses that a command went through."""
        return [e["data"]["status"] for e in self.heard if e["data"].get("command") == command]


def is_declared(data: Mapping[str, Any]) -> bool:
    """Whether the error of a result, if it has one, is among those that its action declares."""
    error, action = data.get("error"), ACTIONS.get(data.get("action"))
    if not isinstance(error, Mapping) or "code" not in error:
        return True
    declared = {fault.code for fault in (*EVERY, *(action.errors if action else (UnknownAction,)))}
    return error["code"] in declared


def payload(**members: Any) -> dict[str, Any]:
    """A small zone."""
    return {
        "brand": "joyent", "image_uuid": BASE_IMAGE, "alias": "web0", "max_physical_memory": 256, "quota": 10,
        "nics": [{"nic_tag": "admin", "ips": ["dhcp"]}], **members,
    }  # fmt: skip


def new_uuid() -> str:
    """A VM's uuid."""
    return str(uuid.uuid4())
