"""``chunter hosts``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from chunter_nsq.cli.doors import Doors, nsq_options, speak
from chunter_nsq.cli.exits import Exit, Failure
from chunter_nsq.cli.outline import table

_COLUMNS = ("alias", "host", "ip", "version", "sim", "can")


@click.command()
@click.option(
    "--wait", "seconds", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True, help="Seconds."
)
@click.option("--json", "as_json", is_flag=True, help="What each host tells of itself, as one JSON list.")
@nsq_options
def hosts(*, doors: Doors, seconds: float, as_json: bool) -> None:
    """List the hosts whose agents answer; exit 1 when none does."""
    found = speak(_ask(doors, seconds))
    if as_json:
        click.echo(json.dumps(found))
    elif found:
        click.echo("\n".join(listing(found)))
    if not found and as_json:
        raise SystemExit(Exit.FAILED)
    if not found:
        raise Failure(f"no host answered within {seconds:g} s. Does an agent run, and read from the same nsqd?")


def listing(found: list[dict[str, Any]]) -> list[str]:
    """A table; whether hosts are simulated is shown when one is."""
    is_any_simulated = any(each.get("simulated") for each in found)
    return table([_row(each) for each in found], [one for one in _COLUMNS if one != "sim" or is_any_simulated])


def _row(told: Mapping[str, Any]) -> dict[str, Any]:
    capabilities = told.get("capabilities")
    can = ",".join(map(str, capabilities)) if isinstance(capabilities, list) else None
    return {**told, "can": can, "sim": bool(told.get("simulated"))}


async def _ask(doors: Doors, seconds: float) -> list[dict[str, Any]]:
    async with doors.client() as client:
        return await client.hosts(seconds)
