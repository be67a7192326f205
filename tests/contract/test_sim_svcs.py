"""svcs against a simulated host."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from simhost import WEB, Host, wait_for

from chunter_nsq.cli.simulator import simulator
from chunter_nsq.smartos.simulator import create
from chunter_nsq.smartos.simulator.kernel import Kernel
from chunter_nsq.smartos.simulator.smf import timeline
from chunter_nsq.smartos.simulator.smf.patterns import matches
from chunter_nsq.smartos.simulator.smf.table import Clock

LIST = ("svcs", "-aHZ", "-o", "zone,state,nstate,stime,fmri")
NOON = 1712145600.0  # 2024-04-03T12:00:00Z


def rows(host: Host) -> list[list[str]]:
    """The agent's listing, cell by cell."""
    return [line.split() for line in host.out(*LIST).splitlines()]


def lay(host: Host, *words: str) -> str:
    """What ``chunter simulator service`` says that must succeed."""
    done = CliRunner().invoke(simulator, ["service", str(host.root), *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_columns_are_padded_and_overflow(host: Host):
    """Zone 16, state 14, next state 14, time 9 characters wide; a UUID pushes the rest to the right."""
    host.create()
    lines = host.out(*LIST).splitlines()
    web = next(line for line in lines if line.startswith(WEB) and "network/ssh" in line)
    ours = next(line for line in lines if line.startswith("global") and "network/ssh" in line)
    assert f"{WEB} online         -              " == web[:67]
    assert "svc:/network/ssh:default" == web[77:]
    assert "global           online         -              2024      svc:/network/ssh:default" == ours


def test_a_fresh_zone_has_the_usual_services(busy: Host):
    """Sixty or so in each zone, some of them disabled, and a script that ran once."""
    first, *_ = {row[0] for row in rows(busy)} - {"global"}
    mine = [row for row in rows(busy) if row[0] == first]
    assert 61 == len(mine)
    assert {"legacy_run", "disabled", "online"} == {row[1] for row in mine}
    assert ["lrc:/etc/rc2_d/S89PRESERVE"] == [row[4] for row in mine if row[1] == "legacy_run"]
    assert "svc:/system/smartdc/vminfod:default" in {row[4] for row in rows(busy) if row[0] == "global"}


def test_as_many_services_as_asked_for(tmp_path: Path):
    """A host may be made with any number in each zone; the global zone keeps its own."""
    host = Host(create(tmp_path / "host", zones=1, services=75))
    assert 75 == len([row for row in rows(host) if row[0] != "global"])


def test_zones_by_name_then_by_state_time_and_fmri(busy: Host):
    """UUIDs come before global; scripts first, then what is disabled, what is online, and what is ill."""
    zones = list(dict.fromkeys(row[0] for row in rows(busy)))
    assert [*sorted(zones[:-1]), "global"] == zones
    lay(busy, zones[0], "ssh", "maintenance")
    lay(busy, zones[0], "cron", "offline")
    lay(busy, zones[0], "utmp", "degraded")
    states = [row[1] for row in rows(busy) if row[0] == zones[0]]
    assert ["legacy_run", "disabled", "online", "degraded", "offline", "maintenance"] == list(dict.fromkeys(states))


def test_zones_whose_names_begin_alike_are_mixed(host: Host):
    """Only 16 characters of a zone's name count for the order."""
    kernel = Kernel(str(host.root))
    index = (host.root / "etc/zones/index").read_text()
    for name in ("customer-website-1", "customer-website-2"):
        index += f"{name}:installed:/zones/{name}:\n"
        xml = f'<zone name="{name}" zonepath="/zones/{name}" autoboot="true" brand="joyent" ip-type="exclusive"/>'
        (host.root / f"etc/zones/{name}.xml").write_text(xml)
        active = kernel.admit(name)
        active.state, active.boot_seconds = "running", int(time.time())
    (host.root / "etc/zones/index").write_text(index)
    kernel.write()
    mixed = [row[0][-1] for row in rows(host) if row[0].startswith("customer")]
    assert ["1", "2", "1", "2", "1", "2"] == mixed[:6]
    assert 122 == len(mixed)


def test_services_start_one_after_the_other_when_a_zone_boots(host: Host):
    """Offline, on the way to online, online; every boot is told by new times; a stopped zone is not listed."""
    host.create()
    host.latency(smf_boot=60.0)
    host.run("vmadm", "stop", WEB)
    assert WEB not in {row[0] for row in rows(host)}
    host.run("vmadm", "start", WEB)
    states = {tuple(row[1:3]) for row in rows(host) if row[0] == WEB}
    assert {("offline", "-"), ("offline", "online")} <= states
    starred = host.out("svcs", "-H", "-o", "state", "-z", WEB)
    assert "offline*" in starred.split()
    host.latency(smf_boot=1.0)
    wait_for(lambda: {"online", "disabled", "legacy_run"} == {row[1] for row in rows(host) if row[0] == WEB})
    assert {"-"} == {row[2] for row in rows(host) if row[0] == WEB}


def test_only_enabled_services_are_shown_without_a(host: Host):
    """And those that a pattern means whatever they are."""
    assert "disabled" not in host.out("svcs", "-H", "-o", "state")
    assert "disabled" in host.out("svcs", "-aH", "-o", "state")
    assert ["STATE          STIME     FMRI", "disabled       2024      svc:/network/rpc/bind:default"] == host.out(
        "svcs", "rpc/bind"
    ).splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-H", "-o", "sta,s,nsta,n,sn,svc,inst", "ssh"), "ON   1  -    - 1- network/ssh          default"),
        (("-H", "-o", "scope,fmri", "console-login:vt2"), "localhost            svc:/system/console-login:vt2"),
        (("-H", "-o", "fmri", "-d", "ssh"), "svc:/milestone/network:default\nsvc:/system/cryptosvc:default"),
        (("-H", "-o", "fmri", "-D", "rpc/bind"), "svc:/network/nfs/nlockmgr:default\nsvc:/network/nfs/server:default"),
        (("-L", "ssh"), "/var/svc/log/network-ssh:default.log"),
    ],
)
def test_other_columns_and_listings(host: Host, words: tuple[str, ...], expected: str):
    """Abbreviated states, parts of names, dependencies and logs."""
    assert host.out("svcs", *words).strip().startswith(expected)


def test_sorting_by_request(host: Host):
    """-s upwards, -S downwards."""
    up = host.out("svcs", "-H", "-s", "fmri", "-o", "fmri").split()
    assert sorted(up) == up
    assert up[::-1] == host.out("svcs", "-H", "-S", "fmri", "-o", "fmri").split()


def test_why_a_service_does_not_run(host: Host):
    """-x tells about ill services only, and about those it is asked for."""
    host.create()
    assert "" == host.out("svcs", "-x")
    lay(host, WEB, "cron", "maintenance")
    text = host.out("svcs", "-xZ")
    assert text.startswith(f"svc:/system/cron:default (clock daemon (cron))\n  Zone: {WEB}\n State: maintenance since ")
    assert f"   See: /zones/{WEB}/root/var/svc/log/system-cron:default.log\n" in text
    assert " State: disabled since " in host.out("svcs", "-x", "rpc/bind")
    assert "enabled      true\nstate        maintenance\n" in host.out("svcs", "-l", "-z", WEB, "cron")


def test_what_is_refused(host: Host):
    """Unknown zones, zones without services, patterns without a match, unknown columns and options."""
    host.create(brand="lx", kernel_version="4.3.0", image_uuid="63d6e664-3f1f-11e8-aef6-a3120cf8dd9d")
    lost = f"svcs: Could not bind to repository server for zone {WEB}: repository server unavailable\n"
    for words, status, text in (
        (("moon",), 1, "svcs: Pattern 'moon' doesn't match any instances\n"),
        (("-z", "moon"), 1, "svcs: invalid zone 'moon'\n"),
        (("-z", WEB), 1, lost),
        (("-o", "moon"), 1, 'svcs: Unknown column "moon".\n'),
    ):
        done = host.run("svcs", *words)
        assert (status, text) == (done.returncode, done.stderr)
    assert 2 == host.run("svcs", "-y").returncode
    assert (1, "") == (host.run("svcs", "-Z", "moon").returncode, host.run("svcs", "-Z", "moon").stderr)


def test_a_hand_from_outside(host: Host):
    """It puts services into states, adds some, and takes back what was done."""
    assert "svc:/network/ssh:default is maintenance\n" == lay(host, "global", "ssh", "maintenance")
    assert "maintenance" == host.out("svcs", "-H", "-o", "state", "ssh").strip()
    lay(host, "global", "ssh", "fresh")
    assert "online" == host.out("svcs", "-H", "-o", "state", "ssh").strip()
    lay(host, "global", "svc:/application/shop:default", "degraded")
    assert "degraded" == host.out("svcs", "-H", "-o", "state", "shop").strip()
    for words in (("global", "moon", "online"), ("moon", "ssh", "online"), ("global", "nfs*", "online")):
        assert 1 == CliRunner().invoke(simulator, ["service", str(host.root), *words]).exit_code


def test_a_service_that_fails_ends_in_maintenance_at_boot(host: Host):
    """In every boot from now on, whether it was running when it was told to fail or not."""
    host.create()
    host.run("vmadm", "stop", WEB)
    lay(host, WEB, "cron", "failing")
    host.run("vmadm", "start", WEB)
    assert "maintenance" == host.out("svcs", "-H", "-o", "state", "-z", WEB, "cron").strip()


def test_a_zone_that_is_made_again_is_fresh(host: Host):
    """What was done to its services goes with the zone."""
    host.create()
    lay(host, WEB, "cron", "failing")
    assert 0 == host.run("vmadm", "delete", WEB).returncode
    host.create()
    assert "online" == host.out("svcs", "-H", "-o", "state", "-z", WEB, "cron").strip()


@pytest.mark.alone
def test_a_thousand_zones_are_listed_at_once(tmp_path: Path):
    """The listing of sixty thousand services costs a fraction of a second."""
    host = Host(create(tmp_path / "host", zones=1000, services=60))
    assert 60000 == sum(row[0] != "global" for row in rows(host))
    for _ in range(3):
        host.out(*LIST)
    lines = (host.root / "invocations.jsonl").read_text().splitlines()
    assert min(json.loads(line)["seconds"] for line in lines) < 0.4


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, "12:00:00"), (4 * 3600, " 8:00:00"), (86399, "12:00:01"), (86400, "Apr_02"), (300 * 86400, "Jun_08"),
        (360 * 86400, "2023"),
    ],
)  # fmt: skip
def test_times_grow_coarser_with_age(age: int, expected: str):
    """The clock of the last 24 hours, the day of the last 360, the year."""
    assert expected == Clock(NOON).text(NOON - age)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("svc:/network/ssh:default", True), ("svc:/network/ssh", True), ("network/ssh", True), ("ssh:default", True),
        ("ssh", True), ("default", True), ("*ssh*", True), ("network/*", True), ("sh", False), ("svc:/ssh", False),
        ("network", False), ("lrc:/network/ssh", False),
    ],
)  # fmt: skip
def test_names_of_a_service(pattern: str, expected: bool):  # noqa: FBT001 - what is expected
    """Whole parts from the end, or a pattern."""
    assert expected is matches(pattern, "svc:/network/ssh:default")


def test_phases_survive_the_file():
    """What is written is read back."""
    phases = timeline.booting(1, 4, NOON, 8.0, enabled=True, failing=False)
    assert [str(one) for one in phases] == [str(one) for one in timeline.parse(timeline.render(phases))]
    assert [("offline", "-"), ("offline", "online"), ("online", "-")] == [
        (one.state, one.next_state) for one in (timeline.current(phases, NOON + after) for after in (1, 3, 5))
    ]
