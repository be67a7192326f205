"""dladm and ipadm: the host's links, VNICs, etherstubs and addresses."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.commands.columns import Call, show
from chunter_nsq.smartos.simulator.host import facts, nic_tags, trimmed, usbkey
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.values import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

PHYS = words("link media state speed duplex device")
MACS = ["link", "slot", "address", "inuse", "client"]
VNIC = words("link over speed macaddress macaddrtype vid zone")
LINK = words("link class mtu state bridge over zone")
ADDRESS = words("addrobj type state current persistent addr")


def run(process: Process, _pace: Pace) -> int:
    """Play dladm or ipadm."""
    words = process.arguments
    verbs = {"dladm": DLADM, "ipadm": IPADM}[process.tool]
    if not words or words[0] not in verbs:
        raise Refused(f"usage: {process.tool} <subcommand> <args> ...", 1)
    return verbs[words[0]](process, Call(words[1:], "z"))


def _show_phys(process: Process, call: Call) -> int:
    phys = facts(process.root)["phys"]
    rows = [
        {
            "link": one["link"], "media": "Ethernet", "state": one["state"], "speed": str(one["speed"]),
            "duplex": "full" if one["state"] == "up" else "half", "device": one["link"],
            "slot": "primary", "address": trimmed(one["mac"]), "inuse": "yes" if one["state"] == "up" else "no",
        }
        for one in phys
    ]  # fmt: skip
    rows = _named(process, call, rows)
    return show(process, call, rows, MACS, MACS) if "m" in call.flags else show(process, call, rows, PHYS, PHYS)


def _vnics(root: str) -> list[dict[str, str]]:
    from chunter_nsq.smartos.simulator.machine import Machines  # noqa: PLC0415 - only this listing needs it
    from chunter_nsq.smartos.simulator.world import World  # noqa: PLC0415 - only this listing needs it

    links = {tag.name: tag.link if tag.kind != "etherstub" else tag.name for tag in nic_tags(root)}
    config = usbkey(root)
    rows = []
    if config.get("external0_ip"):
        over = links.get("external", "igb1")
        rows.append(
            {
                "link": "external0",
                "over": over,
                "speed": "1000",
                "macaddress": "2:8:20:a6:f1:30",
                "macaddrtype": "random",
                "vid": config.get("external0_vlan_id", "0"),
                "zone": "",
            }
        )
    for vm in Machines(World(root)).all():
        if vm["zone_state"] not in ("running", "ready"):
            continue
        for nic in vm["nics"]:
            over = links.get(nic.get("nic_tag", ""), "-")
            rows.append(
                {
                    "link": nic["interface"],
                    "over": over,
                    "speed": "1000",
                    "macaddress": trimmed(nic["mac"]),
                    "macaddrtype": "fixed",
                    "vid": str(nic.get("vlan_id", 0)),
                    "zone": vm["zonename"],
                }
            )
    return rows


def _show_vnic(process: Process, call: Call) -> int:
    rows = _vnics(process.root)
    if "z" in call.values:
        rows = [row for row in rows if row["zone"] == call.values["z"]]
    return show(process, call, _named(process, call, rows), VNIC, VNIC)


def _show_link(process: Process, call: Call) -> int:
    rows = [
        {"link": one["link"], "class": "phys", "mtu": "1500", "state": one["state"], "over": ""}
        for one in facts(process.root)["phys"]
    ]
    rows += [
        {"link": stub["link"], "class": "etherstub", "mtu": "9000", "state": "unknown"} for stub in _stubs(process.root)
    ]
    rows += [
        {"link": row["link"], "class": "vnic", "mtu": "1500", "state": "up", "over": row["over"], "zone": row["zone"]}
        for row in _vnics(process.root)
    ]
    return show(process, call, _named(process, call, rows), LINK, LINK)


def _stubs(root: str) -> list[dict[str, str]]:
    return [{"link": tag.name} for tag in nic_tags(root) if tag.kind == "etherstub"]


def _show_etherstub(process: Process, call: Call) -> int:
    if call.parsable and call.columns is None:
        call.columns = ["link"]
    return show(process, call, _named(process, call, _stubs(process.root)), ["link"], ["link"])


def _show_aggr(process: Process, call: Call) -> int:
    config = usbkey(process.root)
    rows = [{"link": key[:-5], "policy": "L4"} for key in config if key.endswith("_aggr")]
    known = words("link policy addrpolicy lacpactivity lacptimer flags")
    return show(process, call, rows, known, known)


def _show_addr(process: Process, call: Call) -> int:
    config = usbkey(process.root)
    rows = [{"addrobj": "lo0/v4", "type": "static", "state": "ok", "addr": "127.0.0.1/8"}]
    for tag in nic_tags(process.root):
        link = tag.link if tag.name == "admin" else f"{tag.name}0"
        address = config.get(f"{tag.name}_ip") or config.get(f"{tag.name}0_ip")
        if not address:
            continue
        if address == "dhcp":
            rows.append({"addrobj": f"{link}/v4", "type": "dhcp", "state": "ok", "addr": "192.168.1.4/24"})
        else:
            mask = config.get(f"{tag.name}_netmask") or config.get(f"{tag.name}0_netmask") or "255.255.255.0"
            bits = sum(int(part).bit_count() for part in mask.split("."))
            rows.append({"addrobj": f"{link}/_a", "type": "static", "state": "ok", "addr": f"{address}/{bits}"})
    rows.append({"addrobj": "lo0/v6", "type": "static", "state": "ok", "addr": "::1/128"})
    rows = [row | {"current": "U----", "persistent": "---"} for row in rows]
    if call.name is not None:
        rows = [
            row for row in rows if row["addrobj"] == call.name or row["addrobj"].split("/")[0] == call.name.rstrip("/")
        ]
        if not rows:
            raise Refused("ipadm: Could not get address: Object not found")
    return show(process, call, rows, ADDRESS, ["addrobj", "type", "state", "addr"])


def _named(process: Process, call: Call, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    if call.name is None:
        return rows
    rows = [row for row in rows if row["link"] == call.name]
    if not rows:
        raise Refused(f"{process.tool}: invalid link name '{call.name}'")
    return rows


DLADM = {
    "show-phys": _show_phys, "show-vnic": _show_vnic, "show-link": _show_link,
    "show-etherstub": _show_etherstub, "show-aggr": _show_aggr,
}  # fmt: skip
IPADM = {"show-addr": _show_addr}
