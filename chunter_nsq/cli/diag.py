"""``chunter diag``."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import click

from chunter_nsq.cli.exits import Failure
from chunter_nsq.cli.tree import tree_options
from chunter_nsq.config import Paths
from chunter_nsq.diag.archive import gather
from chunter_nsq.doctor.patient import Patient

_PLACE = Path("/var/tmp")  # noqa: S108 - it survives a reboot of SmartOS, and the file is made for its owner alone


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The archive (tar.gz).")
@tree_options
def diag(*, paths: Paths, output: Path | None) -> None:
    """Collect what somebody needs to help, in one archive without secrets.

    Without -o it is /var/tmp/chunter-diag-<time>.tgz. Its first page, README.txt, says what is wrong; it is printed.
    """
    for name in ("chunter_nsq", "nsq", "tornado"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # words for people, not log lines
    target = output or _PLACE / f"chunter-diag-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tgz"
    if target.exists():
        raise Failure(f"{target} is there already; name another file with -o")
    made = asyncio.run(gather(Patient.admit(paths)))
    try:
        made.write(target.absolute())
    except OSError as broken:
        raise Failure(f"{target} cannot be written: {broken.strerror}") from None
    click.echo(made.first, nl=False)
    click.echo(f"\nAll of it: {target}")
