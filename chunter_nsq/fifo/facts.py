"""What a translation has to know about the host it is made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DEFAULT_RESOLVERS = ("8.8.8.8", "8.8.4.4")
KVM_OVERHEAD_MIB = 1024
BHYVE_OVERHEAD_MIB = 1280


@dataclass(frozen=True)
class HostFacts:
    """Facts read from the host beforehand, so that a translation stays a pure function.

    Attributes:
        total_memory_mib: physical memory; 0 when it could not be read, then every computed share is 0.
        now_ms: wall clock, milliseconds since 1970; only a docker container's payload holds it.
        kvm_overhead_mib: what vmadm adds to the memory of a kvm guest.
        bhyve_overhead_mib: the same for a bhyve guest.
        resolvers: name servers of a VM whose configuration names none.
        image_config: the image's ``docker:config`` tag, with ``Cmd``, ``Entrypoint``, ``Env`` and ``WorkingDir``;
            empty when the manifest has none.
    """

    total_memory_mib: int
    now_ms: int
    kvm_overhead_mib: int = KVM_OVERHEAD_MIB
    bhyve_overhead_mib: int = BHYVE_OVERHEAD_MIB
    resolvers: Sequence[str] = DEFAULT_RESOLVERS
    image_config: Mapping[str, Any] = field(default_factory=dict)

    def overhead_mib(self, brand: str) -> int:
        """Memory in MiB that a guest of this hardware-virtualised brand costs beside its own."""
        return self.bhyve_overhead_mib if brand == "bhyve" else self.kvm_overhead_mib
