from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from chunter_nsq.config import Paths
from chunter_nsq.identity import (
    AlreadyRunning,
    IdentityUnusable,
    alias,
    guess_ip,
    host_id,
    instance_lock,
    new_id,
)

ADDRESSES = {
    "lo0/v4": "127.0.0.1/8",
    "igb0/_a": "10.0.0.11/24",
    "igb10/_a": "10.9.9.9/24",
    "external0/v4": "192.168.1.4/24",
    "lo0/v6": "::1/128",
}
MACS = {"igb10": "0:25:90:c0:d:f9", "igb0": "0:25:90:c0:d:f2", "igb1": "0:25:90:c0:d:f3"}
USBKEY = {"admin_nic": "00:25:90:c0:0d:f2", "admin_ip": "10.0.0.11"}

HOLD = """
import sys
from pathlib import Path
from chunter_nsq.config import Paths
from chunter_nsq.identity import instance_lock
with instance_lock(Paths.find(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def paths(tmp_path):
    """A tree of its own, empty."""
    return Paths.find(tmp_path, environment={})


@pytest.fixture
def holder(paths):
    """Another process that holds the lock of the tree."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(paths.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_an_id_is_made_once_and_kept(paths):
    """The second start finds what the first one made."""
    made = host_id(paths)

    assert (made, f"{made}\n") == (host_id(paths), paths.hostid.read_text())


def test_a_new_id_is_a_random_uuid_that_says_hypervisor():
    """Version 4, first byte 06."""
    first, second = uuid.UUID(new_id()), uuid.UUID(new_id())

    assert (True, 4, 6, 6) == (first != second, first.version, first.bytes[0], second.bytes[0])


def test_nothing_but_the_id_is_left_behind(paths):
    """No draft stays in etc."""
    host_id(paths)

    assert [paths.hostid] == list(paths.hostid.parent.iterdir())


def test_starters_of_one_moment_agree(paths):
    """However many begin at once, all get the same id."""
    with ThreadPoolExecutor(16) as starters:
        ids = set(starters.map(lambda _: host_id(paths), range(64)))

    assert 1 == len(ids)


def test_the_old_file_name_is_read(paths):
    """A host that had etc/host_id keeps its id."""
    paths.old_hostid.parent.mkdir()
    paths.old_hostid.write_text("0612ab34-0000-4000-8000-000000000001")

    assert ("0612ab34-0000-4000-8000-000000000001", False) == (host_id(paths), paths.hostid.exists())


def test_the_new_file_name_beats_the_old_one(paths):
    """The etc/hostid of the documentation counts."""
    paths.hostid.parent.mkdir()
    paths.hostid.write_text("new\n")
    paths.old_hostid.write_text("old\n")

    assert "new" == host_id(paths)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"a b\n", "holds 'a b', but an id is one line"),
        (b"one\ntwo\n", "but an id is one line"),
        (b"host#ephemeral\n", "but an id is one line"),
        (b"\xff\xfe\n", "is not text"),
        (b"x" * 49, "NSQ allows 64"),
    ],
)
def test_a_broken_file_is_named_and_never_replaced(paths, content, reason):
    """The text names the file and what to do; the file stays as it was."""
    paths.hostid.parent.mkdir()
    paths.hostid.write_bytes(content)

    with pytest.raises(IdentityUnusable, match=f"^{re.escape(str(paths.hostid))}.*{re.escape(reason)}"):
        host_id(paths)

    assert content == paths.hostid.read_bytes()


def test_the_prefix_counts_for_the_length_of_topics(paths):
    """An id that fits beside chunter may not fit beside a longer prefix."""
    made = host_id(paths)

    with pytest.raises(IdentityUnusable, match="shorten topic_prefix"):
        host_id(paths, topic_prefix="a-prefix-that-is-long")

    assert made == host_id(paths, topic_prefix="exactly-19-letters.")


def test_a_folder_in_the_way_is_told(paths):
    """What cannot be read is no reason for a new id."""
    paths.hostid.mkdir(parents=True)

    with pytest.raises(IdentityUnusable, match="cannot be read"):
        host_id(paths)


def test_a_tree_that_cannot_be_written_is_told(paths):
    """A file in the place of etc is named."""
    paths.hostid.parent.write_text("")

    with pytest.raises(IdentityUnusable, match="etc"):
        host_id(paths)


@pytest.mark.parametrize(
    ("addresses", "usbkey", "expected"),
    [
        (ADDRESSES, USBKEY, "10.0.0.11:4200"),
        ({**ADDRESSES, "fifo0/v4": "172.16.0.5/16"}, USBKEY, "172.16.0.5:4200"),
        ({**ADDRESSES, "fifo0/v4": "?"}, USBKEY, "10.0.0.11:4200"),
        ({"fifo0/v4": "172.16.0.5/16"}, {}, "172.16.0.5:4200"),
        ({"aggr0/_a": "10.0.0.7/24"}, {"admin_nic": "aggr0"}, "10.0.0.7:4200"),
        ({"igb0/_b": "fd00::7/64", "igb0/_a": "10.0.0.7/24"}, USBKEY, "10.0.0.7:4200"),
        ({"igb0/_b": "fe80::7/64", "igb0/_a": "fd00::7/64"}, USBKEY, "[fd00::7]:4200"),
        ({"igb0/_a": "0.0.0.0/8"}, USBKEY, None),
        ({"igb0/_a": ""}, USBKEY, None),
        (ADDRESSES, {"admin_nic": "00:00:00:00:00:01"}, None),
        (ADDRESSES, {}, None),
        ({}, USBKEY, None),
    ],
)
def test_the_address_is_guessed(addresses, usbkey, expected):
    """A fifo0 VNIC first, then the admin NIC or aggregation, IPv4 first; never one that merely begins like it."""
    assert expected == guess_ip(addresses, MACS, usbkey, 4200)


def test_the_configured_address_wins():
    """Nothing is guessed when the operator says it."""
    assert "192.168.1.21:4000" == guess_ip(ADDRESSES, MACS, USBKEY, 4200, "192.168.1.21:4000")


@pytest.mark.parametrize(
    ("sysinfo", "expected"), [({"Hostname": "smartos01"}, "smartos01"), ({}, "node"), ({"Hostname": ""}, "node")]
)
def test_the_alias_is_the_host_name(sysinfo, expected):
    """Sysinfo's, else the node name."""
    assert expected == alias(sysinfo, "node")


def test_the_lock_tells_who_holds_it(paths, holder):
    """A second agent does not start, and names the first."""
    with pytest.raises(AlreadyRunning, match=f"another agent runs on {paths.root}: process {holder.pid} holds"):
        instance_lock(paths)


def test_the_lock_of_a_killed_agent_is_free(paths, holder):
    """The kernel lets go of it; no stale file has to be removed."""
    holder.kill()
    holder.wait()

    with instance_lock(paths):
        assert f"{os.getpid()}\n" == paths.lock.read_text()


def test_a_released_lock_can_be_taken_again(paths):
    """Releasing twice does no harm."""
    lock = instance_lock(paths)
    lock.release()
    lock.release()

    with instance_lock(paths):
        pass


def test_a_tool_does_not_inherit_the_lock(paths):
    """A tool that outlives the agent does not keep the next agent from starting."""
    lock = instance_lock(paths)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as tool:
        lock.release()

        with instance_lock(paths):
            tool.kill()


def test_a_lock_that_cannot_be_made_is_told(paths):
    """A file in the place of var is named."""
    (paths.root / "var").write_text("")

    with pytest.raises(IdentityUnusable, match="lock cannot be made"):
        instance_lock(paths)


def test_trees_have_locks_of_their_own(tmp_path):
    """Many agents run on one machine, each on its tree."""
    with instance_lock(Paths.find(tmp_path / "a")), instance_lock(Paths.find(tmp_path / "b")):
        pass
