"""zoneadm: lists zones and moves them from state to state."""

from __future__ import annotations

from chunter_nsq.smartos.simulator import lifecycle
from chunter_nsq.smartos.simulator.files import make_folder
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.world import ACTIVE_STATES, World, Zone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

USAGE = """\
usage:\thelp
\tzoneadm [-R root] [-u uuid|-z zone] <subcommand> [arguments]
\t<subcommand> is one of: boot, halt, ready, reboot, shutdown, list, verify, mark, install, uninstall"""
HEADER = f"{'ID':>4} {'NAME':<16} {'STATUS':<10} {'PATH':<30} {'BRAND':<8} {'IP':<6}"


class Call:
    """The command line, taken apart."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self.name: str | None = None
        self.uuid: str | None = None
        words = list(arguments)
        while words and words[0] in ("-z", "-u", "-R"):
            if len(words) < 2:  # noqa: PLR2004 - an option and its value
                raise Refused(USAGE, 2)
            option, value = words.pop(0), words.pop(0)
            if option == "-z":
                self.name = value
            elif option == "-u":
                self.uuid = value
        if not words:
            raise Refused(USAGE, 2)
        self.verb, self.options = words[0], words[1:]

    @property
    def target(self) -> str | None:
        """The zone that is meant; a UUID decides over a name."""
        return self.uuid or self.name


def run(process: Process, pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    call = Call(process.arguments)
    world = World(process.root)
    if call.verb in ("help", "-h", "-?"):
        process.line(USAGE)
        return 0
    if call.verb == "list":
        return _list(process, world, call)
    verb = VERBS.get(call.verb)
    if verb is None:
        raise Refused(f"zoneadm: {call.verb}: unknown subcommand\n{USAGE}", 2)
    if call.target is None:
        raise Refused(f"zoneadm: zone name is required\n{USAGE}", 2)
    if call.target == "global":
        raise Refused(f"zoneadm: zone 'global': {call.verb} operation is invalid for the global zone.")
    zone = _find(world, call.target)
    with world.zone_lock(zone.name):
        return verb(process, world, _find(world, call.target), pace)


def _find(world: World, target: str) -> Zone:
    zone = world.zone(target)
    if zone is None:
        raise Refused(f"zoneadm: {target}: No such zone configured")
    return zone


def _list(process: Process, world: World, call: Call) -> int:
    flags = "".join(option[1:] for option in call.options if option.startswith("-"))
    if set(flags) - set("cinpv") or any(not option.startswith("-") for option in call.options):
        raise Refused(f"zoneadm: list: invalid option\n{USAGE}", 2)
    if "p" in flags and "v" in flags:
        raise Refused(f"zoneadm: list -p and -v are mutually exclusive.\n{USAGE}", 2)
    if call.target is not None:
        if "c" in flags or "i" in flags:
            raise Refused(USAGE, 2)
        zones = [] if call.target == "global" else [_find(world, call.target)]
        with_global = call.target == "global"
    else:
        zones = [zone for zone in world.zones() if _listed(zone, flags)]
        with_global = "n" not in flags
    if "p" in flags:
        lines = ["0:global:running:/::liveimg:shared:0"] if with_global else []
        lines += [parsable(zone) for zone in zones]
    elif "v" in flags:
        lines = [HEADER] + ([_verbose("0", "global", "running", "/", "liveimg", "shared")] if with_global else [])
        lines += [_human(zone) for zone in zones]
    else:
        lines = (["global"] if with_global else []) + [zone.name for zone in zones]
    process.out("".join(f"{line}\n" for line in lines))
    return 0


def _listed(zone: Zone, flags: str) -> bool:
    if "c" in flags or zone.state in ACTIVE_STATES:
        return True
    return "i" in flags and zone.state == "installed"


def parsable(zone: Zone) -> str:
    """A zone as ``zoneadm list -p`` prints it: eight fields."""
    zoneid = "-" if zone.zoneid is None else zone.zoneid
    debugid = "" if zone.debugid is None else zone.debugid
    path = zone.path.replace(":", "\\:")
    return f"{zoneid}:{zone.name}:{zone.state}:{path}:{zone.uuid}:{zone.brand}:{_ip_type(zone)}:{debugid}"


def _human(zone: Zone) -> str:
    zoneid = "-" if zone.zoneid is None else str(zone.zoneid)
    return _verbose(zoneid, zone.name, zone.state, zone.path, zone.brand, _ip_type(zone))


def _verbose(*columns: str) -> str:
    zoneid, name, state, path, brand, ip_type = columns
    return f"{zoneid:>4} {name:<16} {state:<10} {path:<30} {brand:<8} {ip_type:<6}"


def _ip_type(zone: Zone) -> str:
    return "excl" if zone.exclusive else "shared"


def _boot(process: Process, world: World, zone: Zone, pace: Pace) -> int:
    if zone.state == "configured":
        raise Refused(f"zoneadm: zone '{zone.name}': must be installed before boot.")
    if zone.state == "incomplete":
        raise Refused(f"zoneadm: zone '{zone.name}': zone is incomplete; uninstall required.")
    if zone.state == "running":
        process.err(f"zone '{zone.name}': zone is already booted")
        return 0
    if zone.state not in ("installed", "ready"):
        process.err(f"zone '{zone.name}': boot operation is invalid for zones in state '{zone.state}'")
        raise Refused(f"zoneadm: zone '{zone.name}': call to zoneadmd failed")
    lifecycle.boot(world, zone.name, pace)
    return 0


def _ready(process: Process, world: World, zone: Zone, pace: Pace) -> int:
    if zone.state == "ready":
        process.err(f"zone '{zone.name}': zone is already ready")
        return 0
    if zone.state != "installed":
        raise Refused(f"zoneadm: zone '{zone.name}': must be installed before ready.")
    world.make_ready(zone.name)
    pace.step("ready", 1.0)
    return 0


def _halt(process: Process, world: World, zone: Zone, pace: Pace) -> int:
    if zone.state == "installed":
        process.err(f"zone '{zone.name}': zone is already halted")
        return 0
    if zone.state not in ACTIVE_STATES:
        raise Refused(f"zone '{zone.name}': halt operation is invalid for zones in state '{zone.state}'")
    lifecycle.halt(world, zone.name, pace)
    return 0


def _shutdown(process: Process, world: World, zone: Zone, pace: Pace) -> int:
    _require_running(zone)
    lifecycle.halt(world, zone.name, pace, 0.5 if "-r" in process.arguments else 1.0)
    if "-r" in process.arguments:
        lifecycle.boot(world, zone.name, pace, 0.5)
    return 0


def _reboot(_process: Process, world: World, zone: Zone, pace: Pace) -> int:
    _require_running(zone)
    lifecycle.halt(world, zone.name, pace, 0.5)
    lifecycle.boot(world, zone.name, pace, 0.5)
    return 0


def _require_running(zone: Zone) -> None:
    if zone.state not in ACTIVE_STATES:
        raise Refused(f"zoneadm: zone '{zone.name}': not running")


def _install(_process: Process, world: World, zone: Zone, pace: Pace) -> int:
    if zone.state == "incomplete":
        raise Refused(f"zoneadm: zone '{zone.name}': zone is incomplete; uninstall required.")
    if zone.state != "configured":
        raise Refused(f"zoneadm: zone '{zone.name}': is already installed.")
    world.mark(zone.name, "incomplete")
    make_folder(world.root + zone.path + "/root")
    pace.step("incomplete", 0.8)
    world.mark(zone.name, "installed")
    pace.step("installed", 0.2)
    return 0


def _uninstall(process: Process, world: World, zone: Zone, pace: Pace) -> int:
    if zone.state in ACTIVE_STATES:
        raise Refused(f"zoneadm: zone '{zone.name}': uninstall operation is invalid for running zones.")
    if zone.state == "configured":
        raise Refused(f"zoneadm: zone '{zone.name}': uninstall: is already in state 'configured'.")
    if "-F" not in process.arguments:
        raise Refused(f"zoneadm: zone '{zone.name}': Input not from terminal and -F not specified: uninstall aborted.")
    world.mark(zone.name, "incomplete")
    pace.step("incomplete", 0.8)
    world.mark(zone.name, "configured")
    pace.step("configured", 0.2)
    return 0


def _mark(process: Process, world: World, zone: Zone, _pace: Pace) -> int:
    if process.arguments[-1] != "incomplete":
        raise Refused(f"zoneadm: invalid state: {process.arguments[-1]}\n{USAGE}", 2)
    world.mark(zone.name, "incomplete")
    return 0


def _verify(_process: Process, _world: World, _zone: Zone, _pace: Pace) -> int:
    return 0


VERBS = {
    "boot": _boot, "ready": _ready, "halt": _halt, "shutdown": _shutdown, "reboot": _reboot, "install": _install,
    "uninstall": _uninstall, "mark": _mark, "verify": _verify,
}  # fmt: skip
