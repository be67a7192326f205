"""What of an update had no effect."""

from __future__ import annotations

from typing import Any

import pytest

from chunter_nsq.smartos.ignored import ignored

NIC = {"mac": "90:b8:d0:00:00:01", "nic_tag": "admin"}
DISK = {"path": "/dev/zvol/rdsk/zones/x-disk1", "size": 100}


@pytest.mark.parametrize(
    ("payload", "before", "after", "found"),
    [
        ({"alias": "new"}, {"alias": "old"}, {"alias": "new"}, []),
        ({"package_name": "p"}, {}, {}, ["package_name"]),
        ({"brand": "lx", "uuid": "1"}, {"brand": "joyent"}, {"brand": "joyent"}, ["brand"]),
        ({"max_swap": 100}, {"max_swap": 512}, {"max_swap": 256}, []),
        ({"cpu_cap": 0, "tmpfs": None, "vga": "", "docker": False}, {}, {}, []),
        ({"quota": "10", "autoboot": "true"}, {"quota": 10, "autoboot": True}, {"quota": 10, "autoboot": True}, []),
        ({"fs_allowed": ["ufs", "nfs"]}, {"fs_allowed": "ufs,nfs"}, {"fs_allowed": "ufs,nfs"}, []),
        ({"restart_init": True}, {}, {}, []),
        ({"restart_init": False}, {}, {}, ["restart_init"]),
        ({"set_tags": {"a": "1", "b": "2"}}, {"tags": {}}, {"tags": {"a": "1"}}, ["set_tags.b"]),
        ({"remove_tags": ["a", "b"]}, {"tags": {"a": "1"}}, {"tags": {"a": "1"}}, ["remove_tags.a"]),
        ({"update_nics": [{**NIC, "x": 1}]}, {"nics": [NIC]}, {"nics": [NIC]}, ["update_nics[0].x"]),
        ({"remove_nics": [NIC["mac"]]}, {"nics": [NIC]}, {"nics": [NIC]}, ["remove_nics[0]"]),
        ({"remove_nics": [NIC["mac"]]}, {"nics": [NIC]}, {"nics": []}, []),
        ({"add_nics": [{"nic_tag": "admin", "x": 1}]}, {}, {"nics": [NIC]}, []),
        ({"add_filesystems": [{"target": "/mnt"}]}, {}, {}, ["add_filesystems[0].target"]),
        ({"update_disks": [{**DISK, "size": 200}]}, {"disks": [DISK]}, {"disks": [DISK]}, ["update_disks[0].size"]),
        ({"update_disks": [{**DISK, "dangerous_allow_shrink": True}]}, {"disks": [DISK]}, {"disks": [DISK]}, []),
        ({"update_nics": 1, "set_tags": 1, "remove_tags": 1}, {}, {}, []),
    ],
)  # fmt: skip
def test_what_had_no_effect(payload: Any, before: Any, after: Any, found: list[str]) -> None:
    """It is named when it is neither so nor has become anything else."""
    assert found == ignored(payload, before, after)
