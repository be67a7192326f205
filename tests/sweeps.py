"""Sweeps: rules that are tried in many places; ``make test`` tries some of them, ``make test-all`` every one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def swept(cases: Iterable[Any], kept: Collection[Any]) -> list[Any]:
    """Parameters of a test, tuples where it has several; ``make test`` tries those that are ``kept``."""
    cases = list(cases)
    assert all(one in cases for one in kept), kept
    return [case if case in kept else _thorough(case) for case in cases]


def _thorough(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.thorough)
