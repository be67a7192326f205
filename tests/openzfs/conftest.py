"""Tests that need a kernel's OpenZFS; `make test-openzfs` runs them where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from volumes import Volumes
from worlds import Host

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")
MODULE = Path("/sys/module/zfs/version")


@pytest.fixture(scope="session", autouse=True)
def _openzfs() -> None:
    """Nothing here says anything on another ZFS."""
    if not MODULE.exists():
        pytest.fail("this kernel has no OpenZFS; make test-openzfs boots one that has")


@pytest.fixture
def volumes(backed: Host) -> Volumes:
    """The block devices of the host's machines."""
    return Volumes(backed.base)
