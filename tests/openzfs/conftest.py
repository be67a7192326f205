"""Tests that need a kernel's OpenZFS; `make test-openzfs` runs them where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

MODULE = Path("/sys/module/zfs/version")


@pytest.fixture(scope="session", autouse=True)
def _openzfs() -> None:
    """Nothing here says anything on another ZFS."""
    if not MODULE.exists():
        pytest.fail("this kernel has no OpenZFS; make test-openzfs boots one that has")
