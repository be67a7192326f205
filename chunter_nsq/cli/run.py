"""``chunter run``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from chunter_nsq.app import serve
from chunter_nsq.config import Paths


@click.command()
@click.option("--root", type=click.Path(path_type=Path), help="The installed tree (CHUNTER_ROOT, /opt/chunter).")
@click.option("--config", "file", type=click.Path(path_type=Path), help="The file (CHUNTER_CONFIG, etc/chunter.conf).")
def run(root: Path | None, file: Path | None) -> None:
    """Run the agent of this host in the foreground.

    SIGTERM and SIGINT let running work end for a while, send what is to be sent, and say goodbye; SIGHUP reads the
    configuration again. Ends with 0, with 95 when a restart would not help, with 96 when the configuration is wrong.
    """
    raise SystemExit(asyncio.run(serve(Paths.find(root, file))))
