"""A machine gone from this host with what the agent keeps for it: its firewall rules too.

vmadm deletes the zone and its data; rules that name the machine stay in fwadm for ever. Those that were made here go
with it, those of others stay. They go last: while the machine runs its firewall works.
"""

from __future__ import annotations

import logging
from typing import Any

from chunter_nsq.errors import Fault
from chunter_nsq.fifo.ownership import is_of
from chunter_nsq.smartos.fwadm import Fwadm
from chunter_nsq.tools import Tools

log = logging.getLogger(__name__)


async def remove(tools: Tools, uuid: str) -> dict[str, Any]:
    """Delete a machine and its rules; gone already is success. What the command adds to its result."""
    await tools.vmadm.delete(uuid)
    if not tools.config().firewall_api:
        return {}
    tool = Fwadm(tools.runner, tools.vmadm.timeout_seconds)
    try:
        rules = [str(rule["uuid"]) for rule in await tool.list() if is_of(uuid, rule)]
        if rules:
            await tool.delete(rules)
    except Fault as fault:  # the machine is gone all the same, and rules for nobody do no harm
        log.warning("removal.rules_left", extra={"uuid": uuid, "reason": fault.message})
        return {"rules_left": fault.message}
    return {"rules": rules}
