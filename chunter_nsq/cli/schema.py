"""``chunter schema``: the message contract for programs."""

from __future__ import annotations

import json

import click

from chunter_nsq.cli.overview import Overview


@click.group(cls=Overview)
def schema() -> None:
    """Print the message contract for programs."""


@schema.command("json")
def json_() -> None:
    """JSON Schemas of all commands and events: {"commands": {...}, "events": {...}}."""
    import handlers  # noqa: PLC0415 - other commands do without the agent's modules
    from chunter_nsq.messages.schema import json_schemas  # noqa: PLC0415 - as above

    click.echo(json.dumps(json_schemas(handlers.actions()), indent=2))


@schema.command("asyncapi")
@click.option("--prefix", default="chunter", show_default=True, help="The configured topic_prefix.")
def asyncapi_(prefix: str) -> None:
    """One AsyncAPI 3.0 document of all topics and messages."""
    import handlers  # noqa: PLC0415 - other commands do without the agent's modules
    from chunter_nsq.messages.schema import asyncapi  # noqa: PLC0415 - as above

    click.echo(json.dumps(asyncapi(handlers.actions(), prefix), indent=2))
