"""Whom a rule concerns, and what becomes of it in a VM's packet filter."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.firewall.rule import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from chunter_nsq.smartos.simulator.firewall.grammar import Filter
    from chunter_nsq.smartos.simulator.firewall.rule import Side

    Document = dict[str, Any]

IPF_PROTOCOL = {"icmp6": "ipv6-icmp"}
FALLBACKS = (
    "block in all", "pass out quick proto tcp from any to any flags S/SA keep state",
    "pass out proto tcp from any to any", "pass out proto udp from any to any keep state",
    "pass out quick proto icmp from any to any keep state", "pass out proto icmp from any to any",
)  # fmt: skip


def concerns(rule: Document, vm: Document, *, by_address: bool = True) -> bool:
    """Whether a kept rule, enabled or not, has a VM among its targets; ``by_address`` counts its addresses too."""
    if "owner_uuid" in rule and rule["owner_uuid"] != vm.get("owner_uuid"):
        return False
    sides = Rule(rule["rule"]).sides.values()
    return any(_is_on(side, vm) or (by_address and set(side.ips) & set(addresses(vm))) for side in sides)


def addresses(vm: Document) -> list[str]:
    """The addresses of a VM's nics."""
    ips = [ip for nic in vm.get("nics", ()) for ip in nic.get("ips", [nic.get("ip", "")])]
    return [ip.partition("/")[0] for ip in ips if ip and ip not in ("dhcp", "addrconf")]


def _is_on(side: Side, vm: Document) -> bool:
    tags = vm.get("tags", {})
    return (
        "vmall" in side.wildcards
        or vm["uuid"] in side.vms
        or any(name in tags and value in (None, _text(tags[name])) for name, value in side.tags)
    )


def _text(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def ipf(rules: Iterable[Document], vm: Document, vms: list[Document]) -> Iterator[str]:
    """The lines of a VM's packet filter; what its rules change nothing about, the last ones decide."""
    for document in rules:
        if document["enabled"] and concerns(document, vm, by_address=False):
            rule = Rule(document["rule"])
            for mine, other, way in (("to", "from", "in"), ("from", "to", "out")):
                is_default = (rule.action == "ALLOW") == (way == "out") and not rule.priority
                if _is_on(rule.sides[mine], vm) and not is_default:
                    yield from _lines(rule, way, list(_others(rule.sides[other], vms)))
    yield from FALLBACKS


def _others(side: Side, vms: list[Document]) -> Iterator[str]:
    if "any" in side.wildcards:
        yield "any"
        return
    yield from side.ips
    yield from side.subnets
    for vm in vms:
        if _is_on(side, vm):
            yield from addresses(vm)


def _lines(rule: Rule, way: str, others: list[str]) -> Iterator[str]:
    verb = "pass" if rule.action == "ALLOW" else "block"
    protocol = IPF_PROTOCOL.get(rule.protocol, rule.protocol)
    for other in others:
        ends = f"from {other} to any" if way == "in" else f"from any to {other}"
        for one in rule.filters or ["all"]:
            words = f"{verb} {way} quick proto {protocol} {ends} {_filter(rule, one)}".rstrip()
            yield f"{words} keep frags"


def _filter(rule: Rule, one: Filter) -> str:
    if one == "all":
        return ""
    if rule.is_icmp:
        return f"icmp-type {one[0]} code {one[1]}" if isinstance(one, tuple) else f"icmp-type {one}"
    return f"port {one[0]} : {one[1]}" if isinstance(one, tuple) else f"port = {one}"
