"""``chunter restore``."""

from __future__ import annotations

import click

from chunter_nsq.cli.shorthand import STATUSES, Terms, order_options

EXAMPLES = f"""\b
Examples:
  chunter restore VM monday --dry-run    what it would read, and how much
  chunter restore VM monday              the machine as it was on monday
  chunter restore VM monday --as NEW     beside it, as another machine
  chunter restore VM monday --host hv2   on a host that never had it
\b
{STATUSES}
\b
Another store than the host's own, or backups of the first chunter (they have
no manifests): chunter call --host HOST backup.restore --uuid VM ..., which
takes s3, parents and sha1.
"""


@click.command(epilog=EXAMPLES)
@click.argument("vm")
@click.argument("snapshot")
@click.option("--as", "as_uuid", metavar="UUID", help="Make it a machine of this uuid; the old one is not touched.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@order_options(86400.0, can_leave=True)
def restore(*, terms: Terms, vm: str, snapshot: str, as_uuid: str | None, dry_run: bool) -> None:
    """Bring the stopped machine VM back to its backup SNAPSHOT, or make it anew from that.

    All that the backup needs is received beside the machine, each part compared with what was stored; then the two
    change places. Until that is proven the machine stays as it is, and whatever goes wrong before leaves it alone.
    The machine must be stopped; it is not started.
    """
    wanted = {"snapshot": snapshot, "as_uuid": as_uuid, "dry_run": dry_run or None}
    params = {name: value for name, value in wanted.items() if value is not None}
    raise SystemExit(terms.talk(terms.order("backup.restore", vm, params)).run())
