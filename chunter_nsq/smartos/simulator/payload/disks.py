"""PCI slots and UUIDs of the disks that a bhyve VM gets."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.payload.javascript import UNDEFINED, among, has, member, put, stringify, text, truthy
from chunter_nsq.smartos.simulator.payload.refusal import Rejected
from chunter_nsq.smartos.simulator.payload.validate import parse_slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.payload.surroundings import Surroundings

    Disk = dict[str, Any]
    Slots = dict[int, dict[int, Disk]]

RESERVED = (0, 6, 30, 31)
CDROM, BOOT, OTHERS = 3, 4, 5
FUNCTIONS = 8


def normalise_disks(added: list[Disk], vm: dict[str, Any] | None, brand: str, around: Surroundings) -> None:
    """Give each new disk of a bhyve VM a slot and a UUID.

    Raises:
        Rejected: a slot or UUID is taken, reserved or none.
    """
    if brand != "bhyve":
        return
    slots: Slots = {}
    if vm:
        assign_slots(vm.get("disks", []), slots, legacy=True)
    for disk, slot in assign_slots(added, slots):
        put(disk, "pci_slot", slot)
    taken = [disk["uuid"] for disk in (vm or {}).get("disks", ()) if "uuid" in disk]
    for disk in added:
        if not has(disk, "uuid"):
            put(disk, "uuid", around.fresh_uuid())
        elif among(disk["uuid"], taken):
            raise Rejected(f"duplicate disk uuid {text(disk['uuid'])}")
        taken.append(member(disk, "uuid"))


def assign_slots(disks: list[Disk], slots: Slots, *, legacy: bool = False) -> list[tuple[Disk, str]]:
    """Slots for the disks that have none; ``slots`` holds those that are taken, and takes in these."""
    waiting = _occupy(disks, slots)
    found = []
    for disk in waiting:
        device = _device(disk, legacy=legacy)
        if device is None:
            raise Rejected(
                f"VM has no PCI bus or slot assigned for {text(disk.get('media'))} devices; "
                "automatic pci_slot assignment not possible"
            )
        used = slots.setdefault(device, {})
        function = next(number for number in range(FUNCTIONS + 1) if number not in used)
        if function >= FUNCTIONS:
            kind = text(disk["media"]) if "media" in disk else "undefined"
            raise Rejected(f"VM has more than 8 {kind} devices on PCI device {device}")
        used[function] = disk
        found.append((disk, f"0:{device}:{function}"))
    return found


def _device(disk: Disk, *, legacy: bool) -> int | None:
    media = member(disk, "media")
    if media == "cdrom":
        return CDROM
    if media in ("disk", UNDEFINED):
        return OTHERS if legacy and not truthy(member(disk, "boot")) else BOOT
    return None


def _occupy(disks: list[Disk], slots: Slots) -> list[Disk]:
    """Enter the disks that have slots; the others, the boot disk first."""
    waiting: list[Disk] = []
    boot: Any = None
    for disk in disks:
        if truthy(member(disk, "boot")):
            if boot is not None:
                raise Rejected(f'multiple boot disks: "{_name(boot)}" and "{_name(disk)}"')
            boot = disk["boot"]
        if not has(disk, "pci_slot"):
            waiting.insert(0 if truthy(member(disk, "boot")) else len(waiting), disk)
            continue
        slot = parse_slot(disk["pci_slot"])
        if slot is None:
            raise Rejected(f'pci_slot "{text(disk["pci_slot"])}" is not valid')
        bus, device, function = slot
        if bus != 0:
            continue
        if device in RESERVED:
            raise Rejected(f'pci_slot "{disk["pci_slot"]}" invalid: PCI device {device} is reserved')
        used = slots.setdefault(device, {})
        if function in used:
            paths = [text(one["path"]) if "path" in one else "undefined" for one in (used[function], disk)]
            raise Rejected(f'VM has multiple disks in pci_slot "{disk["pci_slot"]}": "{paths[0]}" and "{paths[1]}')
        used[function] = disk
    return waiting


def _name(disk: Any) -> str:
    if isinstance(disk, dict) and truthy(disk.get("path")):
        return f"path={disk['path']}"
    if isinstance(disk, dict) and truthy(disk.get("pci_slot")):
        return f"pci_slot={disk['pci_slot']}"
    return f'"{stringify(disk)}"'
