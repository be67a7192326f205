"""Benchmarks on real parts: ``python -m benchmarks.<name> [--json]``; docs/benchmarks.md says how to read them."""

from __future__ import annotations

import sys
from pathlib import Path

# The servers and simulated hosts are those of the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
