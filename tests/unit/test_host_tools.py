from __future__ import annotations

from pathlib import Path

import pytest
from tool_scripts import shell_tool

from chunter_nsq.smartos import dladm, ipadm, prtconf, sysinfo, usbkey
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import UnreadableOutput
from chunter_nsq.smartos.runner import Runner

CONFIG = r"""# the global zone
admin_nic=0:25:90:c0:d:f2
admin_ip=10.0.0.11
  external_nic=aggr0
etherstub=stub0,stub1
dns_domain="example.org" # quoted
motd='it''s $HOME `id`'
root_shadow='$6$abcdefgh$0123456789'
admin_password=geheim
odd line
export ntp_hosts=a b
empty=
open='quote
admin_ip=10.0.0.12
_nic=x
"""


def test_argument_vectors():
    """What is typed."""
    assert sysinfo.read_argv() == ("usr/bin/sysinfo",)
    assert prtconf.memory_argv() == ("usr/sbin/prtconf", "-m")
    assert prtconf.tree_argv() == ("usr/sbin/prtconf",)
    assert dladm.phys_argv()[1:] == ("show-phys", "-p", "-o", "link,media,state,speed,duplex,device")
    assert dladm.macs_argv()[1:] == ("show-phys", "-m", "-p", "-o", "link,address,inuse")
    assert dladm.etherstubs_argv()[1:] == ("show-etherstub", "-p", "-o", "link")
    assert ipadm.addresses_argv() == ("usr/sbin/ipadm", "show-addr", "-p", "-o", "addrobj,type,state,addr")


def test_sysinfo_without_secrets():
    """What sysinfo says is kept, but for passwords and their hashes."""
    stdout = b'{"MiB of Memory": "130934", "Boot Parameters": {"smartos": "true", "root_shadow": "$6$x$01234567"}}'

    parsed = sysinfo.parse_sysinfo(Completed(sysinfo.read_argv(), 0, stdout, "", 0.0))

    assert {"MiB of Memory": "130934", "Boot Parameters": {"smartos": "true"}} == parsed


async def test_sysinfo(tmp_path: Path):
    """The wrapper reads the document; a broken one is an error of its own."""
    tool = tmp_path / "usr" / "bin" / "sysinfo"
    tool.parent.mkdir(parents=True)
    tool.write_text('#!/bin/sh\necho \'{"Hostname": "a"}\'\n')
    tool.chmod(0o755)

    assert await sysinfo.Sysinfo(Runner(tmp_path)).read() == {"Hostname": "a"}
    tool.write_text("#!/bin/sh\necho '{\"Hostname\": '\n")
    with pytest.raises(UnreadableOutput):
        await sysinfo.Sysinfo(Runner(tmp_path)).read()


@pytest.mark.parametrize(
    ("stdout", "memory_mib"),
    [
        (b"130934\n", 130934),
        (b"System Configuration:  Oracle Corporation  i86pc\nMemory size: 130934 Megabytes\nx\n", 130934),
        (b"", None),
        (b"lots\n", None),
    ],
)
def test_memory(stdout: bytes, memory_mib: int | None):
    """Memory is read from the number alone and from the whole tree."""
    assert memory_mib == prtconf.parse_memory_mib(stdout)


async def test_memory_of_an_old_platform(tmp_path: Path):
    """A platform whose prtconf refuses -m is asked for everything."""
    shell_tool(tmp_path, "prtconf", "[ $# = 0 ] || exit 2; echo 'Memory size: 1024 Megabytes'")

    assert await prtconf.Prtconf(Runner(tmp_path)).memory_mib() == 1024
    shell_tool(tmp_path, "prtconf", "echo none")
    with pytest.raises(UnreadableOutput):
        await prtconf.Prtconf(Runner(tmp_path)).memory_mib()


@pytest.mark.parametrize(
    ("mac", "normal"),
    [
        ("0:25:90:c0:d:f2", "00:25:90:c0:0d:f2"),
        ("92:B8:D0:4E:1A:77", "92:b8:d0:4e:1a:77"),
        ("aggr0", "aggr0"),
        ("", ""),
    ],
)
def test_mac_addresses(mac: str, normal: str):
    """A MAC address has two lower-case digits an octet; what is none stays."""
    assert normal == dladm.normal_mac(mac)


def test_links():
    """Links are read with their escapes; lines of another form are left out."""
    assert (
        dladm.Phys("igb0", "Ethernet", "up", 1000, "full", "igb0"),
        dladm.Phys("igb3", "Ethernet", "unknown", None, "half", "igb3"),
    ) == dladm.parse_phys(b"igb0:Ethernet:up:1000:full:igb0\nodd\nigb3:Ethernet:unknown:?:half:igb3\n")
    assert {"igb0": "00:25:90:c0:0d:f2"} == dladm.parse_macs(
        b"igb0:0\\:25\\:90\\:c0\\:d\\:f2:yes\nigb0:0\\:25\\:90\\:c0\\:d\\:f3:no\nigb1::no\n"
    )
    assert dladm.parse_etherstubs(b"stub0\nstub1\n") == ("stub0", "stub1")


async def test_dladm(tmp_path: Path):
    """The wrapper asks for each kind of link."""
    shell_tool(
        tmp_path,
        "dladm",
        "case $* in 'show-etherstub'*) echo stub0;; 'show-phys -m'*) echo 'igb0:0\\:1\\:2\\:3\\:4\\:5:yes';;"
        " 'show-phys'*) echo igb0:Ethernet:up:1000:full:igb0;; esac",
    )
    tool = dladm.Dladm(Runner(tmp_path))

    assert await tool.etherstubs() == ("stub0",)
    assert await tool.macs() == {"igb0": "00:01:02:03:04:05"}
    assert [link.link for link in await tool.phys()] == ["igb0"]


async def test_addresses(tmp_path: Path):
    """Addresses are read with their escapes; lines of another form are left out."""
    shell_tool(tmp_path, "ipadm", "cat <<'END'\nlo0/v6:static:ok:\\:\\:1/128\nodd\nigb0/_a:dhcp:ok:10.0.0.11/24\nEND")

    loopback, admin = await ipadm.Ipadm(Runner(tmp_path)).addresses()

    assert loopback == ipadm.Address("lo0/v6", "static", "ok", "::1/128")
    assert ("igb0", "10.0.0.11/24") == (admin.interface, admin.addr)


def test_configuration_of_the_host():
    """Assignments are read without being executed, the last one counts, secrets are left out."""
    assert {
        "admin_nic": "0:25:90:c0:d:f2",
        "admin_ip": "10.0.0.12",
        "external_nic": "aggr0",
        "etherstub": "stub0,stub1",
        "dns_domain": "example.org",
        "motd": "its $HOME `id`",
        "ntp_hosts": "a",
        "empty": "",
        "open": "'quote",
        "_nic": "x",
    } == usbkey.parse_usbkey(CONFIG)


def test_nic_tags():
    """NIC tags are the settings that name one, etherstubs a list."""
    settings = usbkey.parse_usbkey(CONFIG)

    assert usbkey.nic_tags(settings) == {"admin": "00:25:90:c0:0d:f2", "external": "aggr0"}
    assert usbkey.etherstubs(settings) == ("stub0", "stub1")
    assert usbkey.etherstubs({}) == ()


async def test_file_of_the_host(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """The file is read below the platform root; without it there are no settings, and the log says so."""
    assert await usbkey.Usbkey(tmp_path).read() == {}
    assert ["usbkey.unreadable"] == [record.message for record in caplog.records]
    (tmp_path / "usbkey").mkdir()
    (tmp_path / "usbkey" / "config").write_text("hostname=a\r\n")
    assert await usbkey.Usbkey(tmp_path).read() == {"hostname": "a"}
