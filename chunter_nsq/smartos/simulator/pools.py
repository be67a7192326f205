"""Which pool a host has: a simulated one, or a real one of this machine."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.host import is_real
from chunter_nsq.smartos.simulator.pool import Pool


def open_pool(root: str) -> Pool:
    """The host's pool, simulated or real."""
    if is_real(root):
        from chunter_nsq.smartos.simulator.realnames import real_names  # noqa: PLC0415 - most hosts have none
        from chunter_nsq.smartos.simulator.realpool import RealPool  # noqa: PLC0415 - same

        if (names := real_names(root)) is not None:
            return RealPool(names)
    return Pool(root)
