"""How a zone goes up and down, step by step, for zoneadm and vmadm alike; the caller holds the zone's lock."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.world import World


def boot(world: World, name: str, pace: Pace, share: float = 1.0) -> None:
    """Installed or ready to running."""
    world.make_ready(name)
    pace.step("ready", share * 0.3)
    world.make_running(name)
    pace.step("running", share * 0.7)


def halt(world: World, name: str, pace: Pace, share: float = 1.0, exit_status: int = 0) -> None:
    """Any active state to installed."""
    world.lower(name, "shutting_down")
    pace.step("shutting_down", share * 0.4)
    world.lower(name, "down")
    pace.step("down", share * 0.4)
    world.make_halted(name, exit_status)
    pace.step("halted", share * 0.2)
