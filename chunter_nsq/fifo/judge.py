"""What this translation makes of one case of a specification corpus, in the corpus's own form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chunter_nsq.errors import InvalidMessage, Unsupported
from chunter_nsq.fifo.config import to_fifo
from chunter_nsq.fifo.create import to_vmadm
from chunter_nsq.fifo.facts import BHYVE_OVERHEAD_MIB, DEFAULT_RESOLVERS, KVM_OVERHEAD_MIB, HostFacts
from chunter_nsq.fifo.update import create_update

Case = Mapping[str, Any]


def judge(case: Case) -> Any:
    """The ``expected`` of a case as this code sees it; a refusal is ``{"$error": problem, "what": place}``.

    Args:
        case: ``kind`` (``to_vmadm``, ``to_fifo`` or ``create_update``), the forms ``package``, ``dataset``,
            ``config`` and ``original``, and the facts in ``host``.
    """
    kind = str(case.get("kind"))
    translate = _KINDS.get(kind)
    if translate is None:
        return {"$error": "unsupported", "what": f"kind {kind}"}
    try:
        return translate(case)
    except InvalidMessage as refusal:
        fault = refusal.details["faults"][0]
        return {"$error": fault["problem"], "what": fault["path"]}
    except Unsupported as refusal:
        return {"$error": "unsupported", "what": refusal.details["path"]}


def facts(host: Case) -> HostFacts:
    """The facts of a case's ``host``; memory in MB of 2^20 bytes, resolvers as a list or separated by commas."""
    return HostFacts(
        total_memory_mib=host.get("total_memory_mb") or 0,
        now_ms=host.get("now_ms") or 0,
        kvm_overhead_mib=host.get("kvm_mem_overhead_mb", KVM_OVERHEAD_MIB),
        bhyve_overhead_mib=host.get("bhyve_mem_overhead_mb", BHYVE_OVERHEAD_MIB),
        resolvers=_resolvers(host.get("resolvers")),
        image_config={"Cmd": host.get("image_cmd")},
    )


def _resolvers(given: str | Sequence[str] | None) -> Sequence[str]:
    if given is None:
        return DEFAULT_RESOLVERS
    return given.split(",") if isinstance(given, str) else given


def _to_vmadm(case: Case) -> Any:
    return to_vmadm(case.get("package"), case.get("dataset"), case.get("config"), facts(case.get("host") or {}))


def _to_fifo(case: Case) -> Any:
    zone_root = (case.get("host") or {}).get("zfs_used_avail")
    return to_fifo(case.get("original") or {}, None if zone_root is None else tuple(zone_root))


def _create_update(case: Case) -> Any:
    host = facts(case.get("host") or {})
    return create_update(case.get("original") or {}, case.get("package"), case.get("config"), host)


_KINDS: Mapping[str, Callable[[Case], Any]] = {
    "to_vmadm": _to_vmadm,
    "to_fifo": _to_fifo,
    "create_update": _create_update,
}
