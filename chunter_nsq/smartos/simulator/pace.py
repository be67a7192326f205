"""How long things take: every verb is a row of named steps, each with its share of the verb's seconds."""

from __future__ import annotations

import os
import time

from chunter_nsq.smartos.simulator.files import read_bytes

PLACE = "var/simulator/latency.json"

# Seconds a verb takes on a real host when nothing else is going on; "tool" alone is every other verb of it.
REALISTIC: dict[str, float] = {
    "vmadm": 0.35,
    "vmadm create": 8.0,
    "vmadm start": 2.5,
    "vmadm stop": 4.0,
    "vmadm reboot": 6.0,
    "vmadm delete": 3.0,
    "vmadm update": 0.9,
    "vmadm events": 0.2,
    "vmadm create-snapshot": 0.8,
    "vmadm delete-snapshot": 0.8,
    "vmadm rollback-snapshot": 5.0,
    "zoneadm": 0.015,
    "zoneadm boot": 1.5,
    "zoneadm halt": 1.2,
    "zoneadm reboot": 2.7,
    "zoneadm shutdown": 4.0,
    "zoneadm install": 2.0,
    "zoneadm uninstall": 2.0,
    "zonecfg": 0.03,
    "zfs": 0.02,
    "zfs snapshot": 0.1,
    "zfs destroy": 0.2,
    "zfs rollback": 0.3,
    "zpool": 0.02,
    "imgadm": 0.4,
    "imgadm import": 20.0,
    "fwadm": 0.4,
    "svcs": 0.06,
    "svcadm": 0.03,
    "smf boot": 12.0,
    "smf start": 1.5,
    "smf stop": 0.8,
    "kstat": 0.15,
    "nictagadm": 0.1,
    "sysinfo": 0.02,
}
PROFILES: dict[str, dict[str, float]] = {"none": {}, "realistic": REALISTIC}


class Pace:
    """The clock of one invocation; :meth:`step` waits for a step's share and then says that it is done."""

    def __init__(self, root: str, tool: str, verb: str, kill_after: str | None = None) -> None:
        self._seconds = seconds(root, tool, verb)
        self._kill_after = kill_after

    def step(self, name: str, share: float) -> None:
        """Let the share of this verb's time pass; a fault may end the process right after."""
        if self._seconds > 0 and share > 0:
            time.sleep(self._seconds * share)
        if self._kill_after == name:
            import signal  # noqa: PLC0415 - few tools end so

            os.kill(os.getpid(), signal.SIGKILL)

    def whole(self) -> None:
        """Let all of the time pass at once, for a verb without steps."""
        self.step("start", 1.0)


def seconds(root: str, tool: str, verb: str) -> float:
    """How long a tool's verb takes, as set for it or for the tool as a whole."""
    table = _table(root)
    return float(table.get(f"{tool} {verb}", table.get(tool, 0.0)))


def _table(root: str) -> dict[str, float]:
    content = read_bytes(f"{root}/{PLACE}")
    if content is None or content.strip() in (b"", b"{}"):
        return {}
    import json  # noqa: PLC0415 - a tool without waits does without it

    table: dict[str, float] = json.loads(content)
    return table
