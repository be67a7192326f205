"""A fresh platform root: directories, launchers, images, configuration, and as many running zones as asked for."""

from __future__ import annotations

import json
import os
import random
import stat
import sys
import time
from pathlib import Path

from chunter_nsq.smartos.simulator import host, index, realnames, zonedoc
from chunter_nsq.smartos.simulator.catalogue import IMAGES, image_record
from chunter_nsq.smartos.simulator.kernel import Active, Kernel
from chunter_nsq.smartos.simulator.launch import TOOLS
from chunter_nsq.smartos.simulator.pace import PLACE as LATENCY
from chunter_nsq.smartos.simulator.pace import PROFILES
from chunter_nsq.smartos.simulator.pool import SNAPSHOT_BYTES, Pool
from chunter_nsq.smartos.simulator.values import iso
from chunter_nsq.smartos.simulator.xmltree import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDERS = [
    "opt/tools/bin",
    "usr/sbin", "usr/bin", "etc/zones", "usbkey", "zones", "opt/custom/smf", "var/run/zones", "var/run/simulator",
    "var/cache/simulator", "var/simulator", "var/imgadm/images", "var/fw/rules", "var/log/vm/logs", "var/svc", "tmp",
]  # fmt: skip
GIB = 2**30
SHEBANG_LIMIT = 120


class Plan:
    """What the new host shall be like."""

    def __init__(
        self,
        *,
        zones: int = 0,
        services: int = 0,
        snapshots: int = 0,
        zfs: str = "simulated",
        latency: str = "none",
        memory_mib: int | None = None,
    ) -> None:
        if latency not in PROFILES:
            raise ValueError(f"unknown latency profile {latency!r}; there are {', '.join(PROFILES)}")
        if zfs != "simulated":
            realnames.base_of(zfs)
        self.zones = zones
        self.services = services
        self.snapshots = snapshots
        self.zfs = zfs
        self.latency = latency
        self.memory_mib = memory_mib


def build(directory: Path, plan: Plan) -> Path:
    """Make the host of the plan in the directory; its absolute path."""
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty; a simulated host is made in a directory of its own")
    root = str(directory)
    for folder in FOLDERS:
        (directory / folder).mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {"zfs": plan.zfs, "services": plan.services}
    if plan.memory_mib:
        told["memory_mib"] = plan.memory_mib
    (directory / host.PLACE).write_text(json.dumps(told, indent=1))
    (directory / LATENCY).write_text(json.dumps(PROFILES[plan.latency], indent=1))
    (directory / host.USBKEY).write_text(host.CONFIG)
    (directory / index.PLACE).write_text(index.HEADER + "global:installed:/\n")
    for tool in TOOLS:
        launcher(directory, tool)
    (directory / "opt/tools/bin/python3").symlink_to(os.path.realpath(sys.executable))  # as pkgsrc brings it
    pool = _pool(root)
    with pool:
        for image in IMAGES:
            record = image_record(image)
            (directory / "var/imgadm/images" / f"zones-{image['uuid']}.json").write_text(json.dumps(record, indent=1))
        _zones(directory, plan, pool)
    pool.close()
    return directory


def launcher(directory: Path, tool: str) -> None:
    """Write the executable of a tool."""
    path = directory / TOOLS[tool][0] / tool
    interpreter = os.path.realpath(sys.executable)
    package = Path(__file__).resolve().parents[3]
    body = (
        f"import sys\nsys.path.insert(0, {str(package)!r})\n"
        f"from chunter_nsq.smartos.simulator.launch import main\nmain({tool!r}, __file__)\n"
    )
    if len(interpreter) > SHEBANG_LIMIT or " " in interpreter:
        head = f"#!/bin/sh\n'''exec' \"{interpreter}\" -IS \"$0\" \"$@\"\n' '''\n"
    else:
        head = f"#!{interpreter} -IS\n"
    path.write_text(head + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _pool(root: str) -> Pool:
    """The host's pool with what every host has in it."""
    names = realnames.real_names(root)
    if names is None:
        pool = Pool(root)
        with pool:
            _standard_datasets(pool)
        return pool
    from chunter_nsq.smartos.simulator import realhost  # noqa: PLC0415 - most hosts have no real pool

    return realhost.furnish(names)


def _standard_datasets(pool: Pool) -> None:
    old = int(time.time()) - 86400 * 30
    pool.add("zones", local={"mountpoint": "/zones", "compression": "off"}, creation=old)
    for name, mountpoint in (
        ("archive", "/zones/archive"), ("config", "/etc/zones"), ("cores", "none"),
        ("opt", "/opt"), ("usbkey", "/usbkey"), ("var", "/var"),
    ):  # fmt: skip
        pool.add(f"zones/{name}", local={"mountpoint": mountpoint}, creation=old)
    pool.add("zones/cores/global", local={"mountpoint": "/cores", "quota": str(10 * GIB)}, creation=old)
    for name, size in (("dump", 4 * GIB), ("swap", 16 * GIB)):
        local = {"volsize": str(size), "volblocksize": "8192", "refreservation": str(size)}
        pool.add(f"zones/{name}", "volume", local, creation=old, refer=57344, own=57344)
    for image in IMAGES:
        name = f"zones/{image['uuid']}"
        if image["type"] == "zvol":
            size = image["image_size"] * 2**20
            local = {"volsize": str(size), "volblocksize": "8192", "refreservation": "0"}
            pool.add(name, "volume", local, refer=image["refer"], creation=old)
        else:
            pool.add(name, local={"mountpoint": "none", "compression": "lz4"}, refer=image["refer"], creation=old)
        pool.add_snapshots([(name, "final")], creation=old)


def _zones(directory: Path, plan: Plan, pool: Pool) -> None:
    chance = random.Random(4711)  # noqa: S311 - the same hosts every time
    root = str(directory)
    kernel = Kernel(root)
    lines = [index.HEADER.rstrip("\n"), "global:installed:/"]
    now = int(time.time())
    for number in range(plan.zones):
        vm = _vm(number, chance, now)
        uuid = vm["uuid"]
        debugid = kernel.debugid()
        (directory / f"etc/zones/{uuid}.xml").write_bytes(render(zonedoc.new(vm, debugid)))
        home = directory / "zones" / uuid
        local = {"quota": str(10 * GIB), "recordsize": "131072"}
        pool.add(
            f"zones/{uuid}", local=local, origin=f"zones/{vm['image_uuid']}@final",
            refer=IMAGES[0]["refer"] + 4096 * number, own=392167424 + 4096 * number,
        )  # fmt: skip
        (home / "config").mkdir(parents=True, exist_ok=True)
        (home / "root").mkdir(exist_ok=True)
        (home / "config/metadata.json").write_text('{"customer_metadata": {}, "internal_metadata": {}}')
        (home / "config/tags.json").write_text("{}")
        (home / "config/routes.json").write_text("{}")
        lines.append(f"{uuid}:installed:/zones/{uuid}:{uuid}")
        kernel.zones[uuid] = Active(kernel.next_zoneid, uuid, "running", kernel.next_pid, now)
        kernel.next_zoneid += 1
        kernel.next_pid += 7
        for position in range(plan.snapshots):
            short = _uuid(chance)
            pool.add_snapshots(
                [(f"zones/{uuid}", short)], creation=now - 60 * (plan.snapshots - position), used=SNAPSHOT_BYTES
            )
    (directory / index.PLACE).write_text("\n".join(lines) + "\n")
    kernel.write()


def _vm(number: int, chance: random.Random, now: int) -> dict[str, Any]:
    uuid = _uuid(chance)
    third, fourth = divmod(number + 20, 250)
    address = f"10.{1 + third // 250}.{third % 250}.{fourth + 1}"
    mac = "92:b8:d0:" + ":".join(f"{part:02x}" for part in (number >> 16 & 255, number >> 8 & 255, number & 255))
    gateway = address.rpartition(".")[0] + ".254"
    nic = {
        "interface": "net0", "mac": mac, "nic_tag": "admin", "gateway": gateway, "gateways": [gateway],
        "netmask": "255.255.0.0", "ip": address, "ips": [f"{address}/16"], "primary": True,
    }  # fmt: skip
    memory = 256
    return {
        "uuid": uuid, "zonename": uuid, "brand": "joyent", "v": 1, "create_timestamp": iso(now),
        "image_uuid": IMAGES[0]["uuid"], "cpu_shares": 100, "limit_priv": "default", "max_lwps": 2000,
        "max_msg_ids": 4096, "max_sem_ids": 4096, "max_shm_ids": 4096, "max_shm_memory": memory, "zfs_io_priority": 100,
        "autoboot": True, "max_physical_memory": memory, "max_locked_memory": memory, "max_swap": memory,
        "billing_id": "00000000-0000-0000-0000-000000000000", "owner_uuid": "00000000-0000-0000-0000-000000000000",
        "tmpfs": memory, "hostname": f"zone{number}", "dns_domain": "local", "resolvers": ["8.8.8.8", "8.8.4.4"],
        "alias": f"zone{number}", "nics": [nic],
    }  # fmt: skip


def _uuid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
