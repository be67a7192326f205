"""The memory limits of a payload, filled in and brought into agreement with each other."""

from __future__ import annotations

import math

from chunter_nsq.smartos.simulator.payload.javascript import NAN, to_number
from chunter_nsq.smartos.simulator.payload.table import BRANDS
from chunter_nsq.smartos.simulator.values import LEAST_WITH_EXPONENT, numeral, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LEAST_SWAP_MIB = 256
DEFAULT_IDS = 4096


def fix_memory(payload: dict[str, Any], vm: dict[str, Any], brand: str) -> None:
    """Fill in and adjust; ``vm`` is the VM as it is, empty for a new one."""
    features = BRANDS[brand]
    if "ram" in payload and "max_physical_memory" not in payload:
        overhead = features.get("overhead_mib", 0)
        payload["max_physical_memory"] = _sum(payload["ram"], overhead) if overhead else payload["ram"]
    if "max_physical_memory" in payload:
        _locked_and_swap(payload, vm)
    _tmpfs(payload, vm, use_tmpfs=bool(features.get("use_tmpfs")))
    if "max_physical_memory" in payload:
        _shared(payload, vm)
    if features.get("least_overhead_mib"):
        _least(payload, vm, features["least_overhead_mib"])
    _clamp(payload, vm)


def _sum(left: Any, right: Any) -> int | float:
    value = to_number(left) + to_number(right)
    return whole(value) if math.isfinite(value) else value


def _locked_and_swap(payload: dict[str, Any], vm: dict[str, Any]) -> None:
    physical = payload["max_physical_memory"]
    if "max_locked_memory" not in payload:
        delta = _kept(vm, "max_physical_memory", "max_locked_memory")
        payload["max_locked_memory"] = physical if delta is None else _sum(physical, -delta)
    if "max_swap" in payload:
        return
    delta = _kept(vm, "max_physical_memory", "max_swap")
    inflated = vm.get("max_swap") == LEAST_SWAP_MIB and to_number(physical) >= LEAST_SWAP_MIB
    payload["max_swap"] = physical if delta is None or inflated else _sum(physical, -delta)
    if to_number(payload["max_swap"]) < LEAST_SWAP_MIB:
        payload["max_swap"] = LEAST_SWAP_MIB


def _kept(vm: dict[str, Any], upper: str, lower: str) -> int | float | None:
    """The difference there was between two limits of the VM."""
    if upper not in vm or lower not in vm:
        return None
    return to_number(vm[upper]) - to_number(vm[lower])


def _tmpfs(payload: dict[str, Any], vm: dict[str, Any], *, use_tmpfs: bool) -> None:
    physical, known = payload.get("max_physical_memory"), vm.get("max_physical_memory")
    if "tmpfs" in payload:
        wanted = to_number(payload["tmpfs"])
        if "max_physical_memory" in payload and wanted > to_number(physical):
            payload["tmpfs"] = physical
        elif wanted > (NAN if known is None else to_number(known)):
            payload["tmpfs"] = known
    elif "max_physical_memory" in payload and use_tmpfs:
        if known is not None and "tmpfs" in vm:
            ratio = to_number(vm["tmpfs"]) / to_number(known) if known else NAN
            value = ratio * to_number(physical)
            payload["tmpfs"] = _fixed(value)
        else:
            payload["tmpfs"] = physical


def _fixed(value: float) -> str:
    """``value.toFixed()``: halves go away from zero."""
    if not abs(value) < LEAST_WITH_EXPONENT:
        return numeral(value)
    lower = math.floor(abs(value))
    return "-" * (value < 0) + str(lower + (abs(value) - lower >= 0.5))  # noqa: PLR2004 - a half


def _shared(payload: dict[str, Any], vm: dict[str, Any]) -> None:
    if "max_shm_memory" not in vm:
        payload.setdefault("max_shm_memory", payload["max_physical_memory"])
    for name in ("max_msg_ids", "max_sem_ids", "max_shm_ids"):
        if name not in vm:
            payload.setdefault(name, DEFAULT_IDS)


def _least(payload: dict[str, Any], vm: dict[str, Any], overhead: int) -> None:
    values = {
        name: to_number(payload[name] if name in payload else vm.get(name, NAN))
        for name in ("ram", "max_physical_memory", "max_locked_memory")
    }
    for name in ("max_physical_memory", "max_locked_memory"):
        if values["ram"] + overhead > values[name]:
            payload[name] = whole(values["ram"] + overhead)


def _clamp(payload: dict[str, Any], vm: dict[str, Any]) -> None:
    physical = payload.get("max_physical_memory", vm.get("max_physical_memory"))
    if physical is None and "max_physical_memory" not in payload:
        return
    limit = to_number(physical)
    if "max_locked_memory" in payload and to_number(payload["max_locked_memory"]) > limit:
        payload["max_locked_memory"] = physical
    if "max_swap" in payload and to_number(payload["max_swap"]) < limit:
        payload["max_swap"] = physical
