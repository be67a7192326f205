"""The zones of a host as they are told, whatever happens to the host, its event stream, its lists and the agent.

The publisher, the wrappers, the processes, the journal and the outbox are the real ones. The two tools are doors: what
``zoneadm list`` and ``vmadm events`` say, and when, is up to the test.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import tempfile
from contextlib import AsyncExitStack, aclosing
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from publisher_parts import HOST

from chunter_nsq.config import Config
from chunter_nsq.database import Database
from chunter_nsq.errors import ToolFailed
from chunter_nsq.inventory import Inventory
from chunter_nsq.outbox import Outbox
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.vmadm import Vmadm
from chunter_nsq.smartos.zoneadm import Zoneadm
from chunter_nsq.zonestate import public
from publishers.zoneinfo import ZoneInfo
from publishers.zones import Zones

UUIDS = [f"{letter}1b2c3d4-0000-4000-8000-000000000001" for letter in "abc"]
MARKER = "d1b2c3d4-0000-4000-8000-000000000001"
GLOBAL = "0:global:running:/:::shared:0\n"
RAW = ["running", "installed", "ready", "shutting_down", "down", "strange", None]


class Platform:
    """Two tools that say what is written into their doors, and the zones behind them."""

    def __init__(self, root):
        self.root = root
        self.zones = {UUIDS[0]: "running"}
        self.events = []
        (root / "usr/sbin").mkdir(parents=True)
        for tool in ("zoneadm", "vmadm"):
            os.mkfifo(root / tool)
            path = root / "usr/sbin" / tool
            path.write_text(f"#!/bin/sh\nexec /bin/cat {root / tool}\n")
            path.chmod(0o755)

    def change(self, uuid, raw):
        """A zone is in another state, or gone; the event that says so is on its way."""
        kind = "modify" if uuid in self.zones else "create"
        if raw is None:
            if self.zones.pop(uuid, None) is not None:
                self.events.append({"type": "delete", "uuid": uuid, "zonename": uuid})
            return
        self.zones[uuid] = raw
        changes = [{"path": ["zone_state"], "action": "changed"}]
        self.events.append({"type": kind, "uuid": uuid, "vm": self.machine(uuid), "changes": changes})

    def machine(self, uuid):
        """As vmadm has it."""
        return {"uuid": uuid, "zonename": uuid, "brand": "joyent", "zone_state": self.zones[uuid]}

    def listing(self):
        """As zoneadm prints it."""
        lines = (f"-:{uuid}:{state}:/zones/{uuid}:{uuid}:joyent:excl:1\n" for uuid, state in self.zones.items())
        return GLOBAL + "".join(lines)


class Agent:
    """What an agent is made of as far as zones go; it reads the journal of the one before."""

    def __init__(self, platform, told):
        self.platform = platform
        self.told = told
        self.stream = None
        self.follower = None
        self.lister = None
        self.asked = ""
        self.has_no_room = False
        self.is_marked = asyncio.Event()

    async def __aenter__(self):
        self._stack = AsyncExitStack()
        database = Database(self.platform.root / "chunter.db")
        self.outbox = Outbox(database, prefix="chunter", host=HOST, limit_bytes=2**30, retention_seconds=3600)
        runner = Runner(self.platform.root)
        vmadm = Vmadm(runner, 60)
        tools = SimpleNamespace(
            config=Config, runner=runner, vmadm=vmadm, zoneadm=Zoneadm(runner), inventory=Inventory(vmadm),
            outbox=self.outbox,
        )  # fmt: skip
        tools.inventory.watchers.append(self._saw)
        self.zones = Zones(tools, ZoneInfo(tools))
        await database.open()
        self._stack.push_async_callback(database.close)
        await self.outbox.open()
        self._stack.push_async_callback(self.outbox.close)
        self.outbox.attach(self._publish, ToolFailed)
        self._stack.push_async_callback(self._end)
        return self

    async def __aexit__(self, *_):
        await self._stack.aclose()

    async def _publish(self, topic, bodies):
        self.told += [{**json.loads(body), "topic": topic} for body in bodies]

    async def _put(self, batch):
        if self.has_no_room:
            self.has_no_room = False
            raise OSError("disk full")
        await self.outbox.put(batch)

    async def _write(self, batches):
        async with aclosing(batches):
            async for batch in batches:
                await self._put(batch)

    async def follow(self):
        """Begin to follow the stream."""
        self.follower = asyncio.create_task(self._write(self.zones.follow()))
        self.stream = await asyncio.to_thread(os.open, self.platform.root / "vmadm", os.O_WRONLY)
        self.platform.events.clear()
        vms = {uuid: self.platform.machine(uuid) for uuid in self.platform.zones}
        await self.say({"type": "ready", "vms": vms})

    async def say(self, event):
        """An event comes, unless nobody follows."""
        if self.stream is not None:
            try:
                os.write(self.stream, json.dumps(event).encode() + b"\n")
            except BrokenPipeError:
                await self.lose_stream()

    async def lose_stream(self):
        """The stream ends."""
        if self.stream is not None:
            os.close(self.stream)
            self.stream = None
            with pytest.raises((ToolFailed, OSError)):
                await self.follower
            self.follower = None

    def _saw(self, _, uuid):
        if uuid == MARKER:
            self.is_marked.set()

    async def hear_out(self):
        """Wait until the stream was read to its end: a marker, no zone yet, is seen behind everything else."""
        self.has_no_room = False
        marker = {"uuid": MARKER, "zonename": MARKER, "brand": "joyent", "zone_state": "configured"}
        await self.say({"type": "create", "uuid": MARKER, "vm": marker})
        if self.stream is not None:
            marked = asyncio.create_task(self.is_marked.wait())
            await asyncio.wait({marked, self.follower}, return_when=asyncio.FIRST_COMPLETED)
            marked.cancel()

    def ask(self):
        """Ask for a list."""
        self.asked = self.platform.listing()
        self.lister = asyncio.create_task(self._write(self.zones.tick()))

    async def answer(self, text):
        """The list comes."""
        await asyncio.to_thread((self.platform.root / "zoneadm").write_text, text)
        await asyncio.gather(self.lister, return_exceptions=True)
        self.lister = None

    async def _end(self):
        if self.lister is not None:
            await self.answer("")
        await self.lose_stream()


class World:
    """A host and one agent after the other."""

    def __init__(self, root, seed):
        self.platform = Platform(root)
        self.chance = random.Random(seed)  # noqa: S311 - a test's choice
        self.told = []
        self.agent = None

    async def live(self, moves):
        """All of it, then peace: the stream says no more, and two lists are asked for."""
        await self._start()
        for move, uuid, raw in moves:
            await self._move(move, uuid, raw)
        agent = self.agent
        if agent.lister is not None:
            await agent.answer(agent.asked)
        if agent.stream is None and self.chance.random() < 0.5:
            await agent.follow()
        await agent.hear_out()
        for _ in range(2):  # while the stream is followed it takes two that agree
            agent.ask()
            await agent.answer(self.platform.listing())
        assert await agent.outbox.flush(30)
        await agent.__aexit__()

    async def _start(self):
        self.agent = Agent(self.platform, self.told)
        await self.agent.__aenter__()

    async def _move(self, move, uuid, raw):
        agent, events = self.agent, self.platform.events
        if move == "change":
            self.platform.change(uuid, raw)
        elif move == "stream" and (agent.follower is None or agent.follower.done()):
            await agent.lose_stream()
            await agent.follow()
        elif move == "break":
            await agent.lose_stream()
        elif move in {"event", "lose", "again"} and events:
            place = self.chance.randrange(len(events))
            event = events[place] if move == "again" else events.pop(place)
            if move != "lose":
                await agent.say(event)
        elif move == "ask" and agent.lister is None:
            agent.ask()
        elif move == "answer" and agent.lister is not None:
            await agent.answer(self.chance.choice((agent.asked, self.platform.listing())))
        elif move == "full":
            agent.has_no_room = True
        elif move == "restart":
            await agent.__aexit__()
            await self._start()


KINDS = (
    *["change"] * 3, *["event"] * 3, *["stream", "ask", "answer"] * 2, "lose", "again", "break", "full", "restart",
)  # fmt: skip
MOVES = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(UUIDS), st.sampled_from(RAW)), max_size=40)

# The list is settled, then an event comes that is long untrue.
STALE = [
    ("stream", "", None),
    ("change", UUIDS[0], "installed"),
    ("again", "", None),
    ("change", UUIDS[0], "running"),
    ("lose", "", None),
    *[("ask", "", None), ("answer", "", None)] * 4,
    ("event", "", None),
]


@pytest.mark.timeout(600)
@settings(max_examples=60)
@given(MOVES, st.integers(0, 2**32))
@example(STALE, 0)
@example(STALE, 1)
@example(STALE, 2)
def test_whatever_happens_what_was_told_is_what_is(moves, seed):
    """Told states end as the host's, none twice in a row, and no sequence is left out or used twice."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), seed)
        asyncio.run(world.live(moves))
    sequences = [int(event["sequence"]) for event in world.told]
    assert list(range(1, len(sequences) + 1)) == sequences
    assert 1 == len({(event["topic"], event["epoch"]) for event in world.told} or {None})
    told, last = {}, {}
    for event in world.told:
        if event["type"] == "chunter.zone.state":
            assert last.get(event["subject"]) == event["data"]["previous"] != event["data"]["data"]
            last[event["subject"]] = event["data"]["data"]
        elif event["type"] == "chunter.zone.deleted":
            last.pop(event["subject"], None)
    for uuid in UUIDS:
        story = [
            (event["type"].rpartition(".")[2], event["data"].get("data"))
            for event in world.told
            if event["subject"] == uuid and event["type"] != "chunter.zone.update"
        ]
        assert [] == [one for one, then in pairwise(story) if one == then]
        lives = [kind for kind, _ in story if kind != "state"]
        assert [] == [one for one, then in pairwise(lives) if one == then]
        if story and story[-1][0] == "state":
            told[uuid] = story[-1][1]
    assert {uuid: public(raw) for uuid, raw in world.platform.zones.items()} == told
