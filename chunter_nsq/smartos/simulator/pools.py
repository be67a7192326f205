"""Which pool a host has: a simulated one, or a real one of this machine."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.pool import Pool
from chunter_nsq.smartos.simulator.realnames import real_names


def open_pool(root: str) -> Pool:
    """The host's pool, simulated or real."""
    names = real_names(root)
    if names is None:
        return Pool(root)
    from chunter_nsq.smartos.simulator.realpool import RealPool  # noqa: PLC0415 - most hosts have none

    return RealPool(names)
