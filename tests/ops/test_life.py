"""The agent's life on a host, as SMF leads it: from the installation through crashes, faults and reboots to the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable

import pytest
from release_parts import SERVICE, Site, Workshop
from sweeps import swept
from worlds import Ears, new_uuid, payload

pytest_plugins = ("release_parts",)
TEN_STARTS_SECONDS = 90.0


@pytest.fixture
async def site(new_site: Callable[..., Site], nsqd, ears: Ears, workshop: Workshop) -> Site:
    """A host with an agent that was just installed and has announced itself."""
    one = new_site(nsqd=nsqd)
    done = await asyncio.to_thread(one.install, workshop.script("0.1.0"))
    assert 0 == done.returncode, done.stderr
    await announced(ears, one)
    return one


async def announced(ears: Ears, site: Site, times: int = 1) -> None:
    """Wait until an agent started and said so, that many times in all."""

    def starts() -> set[str]:
        return {event["data"]["data"]["started"] for event in ears.of("chunter.host.announce", site.id)}

    await ears.when(lambda: len(starts()) >= times, 60)
    await site.until("online")


async def test_an_installed_agent_is_online_and_obeys(site: Site, ears: Ears) -> None:
    """Svcs shows it, and a command from NSQ makes a machine on the host."""
    uuid = new_uuid()
    done = await ears.result(site.send("machine.create", uuid, payload=payload()))

    assert f"online {SERVICE}" == " ".join(site.tool("svcs", "-H", "-o", "state,fmri", "chunter").stdout.split())
    assert ("succeeded", "running") == (done["status"], done["result"]["state"])
    assert uuid in site.tool("vmadm", "list").stdout


async def test_a_killed_agent_is_started_again_and_ends_what_ran(site: Site, ears: Ears) -> None:
    """After SIGKILL SMF starts another one, which ends the command that the first had begun."""
    site.latency(create=3.0)
    uuid, first = new_uuid(), site.pid
    command = site.send("machine.create", uuid, payload=payload())
    await ears.when(lambda: "accepted" in ears.statuses(command))
    os.kill(first, signal.SIGKILL)
    done = await ears.result(command, 60)
    await announced(ears, site, 2)

    assert site.pid not in (0, first)
    assert done["status"] in ("succeeded", "interrupted")
    assert (done["status"] == "succeeded") == (uuid in site.tool("vmadm", "list").stdout)
    assert "succeeded" == (await ears.result(site.send("host.ping")))["status"]


@pytest.mark.thorough
async def test_a_wrong_configuration_is_maintenance_until_it_is_mended(site: Site, ears: Ears) -> None:
    """Exit status 96; svcs -xv, the log and the doctor say so, and after the edit svcadm clear is enough."""
    file = site.root / "etc" / "chunter.conf"
    good = file.read_text()
    file.write_text(f"{good}lane.machin = 4\n")
    site.tool("svcadm", "restart", "chunter")
    await site.until("maintenance")
    doctor = await asyncio.to_thread(site.chunter, "doctor")

    assert "$SMF_EXIT_ERR_CONFIG (96)" in site.tool("svcs", "-xv", "chunter").stdout
    assert "lane.machin: unknown key; did you mean lane.machine?" in site.log()
    assert (1, True) == (doctor.returncode, "did you mean lane.machine?" in doctor.stdout), doctor.stdout

    file.write_text(good)
    assert 0 == site.tool("svcadm", "clear", "chunter").returncode
    await announced(ears, site, 2)


@pytest.mark.thorough
async def test_an_agent_that_cannot_go_on_is_tried_and_then_maintenance(site: Site, ears: Ears) -> None:
    """Exit status 95: a journal that is none; when it is out of the way svcadm clear is enough."""
    assert 0 == site.tool("svcadm", "disable", "-s", "chunter").returncode
    journal = site.root / "var" / "chunter.db"
    for one in journal.parent.glob("chunter.db*"):
        one.unlink()
    journal.write_bytes(b"this is no database" * 1000)
    site.tool("svcadm", "enable", "chunter")
    await site.until("maintenance", timeout_seconds=TEN_STARTS_SECONDS)

    assert "exited with status 95" in site.log()
    assert "Restarting too quickly" in site.tool("svcs", "-xv", "chunter").stdout

    journal.unlink()
    site.tool("svcadm", "clear", "chunter")
    await announced(ears, site, 2)


async def test_a_refresh_reaches_the_running_agent(site: Site) -> None:
    """Svcadm refresh takes up a changed file; the process stays the same."""
    before, seen = site.pid, site.log().count("config.reloaded")
    site.configure(
        platform_root=str(site.platform),
        nsqd=site.nsqd.tcp_address,
        status_listen=f"127.0.0.1:{site.port}",
        zpool_interval="20s",
    )
    site.tool("svcadm", "refresh", "chunter")
    async with asyncio.timeout(30):
        while site.log().count("config.reloaded") == seen:
            await asyncio.sleep(0.05)

    assert before == site.pid


@pytest.mark.thorough
async def test_a_new_address_is_announced_under_the_same_id(site: Site, ears: Ears) -> None:
    """After an edit of ip and a restart; nothing has to be registered again."""
    host = site.id
    with (site.root / "etc" / "chunter.conf").open("a") as file:
        file.write("ip = 192.0.2.7:4200\n")
    site.tool("svcadm", "restart", "chunter")
    told = await ears.until(lambda event: event["data"].get("data", {}).get("ip") == "192.0.2.7", 60)

    assert ("chunter.host.announce", host, host) == (told["type"], told["subject"], site.id)
    assert "10.0.0.11" == ears.of("chunter.host.announce")[0]["data"]["data"]["ip"]


@pytest.mark.parametrize("end", swept(["in order", "power cut"], ["power cut"]))
async def test_a_reboot_brings_it_back(site: Site, ears: Ears, end: str) -> None:
    """All but /opt, /var, /zones, /usbkey is gone, and the agent is the same host; what was sent meanwhile is done."""
    uuid, host = new_uuid(), site.id
    await ears.result(site.send("machine.create", uuid, payload=payload(autoboot=True)))
    (site.platform / "etc" / "motd").write_text("gone")
    (site.platform / "root").mkdir()
    epoch = ears.of("chunter.host.announce", host)[-1]["epoch"]
    await asyncio.to_thread(site.shutdown, cut=end == "power cut")
    command = site.send("machine.get", uuid)
    await asyncio.to_thread(site.boot)
    done = await ears.result(command, 60)
    await announced(ears, site, 2)

    assert [False, False] == [(site.platform / name).exists() for name in ("etc/motd", "root")]
    assert ("succeeded", host, epoch) == (
        done["status"],
        site.id,
        ears.of("chunter.host.announce", host)[-1]["epoch"],
    )


async def test_what_is_uninstalled_does_not_come_back(site: Site) -> None:
    """The service ends in order and is gone, also after a reboot; identity, configuration and journal stay."""
    script = site.root / "share" / "install.sh"
    done = await asyncio.to_thread(site.install, script, "-u")
    gone = [site.tool("svcs", name).returncode for name in ("chunter", "chunter-update")]
    await asyncio.to_thread(site.shutdown)
    await asyncio.to_thread(site.boot)

    assert (0, [1, 1]) == (done.returncode, gone), done.stderr
    assert 1 == site.tool("svcs", "chunter").returncode
    assert {"etc", "var"} == {one.name for one in site.root.iterdir()}
    assert (site.root / "var" / "chunter.db").exists()


def test_an_installation_needs_no_network(new_site: Callable[..., Site], workshop: Workshop) -> None:
    """In a network namespace of its own, where there is not even loopback; the host is an empty one."""
    alone = ("unshare", "--net", "sh")
    if shutil.which("unshare") is None or subprocess.run([*alone, "-c", "exit 0"], check=False).returncode:
        if os.environ.get("CHUNTER_REQUIRE_ALL") == "1":
            pytest.fail("the right to make a network namespace is missing")
        pytest.skip("the right to make a network namespace is missing")
    site = new_site()
    done = site.install(workshop.script("0.1.0"), shell=alone)

    assert (0, True) == (done.returncode, site.id.startswith("06")), done.stderr
