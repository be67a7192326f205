"""svcprop: properties of services, as far as scripts ask for them."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.commands.options import Unknown, take
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.smf import imported
from chunter_nsq.smartos.simulator.smf.patterns import matching
from chunter_nsq.smartos.simulator.smf.repository import FALSE, TRUE, Host, Repository, reach
from chunter_nsq.smartos.simulator.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process
    from chunter_nsq.smartos.simulator.smf.repository import Service

USAGE = "Usage: svcprop [-fqtv] [-p [name/]name] [-z zone] {FMRI | pattern} ..."
TYPES = {"general/enabled": "boolean", "restarter/start_pid": "count", "restarter/contract": "count"}
EMPTY = '""'


def run(process: Process, _pace: Pace) -> int:
    """Print the properties; the exit status."""
    try:
        options, patterns = take(process.arguments, "fqtvp:z:")
    except Unknown as unknown:
        raise Refused(USAGE, 2) from unknown
    if not patterns:
        raise Refused(USAGE, 2)
    host = Host(process.root)
    zone = dict(options).get("z", "global")
    boot = host.global_boot if zone == "global" else reach("svcprop", World(process.root), zone)
    services = {one.fmri: one for one in Repository(host, boot).services(time.time())}
    found = matching(patterns[0], services)
    if not found:
        raise Refused(f"svcprop: Pattern '{patterns[0]}' doesn't match any entities")
    known = properties(process.root, services[found[0]])
    wanted = [value for letter, value in options if letter == "p"]
    for name in wanted:
        if name not in known:
            raise Refused(f"svcprop: Couldn't find property `{name}' for instance `{found[0]}'.")
    for name in wanted or known:
        value = known[name] or EMPTY
        process.line(value if len(wanted) == 1 else f"{name} {TYPES.get(name, 'astring')} {value}")
    return 0


def properties(root: str, service: Service) -> dict[str, str]:
    """By name; a value may be empty."""
    doing = imported.status(root, service.fmri)
    return {
        "general/enabled": TRUE if service.enabled else FALSE,
        "restarter/state": service.phase.state,
        "restarter/next_state": service.phase.next_state.replace("-", "none"),
        "restarter/start_pid": str(doing.get("start_pid", "")),
        "restarter/contract": str(doing.get("contract", "")),
        "restarter/logfile": f"/var/svc/log/{imported.file_name(service.fmri)}.log",
    }
