"""Which of a host's firewall rules were made for a VM here, and which of them are to come and go.

A rule carries in its description whom it was made for: ``fifo:`` and base64 of ``{"rule": R, "vm": UUID}`` as JSON.
Rules without one were made by hand and are never touched. Where base64 holds an Erlang term instead, an agent of
the old kind made the rule; it counts as the VM's own, so that it is replaced.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chunter_nsq.fifo.firewall import rule_texts

PREFIX = "fifo:"
_ERLANG_TERM = b"\x83"

Rule = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """What brings a host's rules to those wanted: payloads for ``fwadm add``, ids of rules to delete and kept."""

    add: tuple[dict[str, Any], ...]
    delete: tuple[str, ...]
    keep: tuple[str, ...]


def description(vm_uuid: str, rule: Rule) -> str:
    """What a rule made for a VM carries as its description."""
    text = json.dumps({"vm": vm_uuid.lower(), "rule": rule}, sort_keys=True, separators=(",", ":"))
    return PREFIX + base64.b64encode(text.encode()).decode()


def is_of(vm_uuid: str, present: Rule) -> bool:
    """Whether a rule as ``fwadm list`` tells it was made for a VM by this agent or its predecessor."""
    told = present.get("description")
    if not isinstance(told, str) or not told.startswith(PREFIX):
        return False
    try:
        content = base64.b64decode(told.removeprefix(PREFIX), validate=True)
    except ValueError:
        return False
    if content.startswith(_ERLANG_TERM):
        return vm_uuid.lower().encode() in content
    try:
        marked = json.loads(content)
    except ValueError:
        return False
    return isinstance(marked, Mapping) and marked.get("vm") == vm_uuid.lower()


def payloads(vm_uuid: str, owner_uuid: str, rules: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    """What ``fwadm add`` takes for each rule of a VM, twins left out.

    Raises:
        InvalidMessage, Unsupported: as :func:`chunter_nsq.fifo.firewall.rule_texts`.
    """
    texts = rule_texts(vm_uuid, rules)
    by_description = {
        told: {"description": told, "enabled": True, "owner_uuid": owner_uuid, "rule": text}
        for text, told in zip(texts, (description(vm_uuid, rule) for rule in rules), strict=True)
    }
    return tuple(by_description.values())


def difference(vm_uuid: str, wanted: Sequence[Rule], present: Iterable[Rule]) -> Difference:
    """Compare :func:`payloads` with ``fwadm list --json``: same description, owner and enabled is the same rule."""
    missing = {_identity(payload): dict(payload) for payload in wanted}
    delete: list[str] = []
    keep: list[str] = []
    for rule in present:
        if is_of(vm_uuid, rule):
            found = missing.pop(_identity(rule), None)
            (delete if found is None else keep).append(rule["uuid"])
    return Difference(add=tuple(missing.values()), delete=tuple(delete), keep=tuple(keep))


def _identity(rule: Rule) -> tuple[Any, Any, Any]:
    return rule.get("description"), rule.get("owner_uuid"), rule.get("enabled")
