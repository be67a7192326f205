"""A rule with what is kept beside its text: who it is for, whether it is enabled, its version."""

from __future__ import annotations

import os
import re
import time

from chunter_nsq.smartos.simulator.firewall.fault import Faults, RuleFault
from chunter_nsq.smartos.simulator.firewall.rule import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Document = dict[str, Any]

# What a rule's file holds, in this order.
FIELDS = ("created_by", "description", "enabled", "global", "log", "owner_uuid", "rule", "uuid", "version")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LONGEST_TEXT = 255


def is_uuid(text: object) -> bool:
    """Whether it is a lower-case UUID."""
    return isinstance(text, str) and UUID.fullmatch(text) is not None


def fresh_version() -> str:
    """Milliseconds since 1970 and the process."""
    return f"{time.time_ns() // 1_000_000}.{os.getpid():06d}"


def fresh_uuid() -> str:
    """A random UUID of version 4."""
    digits = bytearray(os.urandom(16))
    digits[6], digits[8] = digits[6] & 0x0F | 0x40, digits[8] & 0x3F | 0x80
    text = digits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def kept(given: Document) -> Document:
    """What is kept of a rule that was given.

    Raises:
        Faults: everything that is wrong with it.
    """
    messages: list[str] = []
    rule: Rule | None = None
    try:
        rule = Rule(given.get("rule") or "")
    except RuleFault as fault:
        messages.append(str(fault))
    messages += _faults(given)
    if messages or rule is None:
        raise Faults(messages)
    found = {name: given[name] for name in FIELDS if name in given and name != "global"}
    found |= {"rule": rule.text, "uuid": given.get("uuid") or fresh_uuid(), "version": given.get("version")}
    found |= {name: given.get(name, False) for name in ("enabled", "log")}
    found["version"] = found["version"] or fresh_version()
    if "owner_uuid" not in given:
        found["global"] = True
    return {name: found[name] for name in FIELDS if name in found}


def _faults(given: Document) -> list[str]:
    faults = []
    if "uuid" in given and not is_uuid(given["uuid"]):
        faults.append("Invalid rule UUID")
    if "owner_uuid" in given and not is_uuid(given["owner_uuid"]):
        faults.append("Invalid owner UUID")
    faults += [f"{name} must be true or false" for name in ("enabled", "log") if not _is_flag(given.get(name, False))]
    for name in ("created_by", "description"):
        text = given.get(name, "")
        if not isinstance(text, str):
            faults.append(f"{name} must be a string")
        elif len(text) > LONGEST_TEXT:
            faults.append(f"{name} must be shorter than {LONGEST_TEXT} characters")
    if not _is_flag(given.get("global", False)):
        faults.append("global must be true or false")
    if given.get("global") and "owner_uuid" in given:
        faults.append("cannot specify both global and owner_uuid")
    if "global" not in given and "owner_uuid" not in given:
        faults.append("owner_uuid required")
    return faults


def _is_flag(value: object) -> bool:
    return value is True or value is False or value in ("true", "false")


def merged(old: Document, change: Document) -> Document:
    """A kept rule with a change to it; one that gets an owner is global no more, and the other way round."""
    both = old | change
    if not ("owner_uuid" in change and "global" in change):
        if "owner_uuid" in change:
            both.pop("global", None)
        if "global" in change:
            both.pop("owner_uuid", None)
    return both
