"""Every tool that a publisher asks, failing in every way: one warning, a pause, one word when it is well again.

The ticker, the publishers, the wrappers, the runner and the outbox are the real ones; the tools are small scripts.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from publisher_parts import HOST, Desk, desk_in, put_script
from sweeps import swept

from chunter_nsq.host import Host
from chunter_nsq.inventory import Inventory
from chunter_nsq.memory import Memory as Accounting
from chunter_nsq.messages.events import Event, Note, compact
from chunter_nsq.smartos.dladm import Dladm
from chunter_nsq.smartos.ipadm import Ipadm
from chunter_nsq.smartos.prtconf import Prtconf
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.svcs import Svcs
from chunter_nsq.smartos.sysinfo import Sysinfo
from chunter_nsq.smartos.usbkey import Usbkey
from chunter_nsq.smartos.vmadm import Vmadm
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zoneadm import Zoneadm
from chunter_nsq.ticker import Publisher, Ticker
from publishers.announce import Announce
from publishers.arc import Arc
from publishers.caphits import CapRecord
from publishers.memory import Memory
from publishers.metrics import Metrics
from publishers.services import Services
from publishers.snapshots import Snapshots
from publishers.stops import Stops
from publishers.zoneinfo import ZoneInfo
from publishers.zones import Zones
from publishers.zpools import Zpools

VM = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
LOOK_SECONDS = {"hang": 1.0}  # how long a tool may take; others end by themselves, on a busy machine late
PATIENCE_SECONDS = 10.0
OUTPUT_LIMIT_BYTES = 64 * 2**20
READY = {"type": "ready", "vms": {VM: {"uuid": VM, "zonename": VM, "brand": "joyent", "zone_state": "running"}}}
SAYS = {
    "usr/sbin/zoneadm": f"0:global:running:/::liveimg:shared:0\n5:{VM}:running:/zones/{VM}:{VM}:joyent:excl:7\n",
    "usr/sbin/zpool": "zones\t10737418240\t4294967296\t6442450944\t40\t1.00\tONLINE\n",
    "usr/sbin/zfs": f"zones/{VM}@monday\t1775217600\t4096\t12345\n",
    "usr/bin/svcs": f"{VM} online - 10:01:22 svc:/network/ssh:default\nglobal online - 10:01:22 svc:/a:b\n",
    "usr/bin/kstat": (
        "zfs:0:arcstats:hits\t90\nzfs:0:arcstats:misses\t10\nzfs:0:arcstats:size\t1048576\n"
        f"zones:5:{VM[:30]}:nsec_user\t100\nzones:5:{VM[:30]}:zonename\t{VM}\n"
    ),
    "usr/sbin/prtconf": "System Configuration:  Oracle Corporation  i86pc\nMemory size: 4096 Megabytes\n",
    "usr/bin/sysinfo": json.dumps({"Hostname": "smartos01", "UUID": HOST}),
    "usr/sbin/dladm": "igb0:0\\:25\\:90\\:c0\\:d\\:f2:yes\nstub0\n",
    "usr/sbin/ipadm": "lo0/v4:static:ok:127.0.0.1/8\nigb0/_a:static:ok:10.0.0.11/24\n",
    "usr/sbin/vmadm lookup": json.dumps([{"uuid": VM, "brand": "bhyve", "max_physical_memory": 256}]) + "\n",
    "usr/sbin/vmadm info": json.dumps({"vnc": {"host": "10.0.0.11", "port": 37463, "display": 31563}}) + "\n",
    "usr/sbin/vmadm get": json.dumps({"uuid": VM, "zone_state": "installed", "autoboot": True}, indent=2) + "\n",
    "usr/sbin/vmadm events": json.dumps(READY) + "\n",
}
FAULTS = {
    "exit 1": "echo 'internal error: out of luck' >&2; exit 1",
    "garbage": r"printf '\000\001\377\376{[\n\tgar bage\377\n'",
    "truncated": "/usr/bin/head -c 17 {text}",
    "hang": "exec /bin/sleep 600",
    "100 MB": "/usr/bin/head -c 100000000 /dev/zero",
    "denied": "",
}


class Hasty(Announce):
    """Asks the platform at every look."""

    interval_seconds = 0.02
    refresh_seconds = 0.0


class Impatient(Services):
    """Waits for svcs no longer than for other tools."""

    def __init__(self, tools):
        super().__init__(tools)
        self._svcs = Svcs(tools.runner, tools.vmadm.timeout_seconds)


class Booting(ZoneInfo):
    """A machine boots whenever its hypervisor has answered, and is soon taken for ill when it does not."""

    interval_seconds = 0.02

    async def tick(self):
        """One look."""
        if not self._wanted:
            self._wanted[VM] = 2
        async for batch in super().tick():
            yield batch


class Stopping(Stops):
    """A machine boots, and has stopped by itself a while ago, whenever its last stop was told."""

    interval_seconds = 0.02

    def __init__(self, tools):
        super().__init__(tools, CapRecord())

    async def tick(self):
        """One look."""
        if not self._stops:
            self.saw({"zone_state": "running", "autoboot": True}, VM)
            self.saw({"zone_state": "installed", "autoboot": True}, VM)
            self._stops[VM].installed = -1e9
        async for batch in super().tick():
            yield batch


def unfollowed(tools: Any) -> Memory:
    """The accounting while there is no event stream."""
    tools.inventory.end()
    return Memory(tools)


class Pulse:
    """A publisher that asks no tool."""

    name = "pulse"
    interval_seconds = 0.02
    count = 0

    async def tick(self):
        """One more."""
        self.count += 1
        yield [Event("pulse", "pulse", HOST, {})]


# The tool that fails (and what it is asked, where it can do more than one thing), the publisher that asks it, and the
# source that its warnings name.
CASES: list[tuple[str, Callable[[Any], Publisher], str]] = [
    ("usr/sbin/zoneadm", lambda tools: Zones(tools, ZoneInfo(tools)), "zones"),
    ("usr/sbin/vmadm events", lambda tools: Zones(tools, ZoneInfo(tools)), "zones stream"),
    ("usr/sbin/vmadm lookup", unfollowed, "memory"),
    ("usr/sbin/vmadm info", Booting, "zoneinfo"),
    ("usr/sbin/vmadm get", Stopping, "stops"),
    ("usr/bin/svcs", Impatient, "services"),
    ("usr/sbin/prtconf", Memory, "memory"),
    ("usr/sbin/zpool", Zpools, "zpools"),
    ("usr/bin/kstat", Arc, "arc"),
    ("usr/bin/kstat", Metrics, "metrics"),
    ("usr/sbin/zoneadm", Snapshots, "snapshots"),
    ("usr/sbin/zpool", Snapshots, "snapshots"),
    ("usr/sbin/zfs", Snapshots, "snapshots"),
    ("usr/bin/sysinfo", Hasty, "sysinfo"),
    ("usr/sbin/dladm", Hasty, "dladm"),
    ("usr/sbin/ipadm", Hasty, "ipadm"),
]


class Stage:
    """A host whose tools are well, its publisher under a ticker, and what was told."""

    def __init__(self, desk: Desk, look_seconds: float) -> None:
        self.desk = desk
        self.told: list[Event] = []
        self._news = asyncio.Condition()
        runner = Runner(desk.root, timeout_seconds=look_seconds, output_limit_bytes=OUTPUT_LIMIT_BYTES)
        vmadm = Vmadm(runner, look_seconds)
        inventory = Inventory(vmadm)
        inventory.begin([])
        quick = {
            name: 0.05
            for name in vars(desk.config)
            if name.endswith("_interval_seconds") and not name.startswith("announce")
        }
        desk.config = replace(desk.config, **quick)
        host = Host(
            id=HOST, prefix="chunter", simulated=True, configured_ip="", status_port=0, sysinfo_tool=Sysinfo(runner),
            dladm=Dladm(runner), ipadm=Ipadm(runner), usbkey=Usbkey(desk.root),
        )  # fmt: skip
        self.tools = SimpleNamespace(
            config=lambda: desk.config, host=host, runner=runner, vmadm=vmadm, inventory=inventory, actions={},
            zoneadm=Zoneadm(runner), zfs=Zfs(runner, look_seconds), outbox=desk.outbox,
            memory=Accounting(Prtconf(runner), inventory, lambda: 0), work=SimpleNamespace(running=list),
        )  # fmt: skip
        self.ticker = Ticker(self._put, HOST, steady_seconds=0.05)
        for tool in SAYS:
            self.mend(tool)

    def mend(self, tool: str) -> None:
        """A tool says what it should; vmadm's stream then waits."""
        name = tool.partition(" ")[0]
        self.desk.prints(name, SAYS[tool])
        if tool.endswith("events"):
            path = self.desk.root / name
            put_script(path, path.read_text().replace("exit 0", "exec /bin/sleep 600"))

    def cut_streams(self) -> None:
        """End the event stream, as vmadm does when its daemon ends."""
        for running in self.tools.runner.active():
            if "events" in running.argv:
                os.killpg(running.pid, signal.SIGKILL)

    def fault(self, tool: str, kind: str) -> None:
        """A tool fails from now on."""
        path = self.desk.root / tool.partition(" ")[0]
        text = FAULTS[kind].replace("{text}", str(path.with_suffix(".text")))
        put_script(path, f"#!/bin/sh\n{text}\n", 0o644 if kind == "denied" else 0o755)

    async def _put(self, batch: list[Event | Note]) -> None:
        await self.desk.outbox.put(batch)
        async with self._news:
            self.told += [one for one in batch if isinstance(one, Event)]
            self._news.notify_all()

    async def when(self, condition: Callable[[], object]) -> None:
        """Wait for something that was told."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(condition)

    def failures(self, source: str) -> int:
        """How often a publisher failed in a row; those who only pass on another's fault are not counted."""
        return next((one["failures"] for one in self.ticker.state() if one["name"] == source), 2)

    def warned(self, source: str) -> list[str]:
        """The states of a source's warnings."""
        told = [one.data["data"] for one in self.told if one.type == "chunter.host.warning"]
        return [one["state"] for one in told if one["source"] == source]


@pytest.mark.parametrize("kind", swept(FAULTS, ["exit 1", "garbage"]))
@pytest.mark.parametrize(("tool", "publisher", "source"), CASES, ids=[f"{t.split('/')[-1]}-{s}" for t, _, s in CASES])
async def test_a_tool_that_fails_is_one_warning_and_one_recovery(
    tmp_path: Path, tool: str, publisher: Callable[[Any], Publisher], source: str, kind: str
) -> None:
    """However it fails; nothing untrue is told of what it would have shown, and another publisher never notices."""
    async with desk_in(tmp_path) as desk:
        stage = Stage(desk, LOOK_SECONDS.get(kind, PATIENCE_SECONDS))
        other = Pulse()
        stage.mend(tool)
        stage.ticker.start([publisher(stage.tools), other])
        await stage.when(lambda: [one for one in stage.told if one.topic != "pulse"])
        stage.fault(tool, kind)
        stage.cut_streams()
        await stage.when(lambda: stage.warned(source))
        beats = other.count
        await stage.when(lambda: other.count >= beats + 5 and stage.failures(source) >= 2)
        assert ["failing"] == stage.warned(source)
        stage.mend(tool)
        await stage.when(lambda: "recovered" in stage.warned(source))
        await stage.ticker.stop()
        await stage.tools.runner.close()
        assert ["failing", "recovered"] == stage.warned(source)
        untrue = {"chunter.zone.deleted", "chunter.zone.stored"}
        assert [] == [one for one in stage.told if one.type in untrue or '"listed":false' in compact(dict(one.data))]
        assert [] == [one for one in stage.told if one.data.get("data") and "gone" in json.dumps(one.data["data"])]
        assert [] == [one for one in stage.told if is_untrue(one)]


def is_untrue(event: Event) -> bool:
    """Whether something is told as gone; nothing of this host ever goes."""
    data = event.data.get("data")
    return (
        event.type in {"chunter.zone.deleted", "chunter.zone.stored"}
        or event.data.get("listed") is False
        or (event.type == "chunter.zpool.status" and "gone" in json.dumps(data))
        or (event.type == "chunter.snapshot.sizes" and data["removed"] != [])
    )
