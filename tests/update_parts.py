"""What tests of updates share: hosts with a release installed, a release that does harm, and bin/update as it is typed.

PYTEST_DONT_REWRITE. As a plug-in it brings the fixture ``site``; release_parts belongs to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from release_parts import Shop, Site, Workshop
from worlds import Ears

APP = (Path(__file__).parents[1] / "chunter_nsq" / "app.py").read_bytes()
SERVE = b"    logs.configure()\n    try:\n        config = Config.load"


def harmed(first: bytes) -> bytes:
    """The agent with another first statement."""
    assert 1 == APP.count(SERVE)
    return APP.replace(SERVE, first + SERVE)


@pytest.fixture
async def site(new_site: Callable[..., Site], nsqd, ears: Ears, shop: Shop, workshop: Workshop) -> Site:
    """A host with 0.1.0 installed from a release, whose operator wrote a remark into the configuration."""
    one = new_site(nsqd=nsqd, update__url=shop.url)
    with (one.root / "etc" / "chunter.conf").open("a") as file:
        file.write("# do not touch\n")
    workshop.publish(shop.rel, workshop.build("0.1.0"))
    done = await asyncio.to_thread(one.install, workshop.script("0.1.0"))
    assert 0 == done.returncode, done.stderr
    await ears.until(lambda event: event["type"] == "chunter.host.announce" and event["subject"] == one.id, 60)
    assert "pong" in (await _typed(one, "ping")).stdout
    return one


async def _typed(site: Site, *words: str) -> Any:
    return await asyncio.to_thread(site.chunter, *words)


async def updated(site: Site, *options: str) -> Any:
    """What bin/update says, typed by hand."""
    return await asyncio.to_thread(site.update, *options)
