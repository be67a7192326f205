"""The platform: its tools, its addresses, its pools."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import AsyncIterator

from chunter_nsq import identity
from chunter_nsq.config import split_address
from chunter_nsq.doctor.finding import Finding, fault, ok, warning
from chunter_nsq.doctor.patient import Patient
from chunter_nsq.errors import Fault
from chunter_nsq.smartos.dladm import DLADM, Dladm
from chunter_nsq.smartos.fwadm import FWADM
from chunter_nsq.smartos.imgadm import IMGADM
from chunter_nsq.smartos.ipadm import IPADM, Ipadm
from chunter_nsq.smartos.kstat import KSTAT
from chunter_nsq.smartos.prtconf import PRTCONF
from chunter_nsq.smartos.svcadm import SVCADM
from chunter_nsq.smartos.svcs import SVCS
from chunter_nsq.smartos.sysinfo import SYSINFO
from chunter_nsq.smartos.usbkey import Usbkey
from chunter_nsq.smartos.vmadm import VMADM
from chunter_nsq.smartos.zfs_argv import ZFS
from chunter_nsq.smartos.zlogin import ZLOGIN
from chunter_nsq.smartos.zoneadm import ZONEADM
from chunter_nsq.smartos.zpool import ZPOOL, Zpool

TOOLS = (
    ZONEADM, VMADM, IMGADM, FWADM, ZFS, ZPOOL, DLADM, IPADM, PRTCONF, SVCADM, ZLOGIN, SVCS, KSTAT, SYSINFO,
)  # fmt: skip
_FULL_PERCENT, _FILLING_PERCENT = 95, 85


async def tools(patient: Patient) -> AsyncIterator[Finding]:
    """Each tool is where the platform has it, and may be run."""
    root = patient.platform
    absent = [tool for tool in TOOLS if not (root / tool).is_file()]
    barred = [tool for tool in TOOLS if tool not in absent and not os.access(root / tool, os.X_OK)]
    if absent:
        remedy = "is this a SmartOS global zone, and platform_root right?"
        yield fault(f"missing below {root}: {', '.join(absent)}", remedy)
    if barred:
        yield fault(f"may not be run below {root}: {', '.join(barred)}", "run this as root; look at their modes")
    loose = [tool for tool in TOOLS if tool not in absent and (root / tool).stat().st_mode & stat.S_IWOTH]
    if loose:
        yield fault(f"anybody may change {', '.join(loose)}, which run as root", f"chmod o-w them below {root}")
    if not (absent or barred or loose):
        yield ok(f"{len(TOOLS)} tools below {root}{' (simulated)' if patient.is_simulated else ''}")


async def address(patient: Patient) -> AsyncIterator[Finding]:
    """What is reported as this host's IP is on an interface of it."""
    configured = patient.config.ip
    try:
        addresses = {one.addrobj: one.addr for one in await Ipadm(patient.runner).addresses()}
        macs = {} if configured else await Dladm(patient.runner).macs()
    except Fault as refused:
        yield fault(f"addresses cannot be listed: {refused.message}", "see the check of tools")
        return
    settings = {} if configured else await Usbkey(patient.platform).read()
    guessed = identity.guess_ip(addresses, macs, settings, 4200, configured)
    if guessed is None:
        yield warning(
            "there is neither a fifo0 VNIC nor an admin NIC with an address: no IP is reported",
            "set ip, such as ip = 192.168.1.21:4200",
        )
        return
    host, _port = split_address(guessed)
    if any(_ip(one) == ipaddress.ip_address(host) for one in addresses.values()):
        yield ok(f"{guessed} is reported{'' if configured else ', guessed'}, and is on an interface")
    else:
        plumbed = ", ".join(sorted(addresses.values())) or "none"
        yield fault(
            f"ip is {guessed}, which is on no interface of this host (there are {plumbed})",
            "set ip to an address of this host, and restart the agent",
        )


def _ip(text: str) -> object:
    try:
        return ipaddress.ip_interface(text.partition("->")[0]).ip
    except ValueError:
        return None  # an interface without a lease


async def pools(patient: Patient) -> AsyncIterator[Finding]:
    """Pools are healthy and have room."""
    try:
        found = await Zpool(patient.runner).list()
    except Fault as refused:
        yield fault(f"pools cannot be listed: {refused.message}", "see the check of tools")
        return
    for pool in found:
        used = pool.capacity_percent or 0
        says = f"pool {pool.name} is {pool.health}, {used} % full"
        if not pool.is_healthy:
            yield fault(says, f"zpool status {pool.name}")
        elif used >= _FULL_PERCENT:
            yield fault(says, "make room: zones cannot write any more, and nothing can be deleted by snapshot")
        elif used >= _FILLING_PERCENT:
            yield warning(says, "make room: ZFS gets slow")
        else:
            yield ok(says)
