"""svccfg: manifests become services, and services go."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.files import read_bytes
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.smf import imported
from chunter_nsq.smartos.simulator.smf.importing import bring, take_away
from chunter_nsq.smartos.simulator.smf.manifest import Unfit, read
from chunter_nsq.smartos.simulator.smf.patterns import matching
from chunter_nsq.smartos.simulator.smf.repository import Host, Repository
from chunter_nsq.smartos.simulator.smf.requests import here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

USAGE = "Usage:\tsvccfg [-v] import|validate <file> ...\n\tsvccfg [-v] delete [-f] <service>\n\tsvccfg list [pattern]"


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status."""
    words = [word for word in process.arguments if word != "-v"]
    verb, operands = (words[0], words[1:]) if words else ("", [])
    if verb in ("import", "validate") and operands:
        return max(_file(process, verb, file) for file in operands)
    if verb == "delete" and operands and operands[-1] != "-f":
        return _delete(process, operands[-1], force="-f" in operands)
    if verb == "list":
        return _list(process, operands)
    raise Refused(USAGE, 2)


def _file(process: Process, verb: str, file: str) -> int:
    document = read_bytes(file)
    if document is None:
        raise Refused(f"svccfg: Could not open file ({file}): No such file or directory.")
    try:
        if verb == "validate":
            read(document)
        else:
            bring(process.root, document)
    except Unfit as fault:
        raise Refused(f"svccfg: {fault}") from fault
    return 0


def _delete(process: Process, pattern: str, *, force: bool) -> int:
    host = Host(process.root)
    found = matching(pattern, imported.all_of(process.root))
    if not found:
        raise Refused(f"svccfg: Pattern '{pattern}' doesn't match any instances or services")
    for fmri in found:
        state = here(Repository(host, host.global_boot), fmri, time.time()).state
        if state in ("online", "degraded") and not force:
            raise Refused(f"svccfg: Instance {fmri} may not be deleted: it is {state}")
        take_away(process.root, fmri)
    return 0


def _list(process: Process, operands: list[str]) -> int:
    host = Host(process.root)
    names = {one.fmri for one in Repository(host, host.global_boot).services(time.time())}
    services = sorted({one.rpartition(":")[0].removeprefix("svc:/") for one in names if one.startswith("svc:/")})
    for name in services:
        if not operands or matching(operands[0], [f"svc:/{name}:default"]):
            process.line(name)
    return 0
