"""VM objects, as ``vmadm get`` shows them: the zone's XML joined with what index, kernel, pool and files know."""

from __future__ import annotations

import marshal

from chunter_nsq.smartos.simulator import jsontext, zonexml
from chunter_nsq.smartos.simulator.files import read_bytes, stamp, write_bytes
from chunter_nsq.smartos.simulator.host import facts
from chunter_nsq.smartos.simulator.pool import Dataset, Pool, Snapshot
from chunter_nsq.smartos.simulator.pools import open_pool
from chunter_nsq.smartos.simulator.values import iso, whole
from chunter_nsq.smartos.simulator.xmltree import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.world import World, Zone

CACHE = "var/cache/simulator/machines"
MIB, GIB = 2**20, 2**30
CONFIGS = ("metadata", "routes", "tags")
UNLIMITED = 18446744073709551615
TYPES = {"kvm": "KVM", "bhyve": "BHYV", "lx": "LX"}


def machine_type(vm: dict[str, Any]) -> str:
    """The value of ``type`` in lists: OS, LX, KVM or BHYV."""
    return TYPES.get(vm.get("brand", ""), "OS")


class PoolView:
    """What VM objects need of the pool, read once for many of them."""

    def __init__(self, pool: Pool, root: str | None = None) -> None:
        if root is None:
            datasets, snapshots = pool.datasets(), pool.snapshots(prefix="vmsnap-")
            guards = pool.snapshots(prefix="indestructible")
        else:
            datasets = pool.datasets(root) + pool.named(f"{root}-disk")
            snapshots = pool.snapshots(root, prefix="vmsnap-")
            guards = pool.snapshots(root, below=True, prefix="indestructible")
        self.datasets: dict[str, Dataset] = {one.name: one for one in datasets}
        self.snapshots: dict[str, list[Snapshot]] = {}
        for snapshot in snapshots:
            self.snapshots.setdefault(snapshot.dataset, []).append(snapshot)
        self.guarded = {one.dataset for one in guards if one.holds and one.short == "indestructible"}


class Machines:
    """All VM objects of a host; what was read from files is cached and checked against their stamps."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._facts = facts(world.root)

    def all(self) -> list[dict[str, Any]]:
        """Every VM, in the order of ``zoneadm list -cp``."""
        pool = open_pool(self._world.root)
        cache_path = self._world.path(CACHE)
        content = read_bytes(cache_path)
        known: dict[str, tuple[Any, dict[str, Any] | None]] = marshal.loads(content) if content else {}  # noqa: S302 - our own cache
        fresh: dict[str, tuple[Any, dict[str, Any] | None]] = {}
        stale = False
        with self._world.reading():
            zones = self._world._zones()  # noqa: SLF001 - under the lock that is held here
            for zone in zones:
                stamps = self._stamps(zone)
                one = known.get(zone.name)
                if one is None or one[0] != stamps:
                    stale = True
                    one = (stamps, self._from_files(zone))
                fresh[zone.name] = one
            view = PoolView(pool)
        pool.close()
        if stale or len(fresh) != len(known):
            write_bytes(cache_path, marshal.dumps(fresh))
        found = [(zone, *fresh[zone.name]) for zone in zones]
        return [self._join(zone, base, stamps, view) for zone, stamps, base in found if base is not None]

    def get(self, name: str) -> dict[str, Any] | None:
        """One VM by UUID or zone name."""
        zone = self._world.zone(name)
        return None if zone is None else self.of(zone)

    def of(self, zone: Zone) -> dict[str, Any] | None:
        """The VM object of a zone; None when its XML cannot be loaded."""
        pool = open_pool(self._world.root)
        try:
            view = PoolView(pool, zone.path.lstrip("/"))
        finally:
            pool.close()
        base = self._from_files(zone)
        return None if base is None else self._join(zone, base, self._stamps(zone), view)

    def _stamps(self, zone: Zone) -> tuple[Any, ...]:
        home = self._world.root + zone.path
        files = [
            self._world.xml_path(zone.name),
            *(f"{home}/config/{name}.json" for name in CONFIGS),
            f"{home}/lastexited",
        ]
        return tuple(stamp(file) for file in files)

    def _from_files(self, zone: Zone) -> dict[str, Any] | None:
        """The XML's object, with the configuration files under keys that no VM has."""
        content = read_bytes(self._world.xml_path(zone.name))
        if content is None:
            return None
        try:
            vm = zonexml.load(content)
        except (Malformed, zonexml.Unusable):
            return None
        home = self._world.root + zone.path
        for name in CONFIGS:
            vm[f"/{name}"] = _json_file(f"{home}/config/{name}.json")
        fields = (read_bytes(f"{home}/lastexited") or b"").split()
        if len(fields) == 2:  # noqa: PLR2004 - moment and status
            vm["/exited"] = [float(fields[0]), exit_status(int(fields[1]))]
        return vm

    def _join(self, zone: Zone, base: dict[str, Any], stamps: tuple[Any, ...], view: PoolView) -> dict[str, Any]:
        vm = {key: value for key, value in base.items() if key[0] != "/"}
        if "disks" in vm:
            vm["disks"] = [dict(disk) for disk in vm["disks"]]
        vm |= {"uuid": zone.uuid or zone.name, "zone_state": zone.state, "zonepath": zone.path}
        vm["hvm"] = vm["brand"] in zonexml.HVM_BRANDS
        if zone.zoneid is not None:
            vm["zoneid"] = zone.zoneid
        if zone.debugid is not None:
            vm["zonedid"] = zone.debugid
        modified = max((one[0] for one in stamps if one), default=0)
        vm["last_modified"] = iso(modified / 1e9, milliseconds=False)
        if zone.state != "running" and "/exited" in base:
            vm["exit_status"], vm["exit_timestamp"] = base["/exited"][1], iso(base["/exited"][0])
        vm.setdefault("resolvers", [])
        vm.setdefault("firewall_enabled", False)
        vm |= {"server_uuid": self._facts["server_uuid"], "platform_buildstamp": self._facts["platform"]}
        if "datacenter" in self._facts:
            vm["datacenter_name"] = self._facts["datacenter"]
        set_state(vm)
        if zone.active and zone.state == "running":
            vm["boot_timestamp"] = iso(zone.active.boot_seconds)
            vm["init_restarts"], vm["pid"] = zone.active.restarts, zone.active.pid
        metadata = base["/metadata"]
        vm["customer_metadata"] = metadata.get("customer_metadata", {})
        vm["internal_metadata"] = metadata.get("internal_metadata", {})
        vm["routes"], vm["tags"] = base["/routes"], base["/tags"]
        add_pool_facts(vm, view)
        return vm


def set_state(vm: dict[str, Any]) -> None:
    """The VM's state, from its zone's state, the transition under way and the marks it carries."""
    if "transition_to" not in vm or "state" not in vm:
        vm["state"] = "stopped" if vm["zone_state"] == "installed" else vm["zone_state"]
    if vm["state"] == "stopped" and vm.get("provisioning") is True:
        vm["state"] = "provisioning"
    if vm.get("failed"):
        vm["state"] = "failed"


def exit_status(status: int) -> int:
    """The wait status of init as the platform reports it."""
    if status == -1:
        return 0
    return status >> 8 if status & 0xFF == 0 else -(status & 0xFF)


def add_pool_facts(vm: dict[str, Any], view: PoolView) -> None:
    """Quota, record sizes, disks, snapshots: what the pool says about this VM."""
    name = vm["zonepath"].lstrip("/")
    root = view.datasets.get(name)
    if root is not None:
        vm["quota"] = whole(root.size("refquota" if vm["brand"] == "bhyve" else "quota") / GIB)
        if root.local.get("compression", "off") != "off":
            vm["zfs_root_compression"] = root.local["compression"]
        vm["zfs_root_recsize"] = root.size("recordsize") or 131072
        for key, local in (("zfs_filesystem_limit", "filesystem_limit"), ("zfs_snapshot_limit", "snapshot_limit")):
            if local in root.local and root.local[local] != "none":
                vm[key] = int(root.local[local])
        if name in view.guarded:
            vm["indestructible_zoneroot"] = True
        vm["zfs_filesystem"], vm["zpool"] = name, name.split("/")[0]
        _add_delegated(vm, view, f"{name}/data")
    for disk in vm.get("disks", ()):
        _add_disk_facts(disk, view)
    vm["snapshots"] = [
        {"name": one.short[7:], "size": whole(one.used / MIB), "created_at": iso(one.creation)}
        for one in sorted(view.snapshots.get(name, ()), key=lambda one: (-one.creation, -one.createtxg))
        if len(one.short) > len("vmsnap-")
    ]
    if vm["brand"] == "bhyve" and "flexible_disk_size" in vm and not any("missing" in one for one in vm["disks"]):
        names = [disk["zfs_filesystem"] for disk in vm["disks"] if "zfs_filesystem" in disk]
        taken = sum(view.datasets[one].size("volsize") + view.datasets[one].usedsnap for one in names)
        vm["free_space"] = int(vm["flexible_disk_size"] - taken / MIB)
    if vm["state"] == "receiving":
        _add_missing(vm, view, name)


def _add_delegated(vm: dict[str, Any], view: PoolView, name: str) -> None:
    data = view.datasets.get(name)
    if data is None:
        return
    if name in view.guarded:
        vm["indestructible_delegated"] = True
    if data.local.get("compression", "off") != "off":
        vm["zfs_data_compression"] = data.local["compression"]
    vm["zfs_data_recsize"] = data.size("recordsize") or 131072


def _add_disk_facts(disk: dict[str, Any], view: PoolView) -> None:
    path = str(disk.get("path", ""))
    volume = view.datasets.get(path.removeprefix("/dev/zvol/rdsk/")) if path.startswith("/dev/zvol/rdsk/") else None
    if volume is None:
        if path:
            disk["missing"] = True
        return
    disk["zfs_filesystem"], disk["zpool"] = volume.name, volume.name.split("/")[0]
    disk["size"] = whole(volume.size("volsize") / MIB)
    disk["compression"] = volume.local.get("compression", "off")
    disk["refreservation"] = -(-volume.size("refreservation") // MIB)
    disk["block_size"] = volume.size("volblocksize") or 8192


def _add_missing(vm: dict[str, Any], view: PoolView, name: str) -> None:
    datasets = [one for one in [name, *vm.get("datasets", [])] if one not in view.datasets]
    vm["missing"] = {
        "datasets": datasets,
        "disks": [disk["path"] for disk in vm.get("disks", ()) if "missing" in disk],
        "filesystems": [one["source"] for one in vm.get("filesystems", ()) if "source" in one],
    }


def _json_file(path: str) -> dict[str, Any]:
    content = read_bytes(path)
    if not content:
        return {}
    try:
        value: dict[str, Any] = jsontext.loads(content)
    except ValueError:
        return {}
    return value


def config_path(world: World, zonepath: str, name: str) -> str:
    """One of the configuration files beside the zone's root."""
    return f"{world.root}{zonepath}/config/{name}.json"
