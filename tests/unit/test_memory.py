"""The accounting of memory with machines on their way."""

from __future__ import annotations

from pathlib import Path

import pytest
from tool_scripts import shell_tool

from chunter_nsq.errors import InsufficientResources
from chunter_nsq.inventory import Inventory
from chunter_nsq.memory import Memory, wanted_mib
from chunter_nsq.smartos.prtconf import Prtconf
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.vmadm import Vmadm

A, B = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("payload", "mib"),
    [
        ({"brand": "joyent", "max_physical_memory": 512}, 512),
        ({"brand": "joyent", "ram": 9999}, 256),
        ({"brand": "lx", "max_physical_memory": "1024"}, 1024),
        ({"brand": "kvm", "ram": 512}, 1536),
        ({"brand": "bhyve", "ram": 512, "max_physical_memory": 600}, 1792),
        ({"brand": "bhyve"}, 1536),
        ({"max_physical_memory": True}, 256),
        ({"max_physical_memory": "much"}, 256),
    ],
)
def test_what_a_machine_will_have(payload: dict[str, object], mib: int) -> None:
    """As vmadm will read it, its defaults and the hypervisor's own share included."""
    assert mib == wanted_mib(payload)


async def test_promised_memory_counts_once(tmp_path: Path) -> None:
    """From the promise on it is taken; when the machine is listed it is that machine's; when nothing came, free."""
    shell_tool(tmp_path, "prtconf", "echo 4096")
    runner = Runner(tmp_path)
    inventory = Inventory(Vmadm(runner, 5))
    inventory.begin([{"uuid": A, "max_physical_memory": 1000}])
    memory = Memory(Prtconf(runner), inventory, lambda: 96)
    assert {} == memory.known
    assert 3000 == (await memory.figures())["free-memory"] == memory.known["free-memory"]
    assert 1000 == (await memory.promise(B, 2000))["free-memory"] == memory.known["free-memory"]
    with pytest.raises(InsufficientResources) as caught:
        await memory.promise("c", 1001)
    assert (1001, 1000) == (caught.value.details["wanted_mib"], caught.value.details["free-memory"])
    inventory.put({"uuid": B, "max_physical_memory": 2000})
    figures = await memory.figures()
    assert (1000, 3000) == (figures["free-memory"], figures["provisioned-memory"])
    memory.settle(B)
    assert 1000 == (await memory.figures())["free-memory"]
    inventory.drop(B)
    assert 3000 == (await memory.figures())["free-memory"]
    await runner.close()
