"""docs/install.md is typed as it stands, block by block, on a simulated host."""

from __future__ import annotations

import asyncio
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

pytest_plugins = ("release_parts",)
PAGE = Path(__file__).parents[2] / "docs" / "install.md"
ADDRESS = "https://chunter.example.org/releases"


def blocks():
    """What is to be typed."""
    return re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


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


@pytest.mark.timeout(200)
async def test_what_the_page_says_is_what_happens(new_site, nsqd, shop, workshop):
    """From the first download to the end: each block ends well, and a stranger to the host could follow."""
    workshop.publish(shop.rel, workshop.build("0.1.0"))
    site = new_site(nsqd=nsqd, nsqd_http=nsqd.http_address)
    opt = site.platform / "opt"
    path = ":".join(map(str, (site.platform / "usr/sbin", site.platform / "usr/bin", "/usr/bin", "/bin")))
    typed = []
    for block in blocks():
        text = block.replace(ADDRESS, shop.url).replace("/opt", str(opt))
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-euo", "pipefail", "-c", text],
            capture_output=True, text=True, check=False, timeout=110, env={"PATH": path, "DST": str(opt)},
        )  # fmt: skip
        assert 0 == done.returncode, f"{text}\n{done.stdout}\n{done.stderr}"
        typed.append(done.stdout)
        if "install.sh -u" not in block:
            await until_ready(site.port)

    installed, verified, configured, seen, removed = typed
    assert "+ unpack to " in installed
    assert "Signature Verified Successfully" in verified
    assert "chunter.conf: no faults" in configured
    assert "no faults, " in configured
    assert "online" in seen
    assert "pong" in seen
    assert "The agent is gone." in removed
    assert (site.root / "etc" / "hostid").exists()
