"""chunter simulator: a SmartOS host to try things on, made in a directory."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import click

from chunter_nsq.cli import corpus as recorded
from chunter_nsq.cli.overview import Overview
from chunter_nsq.smartos.simulator import create as create_host
from chunter_nsq.smartos.simulator import faults as fault_store
from chunter_nsq.smartos.simulator import poolhealth
from chunter_nsq.smartos.simulator.smf import hand

EXAMPLES = """\b
Examples:
  chunter simulator create /tmp/host --zones 3
  /tmp/host/usr/sbin/vmadm list
  /tmp/host/usr/sbin/zoneadm list -cp
"""

FAULTS = """\b
Examples:
  chunter simulator fault DIR vmadm start --exit 1 --stderr 'ECONNREFUSED'
  chunter simulator fault DIR zoneadm list --delay 5 --times 2
  chunter simulator fault DIR vmadm create --kill-after-step incomplete
\b
Steps of vmadm:
  create  validate, configured, incomplete, installed, ready, running,
          provisioning
  start   autoboot, ready, running
  stop    autoboot, shutdown, shutting_down, down, halted
  delete  autoboot, shutting_down, down, halted, incomplete, datasets,
          configured
"""

SERVICES = """\b
Examples:
  chunter simulator service DIR global ssh maintenance
  chunter simulator service DIR ZONE svc:/application/shop:default online
  chunter simulator service DIR ZONE cron failing
"""

POOLS = """\b
Examples:
  chunter simulator pool DIR --health DEGRADED
  chunter simulator pool DIR --device c1t1d0=ONLINE:0:0:12
  chunter simulator pool DIR --used 91
"""


@click.group(cls=Overview, epilog=EXAMPLES)
def simulator() -> None:
    """A SmartOS host to try things on, made in a directory.

    Point the agent at it with platform_root = /tmp/host. Everything the host knows lies below the directory: move it,
    copy it, look into etc/zones and invocations.jsonl, delete it when done.
    """


@simulator.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--zones", default=0, show_default=True, metavar="N", help="VMs that run on it from the start.")
@click.option("--services", default=0, metavar="N", help="SMF services in each of them; the usual ones when not given.")
@click.option("--snapshots", default=0, show_default=True, metavar="N", help="ZFS snapshots of each of them.")
@click.option(
    "--zfs", default="simulated", show_default=True, metavar="simulated|host:POOL", help="Where datasets live."
)
@click.option(
    "--latency",
    type=click.Choice(["none", "realistic"]),
    default="none",
    show_default=True,
    help="How long commands take; change single verbs in DIR/var/simulator/latency.json, in seconds.",
)
@click.option("--memory", "memory_mib", type=int, metavar="MIB", help="Physical memory; 130934 MiB when not given.")
def create(
    directory: Path, zones: int, services: int, snapshots: int, zfs: str, latency: str, memory_mib: int | None
) -> None:
    """Make a host in DIRECTORY, which must be empty or absent."""
    try:
        root = create_host(
            directory,
            zones=zones,
            services=services,
            snapshots=snapshots,
            zfs=zfs,
            latency=latency,
            memory_mib=memory_mib,
        )
    except (FileExistsError, ValueError) as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"{root} is a SmartOS host with {zones} VMs. Try: {root}/usr/sbin/vmadm list")


@simulator.command(epilog=FAULTS)
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("tool")
@click.argument("subcommand", required=False)
@click.option("--exit", "exit_status", type=int, metavar="N", help="End with this status; nothing is done.")
@click.option("--stderr", metavar="TEXT", help="Say this on stderr.")
@click.option("--delay", type=float, metavar="S", help="Wait this long first; alone, the real thing follows.")
@click.option("--times", type=int, metavar="N", help="Only for the next N invocations; for all when not given.")
@click.option("--truncate", type=int, metavar="BYTES", help="Let only so much of stdout out.")
@click.option("--hang", is_flag=True, help="Never end.")
@click.option("--garbage", is_flag=True, help="Say what is neither text nor JSON.")
@click.option("--flood", type=int, metavar="BYTES", help="Say this much, meaning nothing.")
@click.option("--denied", is_flag=True, help="Refuse as for somebody who is not root.")
@click.option("--kill-after-step", "kill_after", metavar="NAME", help="Die by SIGKILL after this step of the verb.")
def fault(directory: Path, tool: str, subcommand: str | None, **effects: object) -> None:
    """Make TOOL fail in DIRECTORY, only for SUBCOMMAND when given.

    SUBCOMMAND may be several words: each must be among the arguments.
    """
    effects["exit"] = effects.pop("exit_status")
    chosen = {name: value for name, value in effects.items() if value is not None and value is not False}
    if not set(chosen) - {"times"}:
        raise click.UsageError("say what shall go wrong: --exit, --stderr, --delay, --truncate, --hang, ...")
    fault_store.add(str(directory.absolute()), {"tool": tool, "subcommand": subcommand, **chosen})
    click.echo(f"set: {tool} {subcommand or ''} {json.dumps(chosen)}")


@simulator.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--clear", is_flag=True, help="Remove them all.")
def faults(directory: Path, *, clear: bool) -> None:
    """List the faults that are set in DIRECTORY."""
    root = str(directory.absolute())
    if clear:
        click.echo(f"{fault_store.clear(root)} removed")
        return
    for one in fault_store.load(root):
        click.echo(json.dumps(one))


@simulator.command(epilog=SERVICES)
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("zone")
@click.argument("service")
@click.argument("state", type=click.Choice(hand.WORDS))
def service(directory: Path, zone: str, service: str, state: str) -> None:
    """Put a SERVICE of a ZONE (a name, or global) in DIRECTORY into a STATE, at once.

    failing: whatever starts it from now on, svcadm or a boot of the zone, ends in maintenance, until it is working.
    fresh: as the zone came. A whole FMRI that the zone does not have makes a new service.
    """
    try:
        click.echo(f"{hand.lay(str(directory.absolute()), zone, service, state)} is {state}")
    except ValueError as fault:
        raise click.ClickException(str(fault)) from fault


@simulator.command(epilog=POOLS)
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--health", type=click.Choice(poolhealth.POOL_STATES), help="The pool's state; ONLINE heals everything.")
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="NAME=STATE[:READ:WRITE:CKSUM]",
    help=f"A disk ({', '.join(poolhealth.DEVICES)}), and how often it failed.",
)
@click.option("--errors", type=click.IntRange(min=0), help="Files that are damaged.")
@click.option("--used", type=click.IntRange(0, 100), metavar="PERCENT", help="How full it is.")
def pool(directory: Path, health: str | None, devices: tuple[str, ...], errors: int | None, used: int | None) -> None:
    """Make the pool in DIRECTORY ill, or full."""
    root = str(directory.absolute())
    try:
        chosen = dict(poolhealth.device(text) for text in devices)
        if used is not None:
            poolhealth.fill(root, used)
    except ValueError as fault:
        raise click.ClickException(str(fault)) from fault
    if health is not None or chosen or errors is not None:
        poolhealth.ail(root, health, chosen, errors)
    now = poolhealth.load(root)
    click.echo(f"zones is {now.state}" if used is None else f"zones is {now.state} and {used}% full")


@simulator.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dump", type=click.Path(path_type=Path), metavar="OUT.jsonl", help="Write what we say, a case a line.")
@click.option("--show", default=5, show_default=True, metavar="N", help="How many disagreements to show.")
def judge(file: Path, dump: Path | None, show: int) -> None:
    """Compare our verdicts with those of the platform's own code, recorded in FILE.

    The last line is a summary: {"kind", "cases", "agree"}. Exits 1 when a case disagrees, 2 when FILE holds no cases.
    """
    try:
        corpus = recorded.load(file)
    except recorded.Unreadable as fault:
        raise click.BadParameter(f"{file} {fault}", param_hint="FILE") from fault
    agree = wrong = 0
    with dump.open("w") if dump else nullcontext() as out:
        for at, (case, ours) in enumerate(recorded.verdicts(corpus)):
            if out:
                out.write(json.dumps(ours) + "\n")
            differs = recorded.differing(case, ours)
            agree += recorded.is_told(case) and not differs
            wrong += bool(differs)
            if differs and wrong <= show:
                name = case.get("id", case.get("name", at))
                click.echo(json.dumps({"case": name, "differs": differs, "ours": ours}))
    click.echo(json.dumps({"kind": corpus["kind"], "cases": len(corpus["cases"]), "agree": agree}))
    if wrong:
        raise SystemExit(1)
