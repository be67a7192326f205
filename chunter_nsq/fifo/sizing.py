"""The numbers that follow from a package: shares, swap, virtual CPUs, disk sizes; memory in MiB, disks in GiB."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, TypeGuard

MINIMUM_SWAP_MIB = 256
SHARES_OF_A_WHOLE_HOST = 1024
BYTES_PER_MIB = 1024**2
BYTES_PER_GIB = 1024**3
MIB_PER_GIB = 1024

Number = int | float


def is_number(value: Any) -> TypeGuard[Number]:
    """Whether a JSON value is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def half_away(value: Fraction) -> int:
    """The nearest whole number; a half goes away from zero, unlike with Python's round."""
    magnitude = math.floor(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


def quotient(value: Number, unit: Number) -> int:
    """How many units a value holds, to the nearest whole one."""
    return half_away(Fraction(value) / Fraction(unit))


def share_of_host(ram_mib: Number, total_memory_mib: int) -> int:
    """CPU shares in proportion to memory, 1024 for the whole host; 0 where its memory is unknown."""
    if total_memory_mib <= 0:
        return 0
    return half_away(SHARES_OF_A_WHOLE_HOST * Fraction(ram_mib) / total_memory_mib)


def swap_mib(ram_mib: Number, wanted_mib: Number | None) -> Number:
    """Swap as asked for, else twice the memory, but never less than the platform's minimum."""
    return max(MINIMUM_SWAP_MIB, 2 * ram_mib if wanted_mib is None else wanted_mib)


def vcpus(cpu_cap_percent: Number) -> int:
    """Virtual CPUs for a cap in percent of one CPU, rounded up."""
    return math.ceil(Fraction(cpu_cap_percent) / 100)


def disk_mib(quota_gib: Number) -> int:
    """A package's quota as the size of a disk."""
    return half_away(Fraction(quota_gib) * MIB_PER_GIB)
