"""svcs, svcadm and kstat against a simulated host."""

from __future__ import annotations

from simhost import DEBIAN, WEB, Host, wait_for

LIST = ("svcs", "-aHZ", "-o", "zone,state,nstate,stime,fmri")


def zones_of(host: Host) -> set[str]:
    """The zones that have services."""
    return {line.split()[0] for line in host.out(*LIST).splitlines()}


def state(host: Host, fmri: str, *words: str) -> list[str]:
    """State and next state of a service."""
    return host.out("svcs", "-H", "-o", "state,nstate", *words, fmri).split()


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


def test_a_change_comes_after_the_command(host: Host):
    """The next state is there at once, the state itself a while later."""
    host.latency(svcadm_settle=0.5)
    assert "" == host.out("svcadm", "disable", "network/ssh")
    assert ["online", "disabled"] == state(host, "svc:/network/ssh:default")
    assert "online*" == host.out("svcs", "-H", "-o", "state", "network/ssh").strip()
    wait_for(lambda: state(host, "svc:/network/ssh:default") == ["disabled", "-"], 5)


def test_services_of_a_zone(host: Host):
    """Svcadm -z changes one zone's service; clear needs one that is in maintenance."""
    host.create()
    text = 'svcadm: Instance "svc:/network/ssh:default" is not in a maintenance or degraded state.\n'
    done = host.run("svcadm", "-z", WEB, "clear", "ssh")
    assert (1, text) == (done.returncode, done.stderr)
    host.out("svcadm", "-z", WEB, "mark", "maintenance", "ssh")
    assert ["maintenance", "-"] == state(host, "ssh", "-z", WEB)
    assert ["online", "-"] == state(host, "ssh")
    host.out("svcadm", "-z", WEB, "clear", "ssh")
    assert ["online", "-"] == state(host, "ssh", "-z", WEB)


def test_refusals(host: Host):
    """Patterns and zones that are none."""
    done = host.run("svcadm", "enable", "moon")
    assert (1, "svcadm: Pattern 'moon' doesn't match any instances\n") == (done.returncode, done.stderr)
    done = host.run("svcs", "moon")
    assert (1, "svcs: Pattern 'moon' doesn't match any instances\n") == (done.returncode, done.stderr)
    done = host.run("svcs", "-z", "moon")
    assert (1, "svcs: invalid zone 'moon'\n") == (done.returncode, done.stderr)
    assert 2 == host.run("svcadm", "dance").returncode


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
