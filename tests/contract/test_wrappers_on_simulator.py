from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chunter_nsq.errors import (
    AlreadyExists,
    InvalidState,
    NotFound,
    ToolFailed,
    ToolTimeout,
    Unsupported,
)
from chunter_nsq.smartos import usbkey
from chunter_nsq.smartos.dladm import Dladm
from chunter_nsq.smartos.imgadm import Imgadm
from chunter_nsq.smartos.ipadm import Ipadm
from chunter_nsq.smartos.prtconf import Prtconf
from chunter_nsq.smartos.refusal import Busy, UnreadableOutput
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.simulator import create, faults
from chunter_nsq.smartos.sysinfo import Sysinfo
from chunter_nsq.smartos.vmadm import Vmadm, parse_event
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zoneadm import Zoneadm

BASE = "e44ed3e0-910b-11ed-a5d4-00151714048c"
NOBODY = "00000000-1111-2222-3333-444444444444"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with two running zones, two snapshots each."""
    return create(tmp_path / "host", zones=2, snapshots=2)


@pytest.fixture
def runner(root: Path, tmp_path: Path) -> Runner:
    """A runner on that host."""
    return Runner(root, run_dir=tmp_path / "run", timeout_seconds=30)


@pytest.fixture
def vmadm(runner: Runner) -> Vmadm:
    """The wrapper of vmadm on that host."""
    return Vmadm(runner, timeout_seconds=30)


@pytest.fixture
async def uuid(runner: Runner) -> str:
    """A running VM of that host."""
    return (await Zoneadm(runner).list())[0].name


def fault(root: Path, tool: str, **what: Any) -> None:
    """Have a tool of that host misbehave."""
    faults.add(str(root), {"tool": tool, **what})


async def test_zones(runner: Runner, root: Path):
    """The zones are the VMs that vmadm knows; the global zone is left out; one zone is found by name."""
    zoneadm = Zoneadm(runner)

    zones = await zoneadm.list()

    assert {vm["uuid"]: vm["state"] for vm in await Vmadm(runner, 30).lookup(["uuid", "state"])} == {
        zone.uuid: zone.state for zone in zones
    }
    assert zones[0] == await zoneadm.find(zones[0].name)
    assert f"/zones/{zones[0].name}" in zones[0].zonepath
    assert await zoneadm.find("nobody") is None


async def test_life_of_a_vm(vmadm: Vmadm, runner: Runner):
    """A VM is made, updated, stopped, started, rebooted and deleted, and each shows."""
    nic = {"nic_tag": "admin", "ip": "dhcp"}
    uuid = await vmadm.create({"brand": "joyent", "image_uuid": BASE, "alias": "a", "nics": [nic]})
    await vmadm.update(uuid, {"alias": "b"})
    after_update = await vmadm.get(uuid)
    await vmadm.stop(uuid)
    await vmadm.stop(uuid, force=True)
    stopped = await vmadm.get(uuid)
    await vmadm.start(uuid)
    await vmadm.start(uuid)
    await vmadm.reboot(uuid)
    rebooted = await vmadm.get(uuid)
    await vmadm.delete(uuid)
    await vmadm.delete(uuid)

    assert ("b", "running") == (after_update["alias"], after_update["state"])
    assert ("stopped", "running") == (stopped["state"], rebooted["state"])
    assert await Zoneadm(runner).find(uuid) is None


@pytest.mark.parametrize("verb", ["get", "info", "start", "stop", "reboot"])
async def test_unknown_vm(vmadm: Vmadm, verb: str):
    """Each verb words it differently; it is always not found."""
    with pytest.raises(NotFound):
        await getattr(vmadm, verb)(NOBODY)


async def test_refusals_of_vmadm(vmadm: Vmadm, uuid: str):
    """What vmadm refuses comes as the error it is."""
    with pytest.raises(NotFound):
        await vmadm.update(NOBODY, {"alias": "x"})
    with pytest.raises(NotFound):
        await vmadm.stop(NOBODY, force=True)
    with pytest.raises(AlreadyExists):
        await vmadm.create({"uuid": uuid, "brand": "joyent", "image_uuid": BASE})
    with pytest.raises(ToolFailed) as raised:
        await vmadm.create({"brand": "joyent"})
    assert (["image_uuid"], "payload") == (raised.value.details["faults"], raised.value.details["reason"])
    with pytest.raises(Unsupported, match="only supported for bhyve"):
        await vmadm.stop(uuid, timeout_seconds_grace=5)
    with pytest.raises(Unsupported):
        await vmadm.info(uuid)
    await vmadm.stop(uuid, force=True)
    with pytest.raises(InvalidState):
        await vmadm.reboot(uuid)


async def test_events(vmadm: Vmadm, uuid: str):
    """The event stream begins with all VMs and tells of a stop."""
    async with vmadm.events() as lines, asyncio.timeout(20):
        ready = parse_event(await anext(lines))
        await vmadm.stop(uuid, force=True)
        async for line in lines:
            event = parse_event(line) or {}
            if event["zonename"] == uuid and event.get("vm", {}).get("state") == "stopped":
                break

    assert ready is not None
    assert ("ready", True) == (ready["type"], uuid in ready["vms"])


async def test_datasets(runner: Runner, uuid: str):
    """Datasets are listed from a root down, and properties read."""
    zfs = Zfs(runner)

    (dataset,) = await zfs.datasets(f"zones/{uuid}")
    everything = await zfs.datasets("zones")
    properties = await zfs.get([dataset.name], ["used", "mountpoint"])

    assert ("filesystem", f"/zones/{uuid}") == (dataset.type, dataset.mountpoint)
    assert dataset in everything
    assert {dataset.name: {"used": str(dataset.used_bytes), "mountpoint": dataset.mountpoint}} == properties
    with pytest.raises(NotFound):
        await zfs.datasets("zones/nothing")
    with pytest.raises(NotFound):
        await zfs.get(["zones/nothing"], ["used"])


async def test_snapshots(runner: Runner, uuid: str):
    """Snapshots are made together, listed, held, rolled back to and destroyed, with the refusals in between."""
    zfs = Zfs(runner)
    name = f"zones/{uuid}@s1"
    before = await zfs.snapshots(f"zones/{uuid}")

    await zfs.snapshot([name])
    with pytest.raises(AlreadyExists):
        await zfs.snapshot([name])
    await zfs.hold(name, "keep")
    with pytest.raises(AlreadyExists):
        await zfs.hold(name, "keep")
    assert await zfs.holds(name) == ("keep",)
    with pytest.raises(Busy):
        await zfs.destroy_snapshot(name)
    await zfs.release(name, "keep")
    with pytest.raises(NotFound):
        await zfs.release(name, "keep")
    after = await zfs.snapshots(f"zones/{uuid}")
    await zfs.rollback(name)
    existed = await zfs.exists(name)
    await zfs.destroy_snapshot(name)

    assert [*before, after[-1]] == list(after)
    assert ("s1", name, True, False) == (after[-1].name, after[-1].full_name, existed, await zfs.exists(name))
    with pytest.raises(NotFound):
        await zfs.destroy_snapshot(name)
    with pytest.raises(NotFound):
        await zfs.rollback(name)
    with pytest.raises(NotFound):
        await zfs.snapshots("zones/nothing")


async def test_images(runner: Runner):
    """Images are listed, shown, imported again without harm, and deleted unless a VM hangs on them."""
    imgadm = Imgadm(runner)
    images = {image.uuid: image for image in await imgadm.list()}
    spare = next(image for image in images.values() if not image.clones)

    assert ("base-64-lts", "smartos") == (images[BASE].name, images[BASE].os)
    assert (await imgadm.get(BASE))["manifest"]["uuid"] == BASE
    with pytest.raises(InvalidState):
        await imgadm.delete(BASE)
    await imgadm.import_image(spare.uuid)
    await imgadm.delete(spare.uuid)
    with pytest.raises(NotFound):
        await imgadm.get(spare.uuid)
    with pytest.raises(NotFound):
        await imgadm.import_image(NOBODY)


async def test_host(runner: Runner, root: Path):
    """What the host says of itself agrees between its tools, and holds no secret."""
    facts, settings = await Sysinfo(runner).read(), await usbkey.Usbkey(root).read()
    dladm = Dladm(runner)
    macs = await dladm.macs()

    assert int(facts["MiB of Memory"]) == await Prtconf(runner).memory_mib()
    assert "shadow" not in str(facts) + str(settings)
    assert usbkey.nic_tags(settings)["admin"] in macs.values()
    assert {link.link for link in await dladm.phys()} == set(macs)
    assert set(usbkey.etherstubs(settings)) == set(await dladm.etherstubs())
    assert "127.0.0.1/8" in {address.addr for address in await Ipadm(runner).addresses()}


async def test_hanging_tool(root: Path, runner: Runner):
    """A tool that hangs is ended by the time limit."""
    fault(root, "vmadm", subcommand="lookup", hang=True)

    with pytest.raises(ToolTimeout):
        await Vmadm(runner, timeout_seconds=0.3).lookup()

    assert runner.active() == ()


@pytest.mark.parametrize("truncate", [0, 30])
async def test_truncated_listings(root: Path, runner: Runner, vmadm: Vmadm, truncate: int):
    """A listing that is cut off is an error of its own: nothing is taken for gone."""
    for tool in ("zoneadm", "vmadm", "zfs"):
        fault(root, tool, truncate=truncate)

    with pytest.raises(UnreadableOutput):
        await Zoneadm(runner).list()
    with pytest.raises(UnreadableOutput):
        await vmadm.lookup()
    if truncate:
        with pytest.raises(UnreadableOutput):
            await Zfs(runner).datasets("zones")


async def test_garbage_and_floods(root: Path, vmadm: Vmadm, tmp_path: Path):
    """Garbage and floods are errors, never crashes."""
    for tool in ("vmadm", "zfs", "sysinfo"):
        fault(root, tool, garbage=True)
    fault(root, "dladm", flood=50_000_000)
    runner = Runner(root, output_limit_bytes=2**20)

    for ask in (vmadm.lookup(), Zfs(runner).datasets("zones"), Sysinfo(runner).read()):
        with pytest.raises(UnreadableOutput):
            await ask
    with pytest.raises(ToolFailed, match="said more than may be kept"):
        await Dladm(runner).phys()


@pytest.mark.parametrize("tool", ["vmadm", "zoneadm", "zfs", "imgadm"])
async def test_denied(root: Path, runner: Runner, tool: str):
    """A host that denies the agent its tools says what to do."""
    fault(root, tool, denied=True)
    asks = {"vmadm": Vmadm(runner, 30).lookup, "zoneadm": Zoneadm(runner).list, "imgadm": Imgadm(runner).list}

    with pytest.raises(ToolFailed, match="must run as root in the global zone"):
        await (asks[tool]() if tool in asks else Zfs(runner).datasets("zones"))
