"""sysinfo, prtconf and uname: what the machine says of itself."""

from __future__ import annotations

from chunter_nsq.smartos.simulator import jsontext
from chunter_nsq.smartos.simulator.host import facts, nic_tags, padded, usbkey
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process


def run(process: Process, _pace: Pace) -> int:
    """Play the tool the launcher was named for."""
    return {"sysinfo": _sysinfo, "prtconf": _prtconf, "uname": _uname}[process.tool](process)


def _prtconf(process: Process) -> int:
    memory_mib = facts(process.root)["memory_mib"]
    if process.arguments == ("-m",):
        process.line(str(memory_mib))
    else:
        process.line("System Configuration:  Oracle Corporation  i86pc")
        process.line(f"Memory size: {memory_mib} Megabytes")
        process.line("System Peripherals (Software Nodes):\n\ni86pc")
    return 0


def _uname(process: Process) -> int:
    known = facts(process.root)
    parts = {
        "s": "SunOS", "n": usbkey(process.root).get("hostname", known["hostname"]), "r": "5.11",
        "v": f"joyent_{known['platform']}", "m": "i86pc", "p": "i386", "i": "i86pc",
    }  # fmt: skip
    flags = "".join(word[1:] for word in process.arguments) or "s"
    if "a" in flags:
        flags = "snrvmpi"
    if set(flags) - set(parts):
        raise Refused("usage: uname [-snrvmapiX]", 2)
    process.line(" ".join(parts[flag] for flag in "snrvmpi" if flag in flags))
    return 0


def _sysinfo(process: Process) -> int:
    flags = set("".join(word[1:] for word in process.arguments))
    if flags - set("fpu"):
        raise Refused("Usage: sysinfo [-f] [-p|-u]", 1)
    if "u" in flags:
        return 0
    found = describe(process.root)
    if "p" in flags:
        for key, value in found.items():
            text = value if isinstance(value, str) else jsontext.dumps(value)
            process.line(f"{key.replace(' ', '_')}='{text}'")
    else:
        process.line(jsontext.dumps(found, indent=2))
    return 0


def describe(root: str) -> dict[str, Any]:
    """The whole object that sysinfo prints."""
    known, config = facts(root), usbkey(root)
    tags = nic_tags(root)
    interfaces = {
        one["link"]: {
            "MAC Address": one["mac"],
            "ip4addr": config.get("admin_ip", "")
            if any(t.name == "admin" and t.link == one["link"] for t in tags)
            else "",
            "Link Status": "up" if one["state"] == "up" else "down",
            "NIC Names": [tag.name for tag in tags if tag.link == one["link"]],
        }
        for one in known["phys"]
    }
    admin_mac = padded(config.get("admin_nic", known["phys"][0]["mac"]))
    return {
        "Live Image": known["platform"], "System Type": "SunOS", "Boot Time": str(known["boot_time"]),
        "Manufacturer": "Dell Inc.", "Product": "PowerEdge R620", "Serial Number": "XYZ1234", "SKU Number": "",
        "HW Version": "", "HW Family": "", "Setup": "true", "VM Capable": True, "Bhyve Capable": True,
        "Bhyve Max Vcpus": 32, "HVM API": True, "CPU Type": known["cpu_type"],
        "CPU Virtualization": known["cpu_virtualization"], "CPU Physical Cores": known["cpu_sockets"],
        "CPU Total Cores": known["cpu_threads"], "CPU Socket Count": known["cpu_sockets"],
        "CPU Core Count": known["cpu_cores"], "CPU Online Count": known["cpu_threads"],
        "CPU Count": known["cpu_threads"],
        "MiB of Memory": str(known["memory_mib"]), "Zpool": known["pool"], "Zpool Disks": "c1t0d0,c1t1d0",
        "Zpool Profile": "mirror", "Zpool Encrypted": False, "Zpool Recovery": {},
        "Zpool Creation": known["boot_time"] - 86400,
        "Zpool Size in GiB": known["pool_size_bytes"] // 2**30,
        "Disks": {"c1t0d0": {"Size in GB": 3200}, "c1t1d0": {"Size in GB": 3200}},
        "Boot Parameters": {
            "smartos": "true", "console": "text", "boot_args": "", "root_shadow": config.get("root_shadow", ""),
        },
        "Psrinfo": {}, "Network Interfaces": interfaces,
        "Virtual Network Interfaces": {
            "external0": {
                "MAC Address": "02:08:20:a6:f1:30", "ip4addr": "192.168.1.4", "Link Status": "up",
                "Host Interface": "igb1", "VLAN": config.get("external0_vlan_id", "0"),
            }
        },
        "Link Aggregations": {}, "Admin NIC Tag": "admin", "Admin IP": config.get("admin_ip", ""),
        "Admin MAC": admin_mac, "UUID": known["server_uuid"], "Hostname": config.get("hostname", known["hostname"]),
        "Datacenter Name": known.get("datacenter", ""),
    }  # fmt: skip
