"""pgrep -c: the processes of contracts. By name it finds nobody, for nobody else runs here."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.commands.options import Unknown, take
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.smf.contract import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

USAGE = "Usage: pgrep [-flnovx] [-c ctidlist] [pattern]"


def run(process: Process, _pace: Pace) -> int:
    """Print process ids, one a line; 1 when there are none."""
    try:
        options, _patterns = take(process.arguments, "flnovxc:")
    except Unknown as unknown:
        raise Refused(USAGE, 2) from unknown
    contracts = [one for one in dict(options).get("c", "").split(",") if one.isdigit()]
    found = [pid for contract in contracts for pid in members(int(contract))]
    process.out("".join(f"{pid}\n" for pid in found))
    return 0 if found else 1
