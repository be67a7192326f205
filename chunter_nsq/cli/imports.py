"""``chunter import``: an image for this host, through its running agent."""

from __future__ import annotations

import asyncio
import fnmatch
from pathlib import Path

import click

from chunter_nsq import reach
from chunter_nsq.authority import KeysInvalid, read_keys
from chunter_nsq.bus import doors as http_doors
from chunter_nsq.cli.conversation import Order
from chunter_nsq.cli.doors import Doors
from chunter_nsq.cli.exits import Failure
from chunter_nsq.cli.listener import configured
from chunter_nsq.cli.talk import Talk
from chunter_nsq.cli.tree import tree_options
from chunter_nsq.client import Key
from chunter_nsq.config import Config, Paths
from chunter_nsq.identity import IdentityUnusable, known_id

ACTION = "image.import"
_HOUR_SECONDS = 3600.0


@click.command("import")
@click.argument("image")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=_HOUR_SECONDS, help="Seconds [3600].")
@click.option("--json", "as_json", is_flag=True, help="The final result as one JSON document.")
@tree_options
def import_image(*, paths: Paths, image: str, timeout: float, as_json: bool) -> None:
    """Have the agent of this host import the image IMAGE, and wait for it.

    IMAGE is a uuid, or a docker image's name such as busybox:latest.

    NSQ, TLS, AUTH and the key to sign with are those of chunter.conf.
    """
    config = configured(paths.config)
    try:
        host = known_id(paths, config.topic_prefix)
    except IdentityUnusable as fault:
        raise Failure(str(fault)) from None
    if host is None:
        raise Failure(f"this host has no id yet: start its agent first ({paths.hostid} is missing)")
    order = Order(ACTION, host, params={"image": image}, key=_key(config))
    raise SystemExit(Talk(_doors(config, host), order, timeout, is_json=as_json).run())


def _doors(config: Config, host: str) -> Doors:
    """The way that the agent itself takes."""
    found = asyncio.run(http_doors.find(reach.connection(config, host), config.nsqd_http))
    if not found.open:
        named = ", ".join(config.nsqd)
        raise Failure(
            f"no HTTP door of nsqd {named} answers, where commands are sent to: set nsqd_http in chunter.conf"
        )
    return Doors(found.open, config.nsqlookupd, config.topic_prefix, reach.tls(config), config.nsq_auth_secret or None)


def _key(config: Config) -> Key | None:
    """The first key that may do it; None when commands are not signed here."""
    if not config.command_keys:
        return None
    try:
        keys = read_keys(Path(config.command_keys))
    except KeysInvalid as fault:
        raise Failure(str(fault)) from None
    for one in keys.values():
        is_allowed = one.allow is None or any(fnmatch.fnmatchcase(ACTION, pattern) for pattern in one.allow)
        if is_allowed and one.uuids is None:
            return Key(one.name, one.secret)
    raise Failure(f"none of the keys in {config.command_keys} may do {ACTION}")
