"""What hypervisors tell after a boot, however it was noticed and however long they take."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from publisher_parts import Desk, desk_in, put_script

from chunter_nsq.errors import ToolFailed
from chunter_nsq.inventory import Inventory
from chunter_nsq.smartos.vmadm import Vmadm
from publishers.zoneinfo import ZoneInfo
from publishers.zones import Zones

VMADM = "usr/sbin/vmadm"
ONE = "a1c9ce34-6b70-4b14-9f3f-7e2e0b6f5f02"
OTHER = "7970c690-1738-4e58-a04f-8ce4ea8ebfca"
VNC = {"vnc": {"host": "10.0.0.2", "port": 37463, "display": 31563}}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A host whose hypervisors answer."""
    async with desk_in(tmp_path) as desk:
        desk.tools.vmadm = Vmadm(desk.tools.runner, 10)
        desk.tools.inventory = Inventory(desk.tools.vmadm)
        answer(desk)
        yield desk


def answer(desk: Desk, but: str = "nobody", says: str = "internal error") -> None:
    """Have all hypervisors answer but one."""
    path = desk.root / VMADM
    path.parent.mkdir(parents=True, exist_ok=True)
    put_script(path, f"#!/bin/sh\n[ $2 = {but} ] && {{ echo '{says}' >&2; exit 1; }}\necho '{json.dumps(VNC)}'\n")


async def test_a_boot_that_only_the_list_shows_is_asked_about(desk: Desk) -> None:
    """Each machine with a hypervisor that is found running is asked once; a zone is not."""
    info = ZoneInfo(desk.tools)
    zones = Zones(desk.tools, info)
    desk.zones("".join(
        f"{number}:{uuid}:running:/zones/{uuid}:{uuid}:{brand}:excl:{number}\n"
        for number, (uuid, brand) in enumerate([(ONE, "bhyve"), (OTHER, "joyent")], 1)
    ))  # fmt: skip
    await desk.listen(zones)
    told = await desk.listen(info)
    assert [("chunter.zone.info", ONE, VNC)] == [(one.type, one.subject, one.data["data"]) for one in told]
    await desk.listen(zones)
    assert [] == await desk.listen(info)


async def test_a_hypervisor_that_does_not_answer_keeps_no_other_waiting(desk: Desk) -> None:
    """From the tenth time on it is a fault, until it answers."""
    info = ZoneInfo(desk.tools)
    answer(desk, but=ONE)
    info.booted(ONE)
    info.booted(OTHER)
    assert [OTHER] == [one.subject for one in await desk.listen(info)]
    for _ in range(8):
        assert [] == await desk.listen(info)
    for _ in range(2):
        info.booted(OTHER)
        batches = info.tick()
        assert OTHER == (await anext(batches))[0].subject
        with pytest.raises(ToolFailed, match="internal error"):
            await anext(batches)
    answer(desk)
    assert [ONE] == [one.subject for one in await desk.listen(info)]


async def test_a_machine_that_runs_no_more_is_asked_no_more(desk: Desk) -> None:
    """That is no fault of anybody."""
    info = ZoneInfo(desk.tools)
    answer(desk, but=ONE, says=f"Unable to get VM info for VM {ONE}: VM is not running")
    info.booted(ONE)
    for _ in range(10):
        assert [] == await desk.listen(info)
    answer(desk)
    assert [] == await desk.listen(info)
