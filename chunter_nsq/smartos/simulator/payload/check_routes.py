"""Whether the routes of a payload lead somewhere."""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.payload.addresses import AUTOMATIC, is_cidr4, is_ipv4, parse_mac
from chunter_nsq.smartos.simulator.payload.javascript import Crash, items, text
from chunter_nsq.smartos.simulator.payload.refusal import Rejected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Nics = list[dict[str, Any]]


def check_routes(payload: dict[str, Any], vm: dict[str, Any] | None, nics: Nics) -> None:
    """Refuse routes to no address, or through a nic that is not there or has no address of its own."""
    routes = dict((vm or {}).get("routes", {}))
    for name in ("routes", "set_routes"):
        for target, gateway in items(payload.get(name)):
            if not is_ipv4(target) and not is_cidr4(target):
                raise Rejected(f'Invalid route destination: "{target}" (must be IP address or CIDR)')
            if not is_ipv4(gateway):
                _check_local(gateway, nics)
            routes[target] = gateway
    for _, target in items(payload.get("remove_routes")):
        routes.pop(text(target), None)
    for gateway in routes.values():
        if not is_ipv4(gateway) and _nic(gateway, nics)[1] is None:
            raise Rejected(f'Route gateway: "{gateway}" refers to non-existent or DHCP nic')


def _check_local(gateway: Any, nics: Nics) -> None:
    meant, found = _nic(gateway, nics)
    if found is None:
        if meant:
            raise Rejected(f'Route gateway: "{gateway}" refers to non-existent or DHCP nic')
        raise Rejected(f'Invalid route gateway: "{gateway}" (must be IP address, MAC address, or nic)')


def _nic(gateway: Any, nics: Nics) -> tuple[bool, dict[str, Any] | None]:
    """Whether a nic is meant, and the nic when it is there with an address."""
    if not isinstance(gateway, str):
        raise Crash("r.match is not a function")
    by_mac = re.fullmatch(r"macs\[(.+)\]", gateway)
    by_number = re.fullmatch(r"nics\[([0-9]+)\]", gateway)
    found: dict[str, Any] | None = None
    if by_mac:
        mac = parse_mac(by_mac[1])
        if mac is None:
            return False, None
        found = next((nic for nic in nics if nic.get("mac") == mac), None)
    elif by_number:
        found = nics[int(by_number[1])] if int(by_number[1]) < len(nics) else None
    else:
        return False, None
    if found is None or all(ip in AUTOMATIC for _, ip in items(found.get("ips"))):
        return True, None
    return True, found
