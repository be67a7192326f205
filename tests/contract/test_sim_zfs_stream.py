"""zfs send and receive against a simulated host."""

from __future__ import annotations

import struct
import subprocess

from simhost import Host

from chunter_nsq.smartos.simulator.stream import compose, fletcher4


def stream(host: Host, *words: str) -> bytes:
    """What zfs send says."""
    return subprocess.run([host.tool("zfs"), "send", *words], capture_output=True, check=True).stdout


def receive(host: Host, content: bytes, *words: str) -> tuple[int, str]:
    """Status and stderr of zfs receive."""
    done = subprocess.run([host.tool("zfs"), "receive", *words], input=content, capture_output=True, check=False)
    return done.returncode, done.stderr.decode()


def guid(host: Host, name: str) -> str:
    """A dataset's or snapshot's guid."""
    return host.out("zfs", "get", "-Hp", "-o", "value", "guid", name).strip()


def test_a_stream_is_whole_by_its_own_sum(host: Host):
    """It begins with the magic number and ends with the Fletcher sum of all before."""
    host.run("zfs", "snapshot", "zones/opt@a")
    content = stream(host, "zones/opt@a")
    assert 0x2F5BACBAC == struct.unpack_from("<Q", content, 8)[0]
    body, end = content[:-312], content[-312:]
    assert fletcher4(body) == struct.unpack_from("<QQQQ", end, 8)


def test_sums_compose():
    """The sum of two pieces follows from the sums of each."""
    left, right = bytes(range(256)) * 3, bytes(range(255, -1, -1)) * 5
    assert fletcher4(left + right) == compose(fletcher4(left), fletcher4(right), len(right) // 4)


def test_full_and_increment_carry_guids(host: Host):
    """What arrives has the guids of what was sent."""
    host.run("zfs", "snapshot", "zones/opt@a")
    host.run("zfs", "snapshot", "zones/opt@b")
    assert (0, "") == receive(host, stream(host, "zones/opt@a"), "zones/copy@a")
    assert (0, "") == receive(host, stream(host, "-i", "@a", "zones/opt@b"), "zones/copy@b")
    for name in ("a", "b"):
        assert guid(host, f"zones/opt@{name}") == guid(host, f"zones/copy@{name}")


def test_volumes_keep_their_size(host: Host):
    """A volume arrives as a volume."""
    host.run("zfs", "create", "-V", "1G", "zones/v")
    host.run("zfs", "snapshot", "zones/v@a")
    assert (0, "") == receive(host, stream(host, "zones/v@a"), "zones/w@a")
    assert "1073741824" == host.out("zfs", "get", "-Hp", "-o", "value", "volsize", "zones/w").strip()


def test_refusals(host: Host):
    """Existing target, wrong base, missing base, broken and foreign streams are told apart."""
    for name in ("a", "b", "c"):
        host.run("zfs", "snapshot", f"zones/opt@{name}")
    full, increment = stream(host, "zones/opt@a"), stream(host, "-i", "@b", "zones/opt@c")
    exists = "cannot receive new filesystem stream: destination 'zones/var' exists\nmust specify -F to overwrite it\n"
    assert (1, exists) == receive(host, full, "zones/var@a")
    receive(host, full, "zones/copy@a")
    wrong = "cannot receive incremental stream: most recent snapshot of zones/copy does not\nmatch incremental source\n"
    assert (1, wrong) == receive(host, increment, "zones/copy@c")
    broken = "cannot receive new filesystem stream: invalid backup stream\n"
    assert (1, broken) == receive(host, full[:-1000], "zones/other@a")
    assert 1 == host.run("zfs", "list", "zones/other").returncode
    foreign = "cannot receive: invalid stream (bad magic number)\n"
    assert (1, foreign) == receive(host, b"x" * 1000, "zones/other@a")
    text = "warning: cannot send 'zones/opt@c': incremental source (zones/opt@z) does not exist\n"
    done = host.run("zfs", "send", "-i", "@z", "zones/opt@c")
    assert (1, text) == (done.returncode, done.stderr)


def test_an_estimate_is_exact(host: Host):
    """-nP tells the length that comes."""
    host.run("zfs", "snapshot", "zones/opt@a")
    lines = host.out("zfs", "send", "-nP", "zones/opt@a").splitlines()
    size = str(len(stream(host, "zones/opt@a")))
    assert [f"full\tzones/opt@a\t{size}", f"size\t{size}"] == lines
