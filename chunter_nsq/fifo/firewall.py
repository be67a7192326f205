"""FiFo's firewall rules -> texts that fwadm takes.

A rule is ``{"action": "allow"|"block", "direction": "inbound"|"outbound", "protocol": "tcp"|"udp"|"icmp",
"target": T, "filters": F}``. T is ``"all"``, ``{"ip": A}``, ``{"subnet": A, "mask": N}`` or ``{"vm": UUID}``; F is
``"all"``, a list of ports, or for icmp a list of ``{"type": N, "code": N}`` (code optional).

What fwadm has no word for is refused, never widened: a rule for a cluster that became one for ``any`` would open
more than was asked for.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from chunter_nsq.errors import Unsupported
from chunter_nsq.fifo.inspection import INVALID, MISSING, Inspection

MAXIMUM_FILTERS = 24

_ACTIONS = ("allow", "block")
_DIRECTIONS = ("inbound", "outbound")
_PROTOCOLS = ("tcp", "udp", "icmp")
_GROUPS = ("cluster", "stack", "network")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PORTS = range(1, 65536)
_ICMP_NUMBERS = range(256)

Rule = Mapping[str, Any]


def rule_texts(vm_uuid: str, rules: Iterable[Any]) -> tuple[str, ...]:
    """The fwadm texts of a VM's rules, in their order.

    Raises:
        InvalidMessage: rules are malformed; ``details.faults`` has all places, as ``rules[2].filters[0]``.
        Unsupported: a target that fwadm cannot express.
    """
    inspection = Inspection("write the firewall rules")
    vm = _vm(inspection, vm_uuid, "uuid")
    texts = tuple(_text(inspection, vm, rule, f"rules[{index}]") for index, rule in enumerate(rules))
    inspection.refuse()
    return texts


def _text(inspection: Inspection, vm: str, rule: Any, place: str) -> str:
    form = inspection.form(rule, place)
    action = _word(inspection, form.get("action"), f"{place}.action", _ACTIONS)
    direction = _word(inspection, form.get("direction"), f"{place}.direction", _DIRECTIONS)
    protocol = _word(inspection, form.get("protocol"), f"{place}.protocol", _PROTOCOLS)
    target = _target(inspection, form.get("target"), f"{place}.target")
    if protocol == "icmp" and ":" in target:
        inspection.note(f"{place}.target", INVALID, "give an IPv4 address, icmp has no other")
    ends = (target, vm) if direction == "inbound" else (vm, target)
    filters = _filters(inspection, protocol, form.get("filters"), f"{place}.filters")
    return f"FROM {ends[0]} TO {ends[1]} {action.upper()} {protocol} {filters}"


def _word(inspection: Inspection, value: Any, place: str, choices: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in choices:
        return value
    inspection.note(place, MISSING if value is None else INVALID, f"give one of {', '.join(choices)}")
    return choices[0]


def _target(inspection: Inspection, target: Any, place: str) -> str:
    if target == "all":
        return "any"
    form = target if isinstance(target, Mapping) else {}
    for group in _GROUPS:
        if group in form:
            raise Unsupported(
                f"cannot write the firewall rules: fwadm has no word for the {group} in {place}; "
                "give a rule for each of its addresses (ip) or networks (subnet)",
                {"path": place, "value": group},
            )
    if set(form) == {"vm"}:
        return _vm(inspection, form["vm"], f"{place}.vm")
    if set(form) == {"ip"}:
        return f"ip {_address(inspection, form['ip'], f'{place}.ip')}"
    if set(form) == {"subnet", "mask"}:
        return _subnet(inspection, form, place)
    remedy = 'give "all", {"ip": A}, {"subnet": A, "mask": N} or {"vm": UUID}'
    inspection.note(place, MISSING if target is None else INVALID, remedy)
    return "any"


def _vm(inspection: Inspection, uuid: Any, place: str) -> str:
    if not isinstance(uuid, str) or not _UUID.fullmatch(uuid.lower()):
        inspection.note(place, INVALID, "give the uuid of a VM")
        return "vm"
    return f"vm {uuid.lower()}"


def _address(inspection: Inspection, address: Any, place: str) -> str:
    try:
        parsed = ipaddress.ip_address(address if isinstance(address, str) else "")
    except ValueError:
        inspection.note(place, INVALID, "give an IP address")
        return ""
    if getattr(parsed, "scope_id", None) is not None:
        inspection.note(place, INVALID, "give an IP address without a zone")
    return str(parsed)


def _subnet(inspection: Inspection, form: Rule, place: str) -> str:
    address = _address(inspection, form["subnet"], f"{place}.subnet")
    longest = 128 if ":" in address else 32
    mask = _number(inspection, form["mask"], f"{place}.mask", range(longest + 1))
    return f"subnet {address}/{mask}"


def _filters(inspection: Inspection, protocol: str, filters: Any, place: str) -> str:
    noun = "TYPE" if protocol == "icmp" else "PORT"
    if filters == "all":
        return f"{noun} all"
    if not isinstance(filters, list | tuple) or not 1 <= len(filters) <= MAXIMUM_FILTERS:
        remedy = f'give "all" or a list of 1 to {MAXIMUM_FILTERS}; split a longer one into several rules'
        inspection.note(place, MISSING if filters is None else INVALID, remedy)
        return ""
    write = _icmp if protocol == "icmp" else _port
    texts = [write(inspection, entry, f"{place}[{index}]") for index, entry in enumerate(filters)]
    return texts[0] if len(texts) == 1 else f"({' AND '.join(texts)})"


def _port(inspection: Inspection, port: Any, place: str) -> str:
    return f"PORT {_number(inspection, port, place, _PORTS)}"


def _icmp(inspection: Inspection, entry: Any, place: str) -> str:
    form = inspection.form(entry, place)
    if not set(form) <= {"type", "code"}:
        inspection.note(place, INVALID, "give a type and perhaps a code, nothing else")
    text = f"TYPE {_number(inspection, form.get('type'), f'{place}.type', _ICMP_NUMBERS)}"
    if form.get("code") is None:
        return text
    return f"{text} CODE {_number(inspection, form['code'], f'{place}.code', _ICMP_NUMBERS)}"


def _number(inspection: Inspection, value: Any, place: str, allowed: range) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value in allowed:
        return value
    remedy = f"give a whole number from {allowed.start} to {allowed.stop - 1}"
    inspection.note(place, MISSING if value is None else INVALID, remedy)
    return allowed.start
