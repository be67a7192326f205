"""zpool status: the report on a pool for people."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.poolhealth import LOST, Health

DEGRADED = "Sufficient replicas exist for\n\tthe pool to continue functioning in a degraded state."
REPLACE = "Online the device using 'zpool online' or replace the device with\n\t'zpool replace'."
NO_REPLICAS = "There are insufficient\n\treplicas for the pool to continue functioning."
CORRECTED = "An\n\tattempt was made to correct the error.  Applications are unaffected."
CLEAR = "clear the errors\n\tusing 'zpool clear' or replace the device with 'zpool replace'."
ATTACH = "Attach the missing device and online it using 'zpool online'."
# what is wrong -> status, action, article
REPORTS = {
    "corrupt": (
        "One or more devices has experienced an error resulting in data\n\tcorruption.  Applications may be affected.",
        "Restore the file in question if possible.  Otherwise restore the\n\tentire pool from backup.",
        "8A",
    ),
    "lost": (
        f"One or more devices could not be opened.  {NO_REPLICAS}",
        ATTACH,
        "3C",
    ),
    "suspended": (
        "One or more devices are faulted in response to IO failures.",
        "Make sure the affected devices are connected, then run 'zpool clear'.",
        "HC",
    ),
    "FAULTED": (
        f"One or more devices are faulted in response to persistent errors.\n\t{DEGRADED}",
        "Replace the faulted device, or use 'zpool clear' to mark the device\n\trepaired.",
        "K4",
    ),
    "UNAVAIL": (f"One or more devices could not be opened.  {DEGRADED}", ATTACH, "2Q"),
    "OFFLINE": (f"One or more devices has been taken offline by the administrator.\n\t{DEGRADED}", REPLACE, ""),
    "REMOVED": (f"One or more devices has been removed by the administrator.\n\t{DEGRADED}", REPLACE, ""),
    "errors": (
        f"One or more devices has experienced an unrecoverable error.  {CORRECTED}",
        f"Determine if the device needs to be replaced, and {CLEAR}",
        "9P",
    ),
}
NOTES = {"UNAVAIL": "  cannot open", "FAULTED": "  too many errors"}
DAMAGED = "/zones/archive/{:04d}.log"


def report(name: str, health: Health, *, verbose: bool) -> str:
    """The whole report; with ``verbose`` the damaged files by name."""
    lines = [f"  pool: {name}", f" state: {health.state}"]
    kind = _kind(health)
    if kind:
        status, action, article = REPORTS[kind]
        lines += [f"status: {status}", f"action: {action}"]
        lines += [f"   see: http://illumos.org/msg/ZFS-8000-{article}"] if article else []
    lines += ["  scan: none requested", "config:", "", "\tNAME        STATE     READ WRITE CKSUM"]
    lines += [_row(name, health.state), _row("  mirror-0", health.state if health.state != "SUSPENDED" else "UNAVAIL")]
    for disk, one in health.devices.items():
        counts = (one.read, one.write, one.checksum)
        lines.append(_row(f"    {disk}", one.state, counts) + NOTES.get(one.state, ""))
    return "\n".join([*lines, "", f"errors: {_errors(health, verbose=verbose)}"]) + "\n"


def _kind(health: Health) -> str:
    if health.state in LOST:
        return "lost"
    if health.state == "SUSPENDED":
        return "suspended"
    if health.errors:
        return "corrupt"
    states = {one.state for one in health.devices.values()}
    for state in ("FAULTED", "UNAVAIL", "REMOVED", "OFFLINE"):
        if state in states:
            return state
    if any(one.failures for one in health.devices.values()):
        return "errors"
    return "" if health.state == "ONLINE" else "UNAVAIL"


def _row(name: str, state: str, counts: tuple[int, ...] = (0, 0, 0)) -> str:
    return f"\t{name:<11} {state:<8} " + " ".join(f"{_count(one):>5}" for one in counts).removeprefix(" ")


def _count(number: int) -> str:
    return str(number) if number < 1000 else f"{number / 1000:.2f}K"  # noqa: PLR2004 - as the tool rounds


def _errors(health: Health, *, verbose: bool) -> str:
    if not health.errors:
        return "No known data errors"
    if not verbose:
        return f"{health.errors} data errors, use '-v' for a list"
    files = "".join(f"\n        {DAMAGED.format(number)}" for number in range(health.errors))
    return f"Permanent errors have been detected in the following files:\n{files}"
