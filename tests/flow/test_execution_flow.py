"""machine.execute: output as it comes, exit status, limits, and its end by whatever comes first."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from worlds import Ears, Host, new_uuid, payload

CENTOS = "462d1d03-8457-e134-a408-cf9ea2b9be96"
SETTINGS = {"execute_api": "on"}


@pytest.fixture
def zone(shared: Host) -> tuple[Host, str]:
    """A host on which programs may be run, and a machine of it."""
    return shared, shared.machine()


def _logins(host: Host) -> int:
    found = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                line = (entry / "cmdline").read_bytes()
                found += str(host.platform).encode() in line and b"zlogin" in line
    return found


def _sleepers(seconds: str) -> list[str]:
    """The processes that sleep for so long."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes() == f"sleep\0{seconds}\0".encode():
                found.append(entry.name)
    return found


async def test_a_program_ends_with_all_it_said(ears: Ears, zone: tuple[Host, str]) -> None:
    """Exit status, standard output and standard error are the program's; its words arrive as they were sent."""
    host, uuid = zone
    odd = ["a  b", 'it\'s "x" \\n', "$(reboot) `id` ;|&", "λ 🦊\nnew line", "-n"]
    done = await ears.result(host.send("machine.execute", uuid, params={"argv": ["echo", *odd]}))
    assert {"exit_status": 0, "stdout": " ".join(odd) + "\n", "stderr": "", "truncated": False} == done["result"]
    program = ["sh", "-c", "echo out; echo err >&2; exit 3"]
    done = await ears.result(host.send("machine.execute", uuid, params={"argv": program}))
    assert (3, "out\n", "err\n") == tuple(done["result"][name] for name in ("exit_status", "stdout", "stderr"))
    assert "succeeded" == done["status"]
    done = await ears.result(host.send("machine.execute", uuid, params={"argv": ["cat"], "stdin": "in 🦊\n\\"}))
    assert "in 🦊\n\\" == done["result"]["stdout"]
    done = await ears.result(host.send("machine.execute", uuid, params={"argv": ["nosuch"]}))
    assert 127 == done["result"]["exit_status"]


async def test_output_comes_as_progress(ears: Ears, zone: tuple[Host, str]) -> None:
    """What is said is told within a second or two, each piece once, in its order, no more than once a second."""
    host, uuid = zone
    text = "; ".join(f"echo line {number}; echo e{number} >&2; sleep 0.6" for number in range(6))
    command = host.send("machine.execute", uuid, params={"argv": ["sh", "-c", text]})
    first = await ears.until(
        lambda e: (
            e["data"].get("command") == command and "line 0" in ((e["data"]["progress"] or {}).get("stdout") or "")
        )
    )
    assert "progress" == first["data"]["status"]
    done = await ears.result(command)
    told = [e["data"]["progress"] for e in ears.heard if e["data"].get("command") == command]
    told = [one for one in told if one]
    said = "".join(one.get("stdout", "") for one in told)
    assert done["result"]["stdout"].startswith(said)
    assert 2 <= len([one for one in told if one.get("stdout")]) <= 5
    assert "e0\n" in "".join(one.get("stderr", "") for one in told)


async def test_output_is_bounded(ears: Ears, zone: tuple[Host, str]) -> None:
    """Of more than 64 KiB the end is kept, and that is said."""
    host, uuid = zone
    file = host.platform / "zones" / uuid / "root" / "large"
    file.write_text("".join(f"{number:07d}\n" for number in range(40_000)))
    done = await ears.result(host.send("machine.execute", uuid, params={"argv": ["cat", "/large"]}))

    assert done["result"]["truncated"] is True
    assert (65536, "0039999\n") == (len(done["result"]["stdout"]), done["result"]["stdout"][-8:])


async def test_time_and_patience_have_an_end(ears: Ears, zone: tuple[Host, str]) -> None:
    """At its time limit, and when it is cancelled, the program is ended with its whole group."""
    host, uuid = zone
    seconds = f"60.{os.getpid()}"
    program = {"argv": ["sh", "-c", f"echo begun; sleep {seconds} & wait"]}
    late = await ears.result(host.send("machine.execute", uuid, params={**program, "timeout": 1}))
    assert ("failed", "tool_timeout", "begun\n") == (
        late["status"], late["error"]["code"], late["error"]["details"]["stdout"],
    )  # fmt: skip
    command = host.send("machine.execute", uuid, params=program)
    await ears.until(lambda e: e["data"].get("command") == command and bool(e["data"]["progress"]))
    await ears.result(host.send("command.cancel", params={"command": command}))
    assert "cancelled" == (await ears.result(command))["status"]
    assert 0 == _logins(host)
    assert [] == _sleepers(seconds)


async def test_a_killed_agent_leaves_no_program(ears: Ears, new_host: Callable[..., Host]) -> None:
    """The next agent ends what still runs and reports the command interrupted."""
    host = await new_host(zones=1, settings=SETTINGS).start().ready()
    uuid = host.machine()
    command = host.send("machine.execute", uuid, params={"argv": ["sleep", "60"]})
    while not _logins(host):
        await asyncio.sleep(0.05)
    host.kill()
    await host.start().ready()

    assert "interrupted" == (await ears.result(command))["status"]
    assert 0 == _logins(host)


async def test_what_cannot_be_entered(ears: Ears, zone: tuple[Host, str]) -> None:
    """Unknown, stopped and hardware-virtualised machines are refused."""
    host, uuid = zone
    disks = [{"image_uuid": CENTOS, "boot": True, "model": "virtio"}]
    hvm = {key: one for key, one in payload(brand="kvm", ram=256, disks=disks, nics=[]).items() if key != "image_uuid"}
    hvm = {key: one for key, one in hvm.items() if key not in ("quota", "max_physical_memory")}
    made = await ears.result(host.send("machine.create", params={"payload": hvm}))
    assert "succeeded" == made["status"], made
    params = {"argv": ["true"]}
    assert (
        "unsupported" == (await ears.result(host.send("machine.execute", made["uuid"], params=params)))["error"]["code"]
    )
    assert "not_found" == (await ears.result(host.send("machine.execute", new_uuid(), params=params)))["error"]["code"]
    planned = await ears.result(host.send("machine.execute", uuid, params={**params, "dry_run": True}))
    assert [["usr/sbin/zlogin", "-Q", uuid, "true"]] == planned["result"]["argv"]
    await ears.result(host.send("machine.stop", uuid, params={"force": True}))
    done = await ears.result(host.send("machine.execute", uuid, params=params))
    assert "invalid_state" == done["error"]["code"]
