"""What brings the rules that a host keeps for a VM to those that are wanted.

A rule that is made here says in its description for which VM; the description is short, because the platform takes
no more than 255 characters. Rules without one were made by hand and are never touched. Of two rules of the same
owner the texts decide whether they are the same: texts as the platform writes them, never as they were given.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chunter_nsq.fifo.firewall import rule_texts
from chunter_nsq.fifo.ownership import PREFIX, is_of

Rule = Mapping[str, Any]
# Stands in the place of a rule that is a text already, so that faults of the others keep their places.
_STAND_IN = {"action": "block", "direction": "inbound", "protocol": "tcp", "target": "all", "filters": "all"}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Payloads for ``fwadm add``, and of the rules that are there those to delete and those to keep."""

    add: tuple[Rule, ...]
    delete: tuple[Rule, ...]
    keep: tuple[Rule, ...]


def texts(vm_uuid: str, rules: Sequence[str | Rule]) -> tuple[str, ...]:
    """Rules in FiFo's form as texts, those that are texts as they are.

    Raises:
        InvalidMessage, Unsupported: as :func:`chunter_nsq.fifo.firewall.rule_texts`.
    """
    written = rule_texts(vm_uuid, [_STAND_IN if isinstance(rule, str) else rule for rule in rules])
    return tuple(rule if isinstance(rule, str) else text for rule, text in zip(rules, written, strict=True))


def payload(vm_uuid: str, owner_uuid: str, text: str) -> dict[str, Any]:
    """What ``fwadm add`` takes to keep a rule for a VM."""
    return {"description": mark(vm_uuid), "enabled": True, "owner_uuid": owner_uuid, "rule": text}


def mark(vm_uuid: str) -> str:
    """What a rule made for a VM carries as its description."""
    return PREFIX + base64.b64encode(json.dumps({"vm": vm_uuid}).encode()).decode()


def reconcile(vm_uuid: str, owner_uuid: str, wanted: Iterable[str], present: Iterable[Rule]) -> Reconciliation:
    """Compare texts, as the platform writes them, with ``fwadm list``; of twins one is enough.

    A rule that was made for the VM under another owner, or that somebody disabled, is replaced.
    """
    missing = dict.fromkeys(wanted)
    delete: list[Rule] = []
    keep: list[Rule] = []
    for rule in present:
        if not is_of(vm_uuid, rule):
            continue
        is_good = rule.get("owner_uuid") == owner_uuid and is_enabled(rule) and rule["rule"] in missing
        (keep if is_good else delete).append(rule)
        if is_good:
            del missing[rule["rule"]]
    return Reconciliation(tuple(payload(vm_uuid, owner_uuid, text) for text in missing), tuple(delete), tuple(keep))


def is_enabled(rule: Rule) -> bool:
    """Whether a rule is at work; the platform takes the word for it too."""
    return rule.get("enabled") in (True, "true")
