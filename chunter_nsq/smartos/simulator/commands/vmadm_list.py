"""vmadm list and lookup: filters, columns, orders."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.commands.vmadm import USAGE
from chunter_nsq.smartos.simulator.commands.vmadm_show import pretty
from chunter_nsq.smartos.simulator.machine import Machines, machine_type
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

    VM = dict[str, Any]

# The header and width of each column.
FIELDS: dict[str, tuple[str, int]] = {
    "alias": ("ALIAS", 10), "archive_on_delete": ("ARCHIVE_ON_DELETE", 17), "autoboot": ("AUTOBOOT", 8),
    "billing_id": ("BILLING_ID", 36), "boot_timestamp": ("BOOT_TIMESTAMP", 24), "brand": ("BRAND", 14),
    "cpu_cap": ("CPU_CAP", 7), "cpu_shares": ("CPU_SHARE", 9), "cpu_type": ("CPU_TYPE", 8),
    "create_timestamp": ("CREATE_TIMESTAMP", 24), "dns_domain": ("DOMAIN", 32), "do_not_inventory": ("DNI", 5),
    "docker": ("DOCKER", 6), "exit_status": ("EXIT", 4), "exit_timestamp": ("EXIT_TIMESTAMP", 24),
    "firewall_enabled": ("FIREWALL_ENABLED", 16), "flexible_disk_size": ("FLEX_DISK_SIZE", 14),
    "free_space": ("FREE_SPACE", 14), "hostname": ("HOSTNAME", 32), "hvm": ("HVM", 5), "image_uuid": ("IMAGE_UUID", 36),
    "indestructible_delegated": ("INDESTR_DATA", 12), "indestructible_zoneroot": ("INDESTR_ROOT", 12),
    "kernel_version": ("KERNEL_VERSION", 14), "last_modified": ("LAST_MODIFIED", 24), "limit_priv": ("LIMIT_PRIV", 20),
    "max_locked_memory": ("MAX_LOCKED", 10), "max_lwps": ("MAX_LWP", 7), "max_physical_memory": ("MAX_PHYS", 8),
    "max_swap": ("MAX_SWAP", 8), "owner_uuid": ("OWNER_UUID", 36), "package_name": ("PACKAGE_NAME", 32),
    "package_version": ("PACKAGE_VER", 11), "pid": ("PID", 6), "platform_buildstamp": ("PLATFORM_BUILDSTAMP", 19),
    "qemu_extra_opts": ("QEMU_EXTRA_OPTS", 15), "qemu_opts": ("QEMU_OPTS", 9), "quota": ("QUOTA", 5), "ram": ("RAM", 7),
    "server_uuid": ("SERVER_UUID", 36), "state": ("STATE", 16), "tmpfs": ("TMPFS", 5), "type": ("TYPE", 4),
    "uuid": ("UUID", 36), "vcpus": ("VCPUS", 5), "zfs_filesystem": ("ZFS_FILESYSTEM", 42),
    "zfs_io_priority": ("IO_PRIORITY", 11), "zone_state": ("ZONE_STATE", 10), "zoneid": ("ZONEID", 6),
    "zonename": ("ZONENAME", 12), "zonepath": ("ZONEPATH", 40), "zpool": ("ZPOOL", 12), "v": ("V", 2),
    "transition_to": ("TRANSITION_TO", 13), "transition_expire": ("TRANSITION_EXPIRE", 17), "failed": ("FAILED", 6),
    "init_restarts": ("INIT_RESTARTS", 13), "max_msg_ids": ("MAX_MSG_IDS", 11), "max_sem_ids": ("MAX_SEM_IDS", 11),
    "max_shm_ids": ("MAX_SHM_IDS", 11), "max_shm_memory": ("MAX_SHM_MEMORY", 14), "zonedid": ("ZONEDID", 7),
    "datacenter_name": ("DATACENTER_NAME", 16), "vnc_port": ("VNC_PORT", 8), "bootrom": ("BOOTROM", 16),
}  # fmt: skip
FLATTENED = (
    "(nics|disks|filesystems|snapshots|tags|customer_metadata|internal_metadata|routes|resolvers|datasets|pci_devices)"
    r"\..+"
)
WIDTH = 20


def _prepared(vm: VM) -> VM:
    vm = dict(vm)
    vm["type"] = machine_type(vm)
    if vm["type"] in ("OS", "LX"):
        vm["ram"] = vm.get("max_physical_memory")
    return vm


def _vms(process: Process) -> list[VM]:
    return [_prepared(vm) for vm in Machines(World(process.root)).all()]


def values(vm: VM, key: str) -> list[Any]:
    """Every value a key stands for: ``*`` is any element, a number one of them."""
    found: list[Any] = [vm]
    for part in key.split("."):
        following: list[Any] = []
        for one in found:
            if isinstance(one, list) and part == "*":
                following += one
            elif isinstance(one, list) and part.isdigit() and int(part) < len(one):
                following.append(one[int(part)])
            elif isinstance(one, dict) and part == "*":
                following += one.values()
            elif isinstance(one, dict) and part in one:
                following.append(one[part])
        found = following
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_text(one) for one in value)
    return str(value)


def _known(key: str) -> bool:
    if "." not in key:
        return key in FIELDS
    import re  # noqa: PLC0415 - hardly anybody asks for a part of a field

    return key in FIELDS or re.fullmatch(FLATTENED, key) is not None


def _matches(vm: VM, key: str, wanted: str) -> bool:
    if wanted.startswith("~"):
        import re  # noqa: PLC0415 - hardly anybody asks so

        return any(re.search(wanted[1:], _text(value), re.IGNORECASE) for value in values(vm, key))
    return any(_text(value) == wanted for value in values(vm, key))


def _filters(words: list[str], complaint: str) -> dict[str, str]:
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise Refused(f"Invalid argument: {word}\n{USAGE}", 2)
        if not (_known(key) or key in ("resolvers", "nics", "disks", "tags")):
            raise Refused(f'{complaint}: "{key}"')
        found[key] = value
    return found


def _option(words: list[str], name: str) -> str | None:
    if name not in words:
        return None
    at = words.index(name)
    if at + 1 >= len(words):
        raise Refused(f"Missing value for {name}\n{USAGE}", 2)
    value = words[at + 1]
    del words[at : at + 2]
    return value


def _flags(words: list[str], known: str) -> set[str]:
    flags = set()
    for word in [word for word in words if word.startswith("-")]:
        if set(word[1:]) - set(known):
            raise Refused(f"Invalid option: {word}\n{USAGE}", 2)
        flags |= set(word[1:])
        words.remove(word)
    return flags


def _check_fields(columns: list[str], order: list[str]) -> None:
    """Refuse columns of several values first, then fields that are none, those to sort by first."""
    for what, fields in (("order", columns), ("sort", order)):
        for field in fields:
            if field.startswith(("disks.*", "filesystems.*", "nics.*")):
                raise Refused(f'Invalid {what} key: "{field}"')
    for what, fields in (("sort", order), ("order", columns)):
        for field in fields:
            if not _known(field[1:] if what == "sort" and field[:1] in ("-", "+") else field):
                raise Refused(f"invalid {what} field: {field}")


def _list(process: Process, _pace: Pace, words: list[str]) -> int:
    columns = (_option(words, "-o") or "uuid,type,ram,state,alias").split(",")
    order = (_option(words, "-s") or "ram,uuid").split(",")
    flags = _flags(words, "Hp")
    filters = _filters(words, "Invalid filter key")
    _check_fields(columns, order)
    vms = [vm for vm in _vms(process) if all(_matches(vm, key, value) for key, value in filters.items())]
    for field in reversed(order):
        _sort(vms, field)
    if "p" in flags:
        for vm in vms:
            process.line(":".join(_cell(vm, column, "") for column in columns))
        return 0
    heads = [FIELDS.get(column, (column.upper(), WIDTH)) for column in columns]
    if "H" not in flags:
        process.line("  ".join(title.ljust(width) for title, width in heads).rstrip())
    for vm in vms:
        cells = [_cell(vm, column, "-") for column in columns]
        cells = [cell[:4] if column == "type" else cell for cell, column in zip(cells, columns, strict=True)]
        process.line("  ".join(cell.ljust(width) for cell, (_, width) in zip(cells, heads, strict=True)).rstrip())
    return 0


def _cell(vm: VM, column: str, empty: str) -> str:
    found = values(vm, column)
    value = found[0] if found else None
    return empty if value is None or value is False or value == "" else _text(value)


def _sort(vms: list[VM], field: str) -> None:
    name = field[1:] if field[:1] in ("-", "+") else field

    def place(vm: VM) -> tuple[bool, bool, float, str]:
        found = values(vm, name)
        value = found[0] if found else None
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return (not value, not numeric, float(value) if numeric else 0.0, _text(value))  # type: ignore[arg-type]  # numeric says it is one

    vms.sort(key=place, reverse=field.startswith("-"))


def _lookup(process: Process, _pace: Pace, words: list[str]) -> int:
    columns = _option(words, "-o")
    flags = _flags(words, "j1")
    filters = _filters(words, "Invalid lookup key")
    if columns is not None and "j" not in flags:
        raise Refused("Cannot specify -o without -j")
    vms = [vm for vm in _vms(process) if all(_matches(vm, key, value) for key, value in filters.items())]
    if "1" in flags and len(vms) != 1:
        raise Refused(f"Requested unique lookup but found {len(vms)} results.")
    if "j" not in flags:
        process.out("".join(f"{vm['uuid']}\n" for vm in vms))
        return 0
    if columns is not None:
        names = columns.split(",")
        vms = [{name: vm[name] for name in names if name in vm} for vm in vms]
    process.line(pretty(vms))
    return 0


VERBS = {"list": _list, "lookup": _lookup}
