"""A SmartOS platform root behind the real command lines.

``create`` makes a directory whose executables behave like the platform's; ``storm`` makes its zones change state
faster than any command could.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def create(
    directory: Path,
    *,
    zones: int = 0,
    services: int = 0,
    snapshots: int = 0,
    zfs: str = "simulated",
    latency: str = "none",
    memory_mib: int | None = None,
) -> Path:
    """Make a platform root in ``directory`` and return its absolute path.

    Args:
        directory: is made when it is not there; must be empty or absent.
        zones: VMs to make, all running.
        services: SMF services in each zone; 0 for the usual ones.
        snapshots: ZFS snapshots of each zone.
        zfs: ``simulated``, or ``host:POOL`` to keep the datasets in a pool of this machine.
        latency: ``none`` or ``realistic``.
        memory_mib: physical memory of the host.

    Raises:
        FileExistsError: there is something in the directory already.
        ValueError: an unknown latency profile or pool.
    """
    from chunter_nsq.smartos.simulator.creation import Plan, build  # noqa: PLC0415 - launchers import this package

    plan = Plan(zones=zones, services=services, snapshots=snapshots, zfs=zfs, latency=latency, memory_mib=memory_mib)
    return build(directory, plan)


def storm(directory: Path, changes: int = 5000, *, seconds: float = 1.0, zones: Sequence[str] | None = None) -> int:
    """Flip the states of running zones ``changes`` times within about ``seconds``; the number of changes made.

    Each zone goes round running, shutting_down, down, installed, ready, running; the kernel's table and the change
    journal say so, in step. A back door for load tests: no command runs.
    """
    from chunter_nsq.smartos.simulator.storms import storm as make  # noqa: PLC0415 - launchers import this package

    return make(directory, changes, seconds=seconds, zones=zones)
