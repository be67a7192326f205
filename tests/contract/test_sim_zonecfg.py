"""zonecfg on a simulated host."""

from __future__ import annotations

import os

import pytest
from simhost import NOBODY, WEB, Host

TOOLS = {
    "usr/sbin": (
        "zoneadm", "zonecfg", "vmadm", "imgadm", "fwadm", "zfs", "zpool", "dladm", "ipadm", "prtconf", "zlogin",
        "nictagadm", "svcadm", "svccfg",
    ),
    "usr/bin": ("svcs", "kstat", "sysinfo", "uname"),
}  # fmt: skip
BY_HAND = """\
create -b
# a zone that vmadm did not make
set zonepath=/zones/hand
set brand=joyent; set ip-type=exclusive
add net; set physical=net0; set mac-addr=2:8:20:a:b:c; set global-nic=admin
add property (name=ip,value="10.0.0.2")
end
add rctl; set name=zone.cpu-cap; add value (priv=privileged,limit=100,action=deny); end
add capped-memory; set physical=256m; set swap=1g; end
add fs; set dir=/data; set special=/opt; set type=lofs; add options [ro,nodevices]; end
add attr; set name="hostname"; set type=string; set value="a;b c"; end
"""


def refused(host: Host, *words: str) -> tuple[int, str]:
    """How a command ends that must not succeed, and what it says."""
    done = host.run("zonecfg", *words)
    assert "" == done.stdout
    return done.returncode, done.stderr.rstrip("\n")


def test_every_tool_that_the_agent_may_touch_is_there(host: Host):
    """Each tool stands where SmartOS has it, and can be started."""
    for folder, names in TOOLS.items():
        assert [] == [name for name in names if not os.access(host.root / folder / name, os.X_OK)]


def test_a_zone_made_by_hand(host: Host):
    """A script on stdin configures a zone, which the other tools then know."""
    assert "" == host.out("zonecfg", "-z", "hand", stdin=BY_HAND)
    assert host.out("zoneadm", "-z", "hand", "list", "-p").startswith("-:hand:configured:/zones/hand::joyent:excl:")
    told = host.out("zonecfg", "-z", "hand", "info")
    assert 'property: (name=ip,value="10.0.0.2")' in told
    assert "options: [ro,nodevices]" in told
    assert "value: a;b c\n" in told
    assert "limit=268435456" in told


def test_an_export_makes_the_same_zone(host: Host):
    """What is exported can be given to another zone."""
    host.out("zonecfg", "-z", "hand", stdin=BY_HAND)
    script = host.out("zonecfg", "-z", "hand", "export")
    host.out("zonecfg", "-z", "other", stdin=script)
    assert script == host.out("zonecfg", "-z", "other", "export")


def test_vmadm_sees_what_was_changed(host: Host):
    """A nic is found by its address with or without zeros; limits and properties change at once."""
    host.create(nics=[{"nic_tag": "admin", "ip": "dhcp", "mac": "02:08:20:0a:0b:0c"}])
    change = 'set max-lwps=300; select net mac-addr=2:8:20:a:b:c; add property (name=mtu,value="9000"); end'
    assert "" == host.out("zonecfg", "-u", WEB, f"{change}; set autoboot=false; remove -F attr name=alias")
    vm = host.get()
    assert (300, 9000, False, None) == (vm["max_lwps"], vm["nics"][0]["mtu"], vm["autoboot"], vm.get("alias"))


def test_nothing_is_kept_of_a_script_that_fails(host: Host):
    """A statement that cannot be followed leaves the zone as it was."""
    host.create()
    before = (host.root / f"etc/zones/{WEB}.xml").read_bytes()
    assert (1, "syntax error at 'colour'") == refused(host, "-z", WEB, "set max-lwps=300; set colour=blue")
    assert before == (host.root / f"etc/zones/{WEB}.xml").read_bytes()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "usage:\tzonecfg help"),
        (("-z", "nope", "info"), 1, "nope: No such zone configured"),
        (("-u", NOBODY, "create"), 1, f"{NOBODY}: No such zone configured"),
        (("-z", WEB, "create"), 1, f"Zone {WEB} already exists; create not allowed."),
        (("-z", WEB, "delete", "-F"), 1, f"Zone {WEB} already installed; delete not allowed."),
        (("-z", WEB, "select net physical=net9"), 1, "No such net resource."),
        (("-z", WEB, "end"), 1, "syntax error at 'end'"),
        (("-z", "new", "create -b; set brand=lx"), 1, "zonepath cannot be empty."),
    ],
)
def test_refusals(host: Host, words: tuple[str, ...], status: int, said: str):
    """Each refusal has its words and its status."""
    host.create()
    ended, told = refused(host, *words)
    assert (status, said) == (ended, told.splitlines()[0])


def test_only_what_is_not_installed_is_deleted(host: Host):
    """Without -F nothing is deleted; afterwards nobody knows the zone."""
    host.out("zonecfg", "-z", "hand", stdin=BY_HAND)
    assert (1, "Input not from terminal and -F not specified:") == (
        (found := refused(host, "-z", "hand", "delete"))[0],
        found[1].splitlines()[0],
    )
    host.out("zonecfg", "-z", "hand", "delete", "-F")
    assert 1 == host.run("zoneadm", "-z", "hand", "list", "-p").returncode
