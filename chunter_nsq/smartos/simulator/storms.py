"""State changes by the thousand, for load tests: the zones go round through their states without any command."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator import changes as journal
from chunter_nsq.smartos.simulator.kernel import Kernel
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROUND = {
    "running": "shutting_down",
    "shutting_down": "down",
    "down": "installed",
    "installed": "ready",
    "ready": "running",
}
BATCH_SECONDS = 0.01


def storm(directory: Path, changes: int, *, seconds: float, zones: Sequence[str] | None) -> int:
    """Make that many changes, evenly spread over the seconds; the number made."""
    world = World(str(directory.resolve()))
    names = list(zones) if zones else [zone.name for zone in world.zones() if zone.state == "running"]
    if not names:
        return 0
    active = Kernel(world.root).zones
    states = {name: active[name].state if name in active else "installed" for name in names}
    batches = max(1, round(seconds / BATCH_SECONDS))
    started, made = time.monotonic(), 0
    for batch in range(1, batches + 1):
        due = changes * batch // batches
        _change(world, states, names, made, due)
        made = due
        time.sleep(max(0.0, started + batch * seconds / batches - time.monotonic()))
    return made


def _change(world: World, states: dict[str, str], names: list[str], start: int, end: int) -> None:
    if end == start:
        return
    lines = []
    with world.writing():
        kernel = Kernel(world.root)
        for number in range(start, end):
            name = names[number % len(names)]
            state = states[name] = ROUND[states[name]]
            exited = None
            if state == "installed":
                kernel.zones.pop(name, None)
                exited = (0, time.time())
            else:
                active = kernel.zones.get(name) or kernel.admit(name)
                active.state = state
                if state == "running":
                    active.pid, active.boot_seconds = kernel.next_pid, int(time.time())
                    kernel.next_pid += 1
            lines.append(journal.state_line(name, state, kernel.zones.get(name), exited))
        kernel.write()
        journal.append(world.root, "".join(lines))
