"""``chunter call``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from chunter_nsq.authority import KeysInvalid, read_keys
from chunter_nsq.cli import answer, params
from chunter_nsq.cli.conversation import Data, Order, every, is_final, one
from chunter_nsq.cli.display import display
from chunter_nsq.cli.doors import Doors, Name, nsq_options, speak
from chunter_nsq.cli.exits import Exit, of_status
from chunter_nsq.client import Key

_LONGEST_ID = 128
_EVERYBODY = "*"

EXAMPLES = """\b
Examples:
  chunter call --host smartos01 machine.list
  chunter call --host smartos01 machine.stop --uuid UUID -p force=true
  chunter call --host smartos01 snapshot.create --uuid UUID -p snapshot=before-update
  chunter call --host smartos01 machine.create -p payload=@vm.json -p start=false
  chunter call --host smartos01 machine.update --uuid UUID -p payload.ram=2048 -p dry_run=true
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
@click.option("--json", "as_json", is_flag=True, help="The final result as one JSON document.")
@click.option("--no-wait", is_flag=True, help="Print the command's id and end.")
@click.option("--id", "command_id", callback=_checked_id, help="The command's id; the same id never runs twice.")
@click.option("--reply-to", type=Name(), help="The topic for the results, in the place of <prefix>.result.")
@click.option("--key-file", type=click.Path(dir_okay=False, path_type=Path), help="Keys to sign with (JSON).")
@click.option("--key", "key_name", help="The key's name; not needed when there is one only.")
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
    key_file: Path | None,
    key_name: str | None,
) -> None:
    """Send the command ACTION to a host and wait for its result.

    A value of -p is JSON when it can be read as JSON (force=true, ram=512), else text; quote what must stay text:
    -p 'snapshot="2024"'. @FILE is the content of a file, @@x the text @x.
    """
    if not host or not action:
        raise click.UsageError("neither --host nor ACTION may be empty")
    try:
        wanted = params.read(given, None if file is None else file.read())
        order = Order(action, host, uuid, wanted, command_id, reply_to, _key(key_file, key_name))
    except (params.ParamsInvalid, KeysInvalid, UnicodeDecodeError) as fault:
        raise click.UsageError(str(fault)) from None
    sent: list[str] = []
    try:
        status = speak(_talk(doors, order, timeout, sent, is_json=as_json, is_waiting=not no_wait))
    except KeyboardInterrupt:
        if sent:
            click.echo(f"The command goes on. Ask with: {answer.asking(host, sent[0])}", err=True)
        status = Exit.STOPPED
    raise SystemExit(status)


def _key(file: Path | None, name: str | None) -> Key | None:
    if file is None:
        if name is not None:
            raise click.UsageError("--key needs --key-file")
        return None
    keys = read_keys(file)
    if name is None and len(keys) == 1:
        name = next(iter(keys))
    if name is None or name not in keys:
        raise click.UsageError(f"--key must be one of those in {file}: {', '.join(keys)}")
    return Key(name, keys[name].secret)


async def _talk(
    doors: Doors, order: Order, timeout_seconds: float, sent: list[str], *, is_json: bool, is_waiting: bool
) -> Exit:
    async with doors.client() as client:
        command = await order.send(client)
        sent.append(command)
        if not is_waiting:
            click.echo(json.dumps({"command": command}) if is_json else command)
            return Exit.SUCCEEDED
        with display(order.action, order.host) as shown:
            if order.host == _EVERYBODY:

                def told(data: Data) -> None:
                    shown.show(data)
                    if is_final(data):
                        click.echo(json.dumps(data) if is_json else answer.line(data))

                heard = await every(client, command, timeout_seconds, told)
            else:
                last = await one(client, command, timeout_seconds, shown.show)
                heard = [] if last is None else [last]
    return _tell(order, heard, timeout_seconds, is_json=is_json)


def _tell(order: Order, heard: Sequence[Data], timeout_seconds: float, *, is_json: bool) -> Exit:
    if not heard:
        click.echo(answer.silence(order.action, order.host, timeout_seconds), err=True)
        return Exit.TIMED_OUT
    for data in heard:
        if data.get("action") not in (order.action, None):
            click.echo(answer.other(data, order.action), err=True)
        elif not is_final(data):
            click.echo(answer.unfinished(data, timeout_seconds), err=True)
        elif order.host == _EVERYBODY:
            continue  # told when it came
        elif is_json:
            click.echo(json.dumps(data, indent=2 if sys.stdout.isatty() else None))
        else:
            is_good = data.get("status") == "succeeded"
            click.echo("\n".join(answer.summary(data) if is_good else answer.failure(data)), err=not is_good)
    return max(_status(order, data) for data in heard)


def _status(order: Order, data: Data) -> Exit:
    """A result of another action under the same id is no success of this one."""
    return of_status(data.get("status")) if data.get("action") in (order.action, None) else Exit.FAILED
