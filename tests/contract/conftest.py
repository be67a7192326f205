"""A simulated host for each test, driven through its real executables."""

from __future__ import annotations

from pathlib import Path

import pytest
from simhost import Host

from chunter_nsq.smartos.simulator import create


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without VMs."""
    return Host(create(tmp_path / "host"))


@pytest.fixture
def busy(tmp_path: Path) -> Host:
    """A host with three running VMs, two snapshots each."""
    return Host(create(tmp_path / "host", zones=3, snapshots=2))
