"""sysinfo, prtconf, uname, dladm, ipadm, nictagadm and imgadm against a simulated host."""

from __future__ import annotations

import json

import pytest
from simhost import BASE, WEB, Host


def test_memory_agrees(host: Host):
    """Sysinfo has a text of MiB, prtconf the same number."""
    assert "130934" == json.loads(host.out("sysinfo"))["MiB of Memory"]
    assert "Memory size: 130934 Megabytes\n" in host.out("prtconf")


def test_platform_stamp_agrees(host: Host):
    """sysinfo, uname and VM objects name the same platform and server."""
    info = json.loads(host.out("sysinfo"))
    assert f"joyent_{info['Live Image']}\n" == host.out("uname", "-v")
    host.create()
    assert (info["UUID"], info["Live Image"]) == (host.get()["server_uuid"], host.get()["platform_buildstamp"])


def test_links_are_parsable(host: Host):
    """Colons are escaped when there is more than one field, and not when there is one."""
    text = host.out("dladm", "show-phys", "-m", "-p", "-o", "link,address,inuse")
    assert r"igb0:0\:25\:90\:c0\:d\:f2:yes" == text.splitlines()[0]
    assert "0:25:90:c0:d:f2" == host.out("dladm", "show-phys", "-m", "-p", "-o", "address").splitlines()[0]
    assert "stub0\n" == host.out("dladm", "show-etherstub", "-p", "-o", "link")
    assert "igb0/_a:static:ok:10.0.0.11/24" in host.out("ipadm", "show-addr", "-p", "-o", "addrobj,type,state,addr")


def test_parsable_output_needs_fields(host: Host):
    """The platform refuses -p without -o."""
    done = host.run("dladm", "show-phys", "-p")
    assert (1, "dladm: output fields must be specified in parsable mode\n") == (done.returncode, done.stderr)


def test_a_running_vm_has_its_links(host: Host):
    """A VNIC is there while its zone runs."""
    host.create(nics=[{"nic_tag": "admin", "ip": "dhcp", "vlan_id": 20, "mac": "92:b8:d0:04:1a:07"}])
    wanted = rf"net0:igb0:92\:b8\:d0\:4\:1a\:7:20:{WEB}"
    words = ("dladm", "show-vnic", "-p", "-o", "link,over,macaddress,vid,zone")
    assert wanted in host.out(*words).splitlines()
    host.run("vmadm", "stop", WEB)
    assert wanted not in host.out(*words).splitlines()


def test_nic_tags(host: Host):
    """They come from /usbkey/config and can be added, used and removed."""
    assert "admin:00\\:25\\:90\\:c0\\:0d\\:f2:igb0:normal" in host.out("nictagadm", "list", "-p").splitlines()
    assert "" == host.out("nictagadm", "add", "-l", "stub1")
    assert "stub1:-:-:etherstub" in host.out("nictagadm", "list", "-p").splitlines()
    assert "" == host.out("nictagadm", "exists", "admin", "stub1")
    done = host.run("nictagadm", "exists", "moon")
    assert (1, "invalid tag: moon\n") == (done.returncode, done.stderr)
    host.create(nics=[{"nic_tag": "stub1", "ip": "dhcp"}])
    done = host.run("nictagadm", "delete", "stub1")
    assert (1, "Error: nic tag 'stub1' is in use\n") == (done.returncode, done.stderr)
    assert f"{WEB}\n" == host.out("nictagadm", "vms", "stub1")


def test_images(host: Host):
    """Installed images know their clones; one that is not there exits 3."""
    host.create()
    images = {one["manifest"]["uuid"]: one for one in json.loads(host.out("imgadm", "list", "-j"))}
    assert (4, 1, [f"zones/{WEB}"]) == (len(images), images[BASE]["clones"], images[BASE]["cloneNames"])
    assert "base-64-lts" == json.loads(host.out("imgadm", "get", BASE))["manifest"]["name"]
    done = host.run("imgadm", "get", WEB)
    text = f'imgadm get: error (ImageNotInstalled): image "{WEB}" was not found on zpool "zones"\n'
    assert (3, text) == (done.returncode, done.stderr)
    assert f"Image {BASE} (base-64-lts 22.4.0) is already installed, skipping\n" == host.out("imgadm", "import", BASE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("frob",), "unknown command frob"),
        (("add", "lab", "00:11:22:33:44:55"), "No physical nic found with MAC address '00:11:22:33:44:55'"),
        (("add", "lab", "zz:11"), "MAC address 'zz:11' is invalid"),
        (("add", "lab", "aggr0"), "aggregation 'aggr0' does not exist"),
        (("add", "lab"), "create non-local tag, but no mac address specified"),
        (("add", "-l", "lab"), "nic tag name is invalid"),
        (("list", "-d", ","), "Delimiter option requires parsable option to be set"),
    ],
)
def test_nic_tags_that_cannot_be(host: Host, words: tuple[str, ...], said: str):
    """A tag needs a nic of the host or an aggregation, an etherstub a number at its end."""
    done = host.run("nictagadm", *words)
    assert (1, f"Error: {said}\n") == (done.returncode, done.stderr)
