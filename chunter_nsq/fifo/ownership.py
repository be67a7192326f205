"""Which of a host's firewall rules were made for a VM here.

A rule carries in its description whom it was made for: ``fifo:`` and base64 of ``{"vm": UUID}`` as JSON.
Rules without one were made by hand and are never touched. Where base64 holds an Erlang term instead, an agent of
the old kind made the rule; it counts as the VM's own, so that it is replaced.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

PREFIX = "fifo:"
_ERLANG_TERM = b"\x83"

Rule = Mapping[str, Any]


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
