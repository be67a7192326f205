"""``chunter update``, which is also bin/update."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from chunter_nsq import __version__
from chunter_nsq.cli.exits import Failure
from chunter_nsq.cli.listener import configured
from chunter_nsq.cli.tree import root_option
from chunter_nsq.config import Config, Paths
from chunter_nsq.errors import Fault
from chunter_nsq.release.search import find
from chunter_nsq.release.state import CURRENT, LOST, REFUSED, RETURNED, UPDATED, Busy, State, Updates
from chunter_nsq.release.updating import PATIENCE_SECONDS, Updating

EXITS = {UPDATED: 0, CURRENT: 0, REFUSED: 1, RETURNED: 3, LOST: 4}
_FORCE = "Also to an older version, to this one again, and when the agent is not well now."


@click.command()
@root_option
@click.option("-b", "--channel", type=click.Choice(["rel", "dev"]), help="The channel; that of the installed version.")
@click.option("-v", "--version", metavar="VERSION", help="The version; the newest of the channel when not given.")
@click.option("-u", "latest", is_flag=True, help="The newest of the channel, as without it.")
@click.option("-f", "--force", is_flag=True, help=_FORCE)
@click.option("-n", "--check", is_flag=True, help="Only say whether there is a newer version; exit 1 when there is.")
@click.option("--patience", type=float, default=PATIENCE_SECONDS, show_default=True, metavar="SECONDS",
              help="How long the new agent may take until it is well.")  # fmt: skip
@click.option("--wanted", is_flag=True, hidden=True, help="Do what a command left in var/update; for SMF.")
def update(
    *, root: Path | None, channel: str | None, version: str | None, latest: bool, force: bool, check: bool,
    patience: float, wanted: bool,
) -> None:  # fmt: skip
    """Update this host's agent, and return to the version before when the new one is not well.

    Releases come from update.url; one whose signature or hash is wrong is refused. Configuration and journal stay.

    Exits with 0 when it is updated or nothing is newer, 1 when the release was refused and nothing was replaced,
    3 when the new version was not well and the one before runs again, 4 when not even that does.
    """
    if latest and version:
        raise click.UsageError("-u is the newest version, -v names one; give one of them")
    paths = Paths.find(root)
    try:
        config = configured(paths.config)
        with Updates(paths.update).held():
            if wanted:
                asyncio.run(_wanted(paths, config))
                return
            updating = Updating(paths, config, click.echo, patience)
            if check:
                _tell(asyncio.run(find(config, version, channel, force=force)))
            state = asyncio.run(_run(updating, version, channel, force=force))
    except Busy as fault:
        raise Failure(str(fault)) from None
    except Fault as fault:
        raise Failure(fault.message) from None
    except OSError as fault:
        raise Failure(f"How far the update is cannot be written to {paths.update}: {fault}") from None
    _told(state)
    raise SystemExit(EXITS[state.phase])


def _tell(release: object) -> None:
    if release is None:
        click.echo(f"{__version__} is the newest")
        raise SystemExit(0)
    click.echo(f"{getattr(release, 'version', '')} is there; {__version__} is installed")
    raise SystemExit(1)


async def _run(updating: Updating, version: str | None, channel: str | None, *, force: bool) -> State:
    try:
        return await updating.run(version, channel, force=force)
    finally:
        await updating.close()


async def _wanted(paths: Paths, config: Config) -> None:
    """What a command asked for, or what was cut short; mostly nothing."""
    updates, updating = Updates(paths.update), Updating(paths, config, click.echo)
    try:
        state, wanted = updates.state(), updates.wanted()
        if state is not None and not state.is_final:
            _told(await updating.resume(state))
        elif wanted is not None:
            _told(await updating.run(wanted.version, wanted.channel, command=wanted.command))
        updates.granted()
    finally:
        await updating.close()


def _told(state: State) -> None:
    if state.phase == CURRENT:
        click.echo(f"{state.to_version} is the newest")
    elif state.phase == UPDATED:
        click.echo(f"updated from {state.from_version} to {state.to_version}{state.reason and f' ({state.reason})'}")
    else:
        click.echo(f"{state.phase}: {state.reason}", err=True)
