"""docs/install.md and docs/operations.md are typed as they stand, block by block, on a simulated host."""

from __future__ import annotations

import asyncio
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

pytest_plugins = ("release_parts",)
DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "https://chunter.example.org/releases"


def blocks(page):
    """What is to be typed."""
    return re.findall(r"^```sh\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


async def typed(site, shop, block):
    """What a block says, which must end well."""
    opt = site.platform / "opt"
    path = ":".join(map(str, (site.platform / "usr/sbin", site.platform / "usr/bin", "/usr/bin", "/bin")))
    text = block.replace(ADDRESS, shop.url).replace("/opt", str(opt))
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", text],
        capture_output=True, text=True, check=False, timeout=110, env={"PATH": path, "DST": str(opt)},
    )  # fmt: skip
    assert 0 == done.returncode, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def is_ready(port):
    """Whether an agent listens there and does its work."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


async def until_ready(port):
    """As somebody waits who typed faster than the agent starts."""
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(is_ready, port):
            await asyncio.sleep(0.05)


@pytest.mark.thorough
async def test_what_the_page_says_is_what_happens(new_site, nsqd, shop, workshop):
    """From the first download to the end: each block ends well, and a stranger to the host could follow."""
    workshop.publish(shop.rel, workshop.build("0.1.0"))
    site = new_site(nsqd=nsqd, nsqd_http=nsqd.http_address)
    said = []
    for block in blocks("install.md"):
        said.append(await typed(site, shop, block))
        if "install.sh -u" not in block:
            await until_ready(site.port)

    installed, verified, configured, seen, removed = said
    assert "+ unpack to " in installed
    assert "Signature Verified Successfully" in verified
    assert "chunter.conf: no faults" in configured
    assert "no faults, " in configured
    assert "online" in seen
    assert "pong" in seen
    assert "The agent is gone." in removed
    assert (site.root / "etc" / "hostid").exists()


@pytest.mark.thorough
async def test_what_operators_type_later_works(new_site, nsqd, shop, workshop):
    """The blocks of operations.md, on a host that is installed and has the newest version."""
    workshop.publish(shop.rel, workshop.build("0.1.0"))
    site = new_site(nsqd=nsqd, update__url=shop.url)
    await asyncio.to_thread(site.install, workshop.script("0.1.0"))
    await until_ready(site.port)
    said = [await typed(site, shop, block) for block in blocks("operations.md")]

    assert "0.1.0 is the newest\n0.1.0 is the newest\nNew, and not in " in "".join(said)
