"""``chunter setup``: what an installation makes in etc, called by install.sh."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import sqlite3
from pathlib import Path

import click

from chunter_nsq import __version__, identity
from chunter_nsq.cli.exits import Failure
from chunter_nsq.cli.tree import root_option
from chunter_nsq.config import Config, ConfigInvalid, Paths, example
from chunter_nsq.release.versions import channel_of, is_version, rank
from chunter_nsq.schema import REMEDY, lack

_GUESS_SECONDS = 30.0
_PORT = 4200


@click.command()
@root_option
@click.option("--platform-root", default="/", metavar="DIR", help="What stands before the platform's paths.")
@click.option("--check", is_flag=True, help="Touch nothing; fail when this version may not be put in place.")
@click.option("--force", is_flag=True, help="With --check: also over a newer version.")
def setup(*, root: Path | None, platform_root: str, check: bool, force: bool) -> None:
    """Make what an installation lacks: host id, configuration, version.

    etc/chunter.conf is never overwritten, etc/chunter.conf.example always.
    """
    paths = Paths.find(root)
    try:
        if check:
            _check(paths, force=force)
        else:
            asyncio.run(_make(paths, platform_root))
    except identity.IdentityUnusable as fault:
        raise Failure(str(fault)) from None
    except OSError as fault:
        raise Failure(f"{fault.filename or paths.root} cannot be written: {fault.strerror}") from None


def _check(paths: Paths, *, force: bool) -> None:
    """Configuration and journal must do for this version, and it must not be older than that in place."""
    try:
        if paths.config.exists():
            Config.load(paths.config)
    except ConfigInvalid as fault:
        raise Failure(f"{fault}\nThis version would not start with that; mend it and install again.") from None
    _check_journal(paths.database)
    there = paths.installed()
    if not force and is_version(there) and rank(there) > rank(__version__):
        raise Failure(f"{there} is installed, which is newer than {__version__}; -f installs the older one over it")


def _check_journal(file: Path) -> None:
    if not file.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            why = lack(connection)
    except sqlite3.Error as fault:
        why = str(fault)
    if why:
        raise Failure(f"{file}: {why}\nThis version would not start with that. Remedy: {REMEDY}.")


async def _make(paths: Paths, platform_root: str) -> None:
    for folder in (paths.config.parent, paths.run):
        folder.mkdir(parents=True, exist_ok=True)
    host_id = identity.host_id(paths)
    click.echo(f"host id: {host_id}")
    _write(paths.example, example(), 0o644)
    if paths.config.exists():
        click.echo(f"{paths.config} is kept; what is new is in {paths.example.name}: chunter config diff")
    else:
        address = await _address(host_id, platform_root)
        _write(paths.config, _configuration(address, platform_root), 0o600)
        click.echo(f"{paths.config} is made; ip = {address or 'not found, write it yourself'}")
    _write(paths.version, f"{channel_of(__version__)}-{__version__}\n", 0o644)


async def _address(host_id: str, platform_root: str) -> str | None:
    """The ``ip:port`` that the host would report."""
    from chunter_nsq.host import Host  # noqa: PLC0415 - only a first installation asks
    from chunter_nsq.smartos.dladm import Dladm  # noqa: PLC0415 - same
    from chunter_nsq.smartos.ipadm import Ipadm  # noqa: PLC0415 - same
    from chunter_nsq.smartos.runner import Runner  # noqa: PLC0415 - same
    from chunter_nsq.smartos.sysinfo import Sysinfo  # noqa: PLC0415 - same
    from chunter_nsq.smartos.usbkey import Usbkey  # noqa: PLC0415 - same

    logging.disable(logging.WARNING)  # words for people, not log lines
    root = Path(platform_root)
    runner = Runner(root, timeout_seconds=_GUESS_SECONDS)
    host = Host(
        id=host_id, prefix="chunter", simulated=False, configured_ip="", status_port=_PORT,
        sysinfo_tool=Sysinfo(runner), dladm=Dladm(runner), ipadm=Ipadm(runner), usbkey=Usbkey(root),
    )  # fmt: skip
    try:
        await host.refresh()
    finally:
        await runner.close()
    return host.address


def _configuration(address: str | None, platform_root: str) -> str:
    """The example with what is known of this host filled in."""
    text = example()
    if address:
        text = re.sub(r"^# ip = .*$", f"ip = {address}", text, count=1, flags=re.MULTILINE)
    return re.sub(r"^platform_root = .*$", f"platform_root = {platform_root}", text, count=1, flags=re.MULTILINE)


def _write(file: Path, text: str, mode: int) -> None:
    """Whole or not at all."""
    draft = file.with_name(f".{file.name}.new")
    draft.touch(mode=mode)
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(file)
