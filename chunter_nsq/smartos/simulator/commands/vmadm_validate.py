"""vmadm validate: what is wrong with a payload, without doing anything."""

from __future__ import annotations

import json

from chunter_nsq.smartos.simulator.commands.vmadm import USAGE
from chunter_nsq.smartos.simulator.commands.vmadm_create import read_payload
from chunter_nsq.smartos.simulator.payload.javascript import Crash
from chunter_nsq.smartos.simulator.payload.prepare import ABORTED, surroundings
from chunter_nsq.smartos.simulator.payload.validate import validate
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process


def _validate(process: Process, _pace: Pace, words: list[str]) -> int:
    file = words.index("-f") if "-f" in words else len(words)
    plain = words[:file] + words[file + 2 :]
    if not plain:
        raise Refused(f"Will not validate without a valid action.\n{USAGE}", 2)
    action = plain[0]
    if action == "update" and len(plain) != 2:  # noqa: PLR2004 - an action and a brand
        raise Refused(f"Will not validate without a valid action and brand.\n{USAGE}", 2)
    payload = read_payload(process, words, "validate")
    brand = plain[1] if action == "update" else payload.get("brand")
    try:
        errors = validate(payload, action, brand, surroundings(process.root))
    except Crash as crash:
        raise Refused(f"TypeError: {crash}", ABORTED) from crash
    if errors is not None:
        raise Refused(json.dumps(errors, indent=2))
    process.err(f"VALID '{action}' payload for {brand} brand VMs.")
    return 0


VERBS = {"validate": _validate}
