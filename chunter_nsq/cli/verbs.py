"""The verbs that operators of Chunter know: of the service through SMF, of the agent through its status listener."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from chunter_nsq.cli.exits import Failure
from chunter_nsq.cli.listener import asked, configured, fetched, listener
from chunter_nsq.cli.outline import plain
from chunter_nsq.cli.tree import tree_options
from chunter_nsq.config import Paths
from chunter_nsq.errors import Fault, InvalidState
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.svcadm import InMaintenance, ServiceState, Svcadm, check_request, reached

SERVICE = "svc:/network/chunter:default"
_PATIENCE_SECONDS = 120.0  # an agent may take 90 to stop
_LOOK_SECONDS = 0.2
_OK = 200


@click.command()
@tree_options
def start(paths: Paths) -> None:
    """Start the agent through SMF, now and at every boot; exit 1 when it does not come online."""
    click.echo(_told(asyncio.run(_asked_smf(paths, "enable"))))


@click.command()
@tree_options
def stop(paths: Paths) -> None:
    """Stop the agent through SMF, until it is started again; what runs may end first."""
    click.echo(_told(asyncio.run(_asked_smf(paths, "disable"))))


@click.command()
@tree_options
def restart(paths: Paths) -> None:
    """Restart the agent through SMF; exit 1 when the new one does not come online."""
    click.echo(_told(asyncio.run(_asked_smf(paths, "restart"))))


@click.command()
@tree_options
def ping(paths: Paths) -> None:
    """Ask whether the agent of this host lives; exit 1 when it does not answer."""
    status, _body = fetched(listener(paths.config), "/healthz")
    if status != _OK:
        raise Failure(f"it answers with {status} instead of 200")
    asked(paths)  # raises when it is another tree's
    click.echo("pong")


@click.command()
@tree_options
def connections(paths: Paths) -> None:
    """List the nsqd that the agent publishes to and reads from; exit 1 when one of the lists is empty."""
    nsq = asked(paths)["nsq"]
    lists = [("publish", nsq["producer"]["connected"], nsq["producer"].get("last_error"))]
    lists += [(one["topic"], one["connected"], None) for one in nsq["consumers"]]
    for purpose, connected, reason in lists:
        for where in connected or ["none"]:
            click.echo(f"{plain(purpose):<56}  {plain(where)}" + (f"  ({plain(reason)})" if reason else ""))
    if not all(connected for _, connected, _ in lists):
        raise SystemExit(1)


@click.command("update_memory")
@tree_options
def update_memory(paths: Paths) -> None:
    """Print the memory accounting in MB, which the agent renews by itself with every look at services."""
    for name, mib in asked(paths).get("memory", {}).items():
        click.echo(f"{plain(name):<20}  {plain(mib)}")


async def _asked_smf(paths: Paths, verb: str) -> ServiceState:
    """Ask SMF and wait until the service is as wanted."""
    runner = Runner(Path(configured(paths.config).platform_root))
    service = Svcadm(runner)
    try:
        before = await service.look(SERVICE)
        check_request(verb, before)
        await service.request(verb, SERVICE)
        return await _once_reached(service, verb, before)
    except InMaintenance as refused:
        raise Failure(f"{refused.message}\nWhere that log is: svcs -L chunter") from None
    except InvalidState as refused:
        raise Failure(refused.message) from None
    except Fault as refused:
        raise Failure(f"{refused.message}\nIs it installed as a service, and are you root?") from None
    finally:
        await runner.close()


async def _once_reached(service: Svcadm, verb: str, before: ServiceState) -> ServiceState:
    """The service once the request led to where it was meant to."""
    began = time.monotonic()
    while not reached(verb, before, now := await service.look(SERVICE), time.monotonic() - began):
        if time.monotonic() - began > _PATIENCE_SECONDS:
            raise Failure(f"{SERVICE} is {now.state} after {_PATIENCE_SECONDS:g} s. See: svcs -xv chunter")
        await asyncio.sleep(_LOOK_SECONDS)
    return now


def _told(found: ServiceState) -> str:
    return f"{found.fmri} is {found.state} since {found.stime}"
