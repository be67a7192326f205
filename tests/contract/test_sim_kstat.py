"""kstat, and a pool that falls ill, against a simulated host."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from simhost import BASE, DEBIAN, NOBODY, WEB, Host

from chunter_nsq.cli.simulator import simulator
from chunter_nsq.smartos.kstat import parse_table
from chunter_nsq.smartos.simulator import create
from chunter_nsq.smartos.simulator.kstats.specs import Malformed, parse, passes
from chunter_nsq.smartos.simulator.kstats.waves import Wave
from publishers.meters import specs

UNLIMITED = "18446744073709551615"


def values(host: Host, *words: str) -> dict[str, str]:
    """Statistics by their full names."""
    return dict(line.split("\t") for line in host.out("kstat", "-p", *words).splitlines())


def make_ill(host: Host, *words: str) -> str:
    """What ``chunter simulator pool`` says that must succeed."""
    done = CliRunner().invoke(simulator, ["pool", str(host.root), *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_what_the_agent_reads(busy: Host):
    """All of its specifications at once: zones, links, memory, files, processors."""
    table = parse_table(busy.out("kstat", "-p", *specs(())).encode())
    modules = [kstat.head.module for kstat in table.kstats()]
    assert {b"cpu": 32, b"link": 3, b"memory_cap": 4, b"zone_vfs": 4, b"zones": 4} == {
        module: modules.count(module) for module in modules
    }
    assert {0, 1, 2, 3} == set(table.zones())


def test_a_zone_is_told_by_its_id(host: Host):
    """The id is the instance, names are cut at 30 characters, the whole name is a statistic; none when it is down."""
    host.create(nics=[{"nic_tag": "admin", "ip": "dhcp"}, {"nic_tag": "external", "ip": "dhcp"}])
    zoneid = host.get()["zoneid"]
    assert {f"zones:{zoneid}:{WEB[:30]}:zonename": WEB} == values(host, f"zones:{zoneid}::zonename")
    links = values(host, "link::z*:zonename")
    assert {f"link:0:z{zoneid}_net{nic}:zonename": WEB for nic in (0, 1)} == links
    host.run("vmadm", "stop", WEB)
    assert 1 == host.run("kstat", "-p", f"zones:{zoneid}", "link::z*").returncode


def test_hardware_vms_have_zone_statistics_too(host: Host):
    """They are zones all the same."""
    host.create(brand="bhyve", ram=512, disks=[{"image_uuid": DEBIAN, "boot": True, "model": "virtio"}])
    assert [WEB, "global"] == sorted(values(host, "zones:::zonename").values())


def test_limits(host: Host):
    """A cap on processors is only there when there is one; no limit on memory is the largest number."""
    host.create(max_physical_memory=512, cpu_cap=150)
    zoneid = host.get()["zoneid"]
    caps = values(host, "caps::cpucaps_zone_*:/^(usage|value)$/")
    assert "150" == caps[f"caps:{zoneid}:cpucaps_zone_{zoneid}:value"]
    assert 0 <= int(caps[f"caps:{zoneid}:cpucaps_zone_{zoneid}:usage"]) <= 150
    memory = values(host, "memory_cap:::/^(rss|physcap)$/")
    assert str(512 * 2**20) == memory[f"memory_cap:{zoneid}:{WEB[:30]}:physcap"]
    assert int(memory[f"memory_cap:{zoneid}:{WEB[:30]}:rss"]) < 512 * 2**20
    assert UNLIMITED == memory["memory_cap:0:global:physcap"]


def test_a_zone_without_a_cap_has_no_such_statistic(host: Host):
    """It is missing rather than unlimited."""
    host.create()
    assert 1 == host.run("kstat", "-p", "caps::cpucaps_zone_*").returncode
    assert 0 == host.run("kstat", "-p", "caps::nprocs_zone_*").returncode


def test_counters_grow_and_start_anew_at_boot(host: Host):
    """With the time that passes, under a new id after a boot; nothing is stored for it."""
    host.create(image_uuid=BASE)
    words = ("zones:/[1-9]/::/nsec_user|nsec_sys/", "cpu::sys:cpu_nsec_*", "zfs:0:arcstats:hits")
    before = values(host, *words)
    time.sleep(0.3)
    after = values(host, *words)
    assert before.keys() == after.keys()
    assert all(int(before[name]) <= int(after[name]) for name in before)
    assert int(before["zfs:0:arcstats:hits"]) < int(after["zfs:0:arcstats:hits"])
    host.run("vmadm", "reboot", WEB)
    assert not {name for name in before if name.startswith("zones:")} & values(host, *words).keys()


def test_lines_are_sorted_without_regard_to_case(host: Host):
    """By module, instance, name and statistic."""
    lines = [
        line.partition("\t")[0].split(":") for line in host.out("kstat", "-p", "cpu_info", "unix", "cpu").splitlines()
    ]
    keys = [(module, int(instance), name.lower(), statistic.lower()) for module, instance, name, statistic in lines]
    assert sorted(keys) == keys
    assert "clock_MHz" in {line[3] for line in lines}


def test_every_kstat_has_a_class_and_times(host: Host):
    """Class, creation and snapshot time come with it."""
    found = values(host, "unix:0:system_pages")
    assert "pages" == found["unix:0:system_pages:class"]
    assert 9 == len(found["unix:0:system_pages:snaptime"].partition(".")[2])
    assert {"unix:0:system_pages:crtime"} < found.keys()


def test_other_forms(host: Host):
    """-C has colons all through, -l no values, -j is JSON, without any it is a paragraph; -q is silent."""
    assert "cpu_info:0:cpu_info0:state:on-line\n" == host.out("kstat", "-C", "cpu_info:0::state")
    assert "cpu_info:0:cpu_info0:state\n" == host.out("kstat", "-l", "cpu_info:0::state")
    (one,) = json.loads(host.out("kstat", "-j", "-m", "unix", "-n", "system_misc"))
    assert ["unix", 0, "system_misc", "misc"] == [one[key] for key in ("module", "instance", "name", "class")]
    assert 32 == one["data"]["ncpus"]
    head, name, *_ = host.out("kstat", "cpu_info:0").splitlines()
    assert "module: cpu_info                        instance: 0     " == head
    assert "name:   cpu_info0                       class:    misc" == name
    assert "" == host.out("kstat", "-q", "cpu_info:0")


def test_reading_again_and_again(host: Host):
    """Every interval, so often, with an empty line between."""
    assert 3 == len(host.out("kstat", "-p", "zfs:0:arcstats:hits", "1", "2").splitlines())


def test_by_class(host: Host):
    """-c chooses kstats by their class."""
    assert {"memory_cap"} == {name.split(":")[0] for name in values(host, "-c", "zone_memory_cap")}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("-p", "moon"), 1), (("-p", "a:b:c:d:e"), 2), (("-p", "zones:::/(/"), 2), (("-y",), 2), (("-qp", "unix"), 2),
        (("-p", "-m", "unix", "unix"), 2), (("-p", "unix", "0"), 2),
    ],
)  # fmt: skip
def test_how_it_ends(host: Host, words: tuple[str, ...], status: int):
    """1 when nothing matches, 2 for what makes no sense."""
    assert status == host.run("kstat", *words).returncode


@pytest.mark.alone
def test_a_thousand_zones_are_read_at_once(tmp_path: Path):
    """What the agent asks for, in a fraction of a second."""
    host = Host(create(tmp_path / "host", zones=1000))
    for _ in range(3):
        assert 32000 < host.out("kstat", "-p", *specs(())).count("\n")
    lines = (host.root / "invocations.jsonl").read_text().splitlines()
    assert min(json.loads(line)["seconds"] for line in lines) < 0.3


@pytest.mark.parametrize(
    ("spec", "name", "expected"),
    [
        ("zones", "x", True), ("::x", "x", True), ("::x*", "xyz", True), ("::[xy]", "y", True),
        ("::/^a|b$/", "ab", True), ("::/^a|b$/", "ba", False), ("::x", "xx", False),
    ],
)  # fmt: skip
def test_parts_of_a_specification(spec: str, name: str, expected: bool):  # noqa: FBT001 - what is expected
    """Plain, a shell's pattern, or a regular expression; empty for anything."""
    assert expected is passes(parse(spec).name, name)


def test_a_specification_has_four_parts_at_most():
    """More is a mistake."""
    with pytest.raises(Malformed):
        parse("a:b:c:d:e")


def test_work_never_goes_back():
    """However busy somebody is at the moment."""
    done = [Wave(17, seconds / 10).done for seconds in range(8000)]
    assert sorted(done) == done
    assert 0.9 < done[-1] / 800 < 1.1


def test_an_ill_pool(host: Host):
    """Devices, error counters and the platform's own words; ONLINE heals it."""
    assert "zones is DEGRADED\n" == make_ill(host, "--health", "DEGRADED", "--device", "c1t1d0=FAULTED:3:41:2000")
    text = host.out("zpool", "status")
    assert "\t    c1t1d0  FAULTED     3    41 2.00K  too many errors\n" in text
    assert "   see: http://illumos.org/msg/ZFS-8000-K4\n" in text
    make_ill(host, "--health", "ONLINE")
    assert "all pools are healthy\n" == host.out("zpool", "status", "-x")
    make_ill(host, "--errors", "2")
    assert "        /zones/archive/0001.log\n" in host.out("zpool", "status", "-v")
    make_ill(host, "--health", "UNAVAIL", "--errors", "0")
    assert "zones\t-\t-\t-\t-\t-\tUNAVAIL\n" == host.out(
        "zpool", "list", "-Hp", "-o", "name,size,alloc,free,cap,dedup,health"
    )


def test_a_full_pool(host: Host):
    """As full as asked for, as long as nothing else holds more."""
    assert "zones is ONLINE and 91% full\n" == make_ill(host, "--used", "91")
    assert "91\n" == host.out("zpool", "list", "-Hp", "-o", "cap")
    make_ill(host, "--used", "40")
    assert "40%\n" == host.out("zpool", "list", "-H", "-o", "cap")
    done = CliRunner().invoke(simulator, ["pool", str(host.root), "--used", "0"])
    assert (1, "zones/archive" in done.output) == (done.exit_code, True)


@pytest.mark.parametrize("device", ["c1t1d0", "c9=FAULTED", "c1t1d0=ILL", "c1t1d0=FAULTED:1", "c1t1d0=FAULTED:1:2:x"])
def test_a_device_is_told_in_full(host: Host, device: str):
    """Name, state, and three counters or none."""
    assert 1 == CliRunner().invoke(simulator, ["pool", str(host.root), "--device", device]).exit_code


def test_nothing_more_goes_into_a_full_pool(host: Host):
    """Snapshots, datasets, machines and images are refused while it is full, and taken again afterwards."""
    host.create()
    make_ill(host, "--used", "100")
    snapshot = ("zfs", "snapshot", f"zones/{WEB}@a")
    for words, refused in (
        (snapshot, f"cannot create snapshot 'zones/{WEB}@a': out of space"),
        (("zfs", "create", "zones/a"), "cannot create 'zones/a': out of space"),
        (
            ("vmadm", "create-snapshot", WEB, "s"),
            f"Command failed: cannot create snapshot 'zones/{WEB}@vmsnap-s': out of space",
        ),
    ):
        done = host.run(*words)
        assert (1, f"{refused}\n") == (done.returncode, done.stderr)
    done = host.run("vmadm", "create", stdin={"uuid": NOBODY, "brand": "joyent", "image_uuid": BASE})
    assert (1, f"Command failed: cannot create 'zones/{NOBODY}': out of space\n") == (done.returncode, done.stderr)
    make_ill(host, "--used", "50")
    host.out(*snapshot)
