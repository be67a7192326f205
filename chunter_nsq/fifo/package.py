"""A package, read once: what a VM may use, and the numbers that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chunter_nsq.fifo import sizing
from chunter_nsq.fifo.inspection import Inspection
from chunter_nsq.fifo.sizing import Number


@dataclass(frozen=True)
class Package:
    """A package whose numbers were checked; None is what it leaves open."""

    uuid: Any
    ram_mib: Number
    quota_gib: Number
    cpu_cap_percent: Number | None
    cpu_shares: Number | None
    io_shares: Number | None
    max_swap_mib: Number | None
    compression: Any
    block_size_bytes: Number | None

    def shares(self, total_memory_mib: int, io_factor: int = 1) -> dict[str, Any]:
        """``cpu_shares`` and ``zfs_io_priority``: as given, else by memory, the latter multiplied by a factor."""
        share = sizing.share_of_host(self.ram_mib, total_memory_mib)
        return {
            "cpu_shares": share if self.cpu_shares is None else self.cpu_shares,
            "zfs_io_priority": io_factor * share if self.io_shares is None else self.io_shares,
        }

    def swap_mib(self) -> Number:
        """``max_swap``: as given, else twice the memory; never under the platform's minimum."""
        return sizing.swap_mib(self.ram_mib, self.max_swap_mib)

    def guest(self, overhead_mib: int) -> dict[str, Any]:
        """Memory and CPUs of a hardware-virtualised guest; a package without a cap gives it one CPU."""
        cpu_cap = 100 if self.cpu_cap_percent is None else self.cpu_cap_percent
        return {
            "ram": self.ram_mib,
            "vcpus": sizing.vcpus(cpu_cap),
            "max_physical_memory": self.ram_mib + overhead_mib,
        }

    def disk_mib(self) -> int:
        """The quota as the size of a disk; 0 for none."""
        return sizing.disk_mib(self.quota_gib)


def read(inspection: Inspection, given: Any, *, cap_needed: bool) -> Package:
    """The package in a JSON value: ``uuid``, ``ram`` (MiB), ``quota`` (GiB) are needed, ``cpu_cap`` (percent) if said.

    Optional: ``cpu_shares``, ``zfs_io_priority``, ``max_swap`` (MiB), ``compression``, ``blocksize`` (bytes).
    Faults go to the inspection.
    """
    form: Mapping[str, Any] = inspection.form(given, "package")
    read_cap = inspection.number if cap_needed else inspection.optional_number
    return Package(
        ram_mib=inspection.number(form, "package.ram"),
        uuid=inspection.present(form, "package.uuid", "give the id of the package"),
        cpu_cap_percent=read_cap(form, "package.cpu_cap"),
        quota_gib=inspection.number(form, "package.quota"),
        cpu_shares=inspection.optional_number(form, "package.cpu_shares"),
        io_shares=inspection.optional_number(form, "package.zfs_io_priority"),
        max_swap_mib=inspection.optional_number(form, "package.max_swap"),
        compression=form.get("compression"),
        block_size_bytes=inspection.optional_number(form, "package.blocksize"),
    )
