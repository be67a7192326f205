"""``chunter call``."""

from __future__ import annotations

from typing import Any

import click

from chunter_nsq.cli import params
from chunter_nsq.cli.conversation import Order
from chunter_nsq.cli.doors import Doors, Name, nsq_options
from chunter_nsq.cli.signing import key_options
from chunter_nsq.cli.talk import Talk
from chunter_nsq.client import Key

_LONGEST_ID = 128

EXAMPLES = """\b
Examples:
  chunter call --host smartos01 machine.list
  chunter call --host smartos01 machine.stop --uuid UUID -p force=true
  chunter call --host smartos01 snapshot.create --uuid UUID -p snapshot=monday
  chunter call --host smartos01 machine.create -p payload=@vm.json
  chunter call --host smartos01 machine.update --uuid UUID \\
    -p payload.ram=2048 -p dry_run=true
  chunter call --host '*' host.ping --json
\b
Exit status: 0 succeeded, 1 failed, 2 wrong usage, 3 no final result in time,
4 rejected. With --host '*' the worst of all hosts.
"""


def _checked_id(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    del ctx, param
    if value is not None and not (0 < len(value) <= _LONGEST_ID and all("!" <= each <= "~" for each in value)):
        raise click.BadParameter(f"1 to {_LONGEST_ID} printable ASCII characters without blanks")
    return value


@click.command(epilog=EXAMPLES)
@click.argument("action")
@click.option("--host", required=True, help="The host's id or alias; '*' for all.")
@click.option("--uuid", help="The VM.")
@click.option("-p", "given", metavar="NAME=VALUE", multiple=True, help="A parameter: JSON, else text; @FILE; a.b=c.")
@click.option(
    "--params", "file", type=click.File(encoding="utf-8"), help="All parameters as a JSON object; - is stdin."
)
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=600.0, show_default=True, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON document for each host.")
@click.option("--no-wait", is_flag=True, help="Print the command's id and end.")
@click.option("--id", "command_id", callback=_checked_id, help="The command's id; the same id never runs twice.")
@click.option("--reply-to", type=Name(), help="The topic for the results, in the place of <prefix>.result.")
@key_options
@nsq_options
def call(  # noqa: PLR0913 - one for each option
    *,
    doors: Doors,
    action: str,
    host: str,
    uuid: str | None,
    given: tuple[str, ...],
    file: Any,
    timeout: float,
    as_json: bool,
    no_wait: bool,
    command_id: str | None,
    reply_to: str | None,
    key: Key | None,
) -> None:
    """Send the command ACTION to a host and wait for its result.

    A value of -p is JSON when it can be read as JSON (force=true, ram=512), else text; quote what must stay text:
    -p 'snapshot="2024"'. @FILE is the content of a file, @@x the text @x.
    """
    if not host or not action:
        raise click.UsageError("neither --host nor ACTION may be empty")
    try:
        wanted = params.read(given, None if file is None else file.read())
    except (params.ParamsInvalid, UnicodeDecodeError) as fault:
        raise click.UsageError(str(fault)) from None
    order = Order(action, host, uuid, wanted, command_id, reply_to, key)
    raise SystemExit(Talk(doors, order, timeout, is_json=as_json, is_waiting=not no_wait).run())
