"""``chunter run``."""

from __future__ import annotations

import asyncio

import click

from chunter_nsq.app import serve
from chunter_nsq.cli.tree import tree_options
from chunter_nsq.config import Paths


@click.command()
@tree_options
def run(paths: Paths) -> None:
    """Run the agent of this host in the foreground.

    SIGTERM and SIGINT let running work end for a while, send what is to be sent, and say goodbye; SIGHUP reads the
    configuration again. Ends with 0, with 95 when it cannot go on as things are on this host, with 96 when the
    configuration is wrong.
    """
    raise SystemExit(asyncio.run(serve(paths)))
