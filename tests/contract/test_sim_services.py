"""svcs and kstat against a simulated host."""

from __future__ import annotations

from simhost import DEBIAN, WEB, Host

LIST = ("svcs", "-aHZ", "-o", "zone,state,nstate,stime,fmri")


def zones_of(host: Host) -> set[str]:
    """The zones that have services."""
    return {line.split()[0] for line in host.out(*LIST).splitlines()}


def test_one_call_lists_every_running_zone(host: Host):
    """Zone, state, next state, time and name, by columns; hardware VMs and stopped zones are missing silently."""
    host.create()
    host.create(
        uuid="a1c9ce34-6b70-4b14-9f3f-7e2e0b6f5f02",
        brand="bhyve",
        disks=[{"image_uuid": DEBIAN, "boot": True, "model": "virtio"}],
    )
    assert {WEB, "global"} == zones_of(host)
    columns = next(
        line for line in host.out(*LIST).splitlines() if "network/ssh" in line and line.startswith(WEB)
    ).split()
    assert [WEB, "online", "-", "svc:/network/ssh:default"] == [*columns[:3], columns[4]]
    host.run("vmadm", "stop", WEB)
    assert {"global"} == zones_of(host)


def test_counters_of_a_running_zone(host: Host):
    """They carry the zone id, a name cut to 30 characters and the whole name as a statistic."""
    host.create(cpu_cap=200)
    zoneid = host.get()["zoneid"]
    lines = dict(line.split("\t") for line in host.out("kstat", "-p", "zones", f"caps:{zoneid}::usage").splitlines())
    assert WEB == lines[f"zones:{zoneid}:{WEB[:30]}:zonename"]
    assert f"caps:{zoneid}:cpucaps_zone_{zoneid}:usage" in lines
    host.run("vmadm", "stop", WEB)
    assert 1 == host.run("kstat", "-p", f"zones:{zoneid}").returncode


def test_counters_by_pattern(host: Host):
    """Parts may be empty, globs, or regular expressions; class selects as well."""
    assert host.out("kstat", "-p", "unix:0:system_pages:freemem").startswith("unix:0:system_pages:freemem\t")
    names = [
        line.split(":")[3].split("\t")[0]
        for line in host.out("kstat", "-p", "zfs:0:arcstats:/^(hits|misses)$/").splitlines()
    ]
    assert ["hits", "misses"] == names
    assert {"zone_vfs"} == {line.split(":")[0] for line in host.out("kstat", "-p", "-c", "zone_vfs").splitlines()}
    assert 1 == host.run("kstat", "-p", "moon").returncode
