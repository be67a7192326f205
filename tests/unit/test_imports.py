"""Who shares which import."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from core_parts import opened_outbox
from tool_scripts import shell_tool

from chunter_nsq.errors import ToolFailed
from chunter_nsq.imports import Imports
from chunter_nsq.memo import SPACE, Records
from chunter_nsq.messages.events import Note, compact
from chunter_nsq.smartos.imgadm import Imgadm
from chunter_nsq.smartos.runner import Runner, current_command
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets

IMAGE = "85d0f826-0131-11ed-973d-2bfeef68011f"
OTHER = "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b"
THIRD = "2feb5257-cb6a-fcd0-8789-dfcb3d934263"


class Shop:
    """Imports whose tool waits for a file ``open`` and fails when there is one ``fail``."""

    def __init__(self, root: Path, records: Records) -> None:
        self.root = root
        self.records = records
        self.runner = Runner(root)
        self.imports = Imports(Imgadm(self.runner), ZfsDatasets(self.runner), records)
        shell_tool(
            root,
            "imgadm",
            f'echo "$@" >> {root}/imgadm.argv\n[ ! -e {root}/said ] || /bin/cat {root}/said\n'
            f"while [ ! -e {root}/open ]; do /bin/sleep 0.02; done\n"
            f"[ -e {root}/fail ] || exit 0\necho 'imgadm import: error (DownloadError): gone' >&2\nexit 1",
        )
        shell_tool(
            root,
            "zfs",
            f'echo "$@" >> {root}/zfs.argv\n[ ! -e {root}/denied ] || echo "permission denied" >&2\n'
            f'[ -e {root}/denied ] || echo "cannot open: dataset does not exist" >&2\nexit 1',
        )

    def set(self, *names: str) -> None:
        """Make these files."""
        for name in names:
            (self.root / name).touch()

    async def want(self, image: str = IMAGE, *, asked: float | None = None) -> str:
        """Ask for an image; what becomes of it."""
        try:
            async for _ in self.imports.bring(image, asked=time.time() if asked is None else asked):
                pass
        except ToolFailed as fault:
            return fault.message
        return "there"

    async def which(self, name: str) -> str | None:
        """Ask for an image; the uuid of what came."""
        arrivals = [arrival async for arrival in self.imports.bring(name, asked=time.time())]
        return arrivals[-1].uuid

    def lines(self, tool: str) -> list[str]:
        """What was typed."""
        file = self.root / f"{tool}.argv"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop whose tools end with the test."""
    async with opened_outbox(tmp_path / "chunter.db") as records:
        one = Shop(tmp_path, records)
        yield one
        await one.runner.close()


async def test_one_import_for_all(shop: Shop) -> None:
    """However many want it, one tool runs; another image has one of its own."""
    wants = [asyncio.create_task(shop.want(image)) for image in (IMAGE, IMAGE, IMAGE, OTHER)]
    while len(shop.lines("imgadm")) < 2:
        await asyncio.sleep(0.02)
    assert shop.imports.is_running(IMAGE)
    shop.set("open")
    assert ["there"] * 4 == await asyncio.gather(*wants)
    assert 2 == len(shop.lines("imgadm"))
    await asyncio.sleep(0)
    assert not shop.imports.is_running(IMAGE)


async def test_a_failure_is_everybodys(shop: Shop) -> None:
    """Those who waited, and those who had asked before it failed, are told; later ones try anew."""
    began = time.time()
    shop.set("open", "fail")
    ends = await asyncio.gather(*(shop.want() for _ in range(3)))
    assert all("DownloadError" in end for end in ends)
    assert "DownloadError" in await shop.want(asked=began)
    assert 1 == len(shop.lines("imgadm"))
    assert [f"destroy -r zones/{IMAGE}-partial"] == shop.lines("zfs")
    (shop.root / "fail").unlink()
    assert "there" == await shop.want()
    assert "there" == await shop.want(asked=began)


@pytest.mark.parametrize("times", [1, 2])
async def test_what_lay_in_the_way_is_tried_over_once(shop: Shop, caplog: pytest.LogCaptureFixture, times: int) -> None:
    """Half an image of a killed import costs one attempt, which clears it away and is logged; the second decides."""
    for left in range(times):
        shop.set(f"left{left}")
    exists = f"destination 'zones/{IMAGE}-partial' exists"
    shell_tool(
        shop.root,
        "imgadm",
        f'echo "$@" >> {shop.root}/imgadm.argv\n'
        f'for one in {shop.root}/left*; do [ -e $one ] || exit 0; /bin/rm $one; echo "{exists}" >&2; exit 1; done',
    )
    ended = await shop.want()

    assert (times == 1, 2) == (ended == "there", len(shop.lines("imgadm")))
    assert ["imports.repeated"] == [one.message for one in caplog.records if one.message == "imports.repeated"]


async def test_an_import_lasts_as_long_as_somebody_waits(shop: Shop) -> None:
    """One who gives up leaves it to the others; when the last one does, the tool is ended and its traces removed."""
    first, second = (asyncio.create_task(shop.want()) for _ in range(2))
    while not shop.lines("imgadm"):
        await asyncio.sleep(0.02)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert shop.imports.is_running(IMAGE)
    assert 1 == len(shop.runner.active())
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert not shop.imports.is_running(IMAGE)
    assert () == shop.runner.active()
    assert [f"destroy -r zones/{IMAGE}-partial"] == shop.lines("zfs")


async def test_one_name_is_one_import(shop: Shop) -> None:
    """All spellings of a docker name share an import; the uuid that imgadm tells is everybody's, and is on its way."""
    (shop.root / "said").write_text(f"Importing {IMAGE} (docker.io/busybox:latest)\n")
    wants = [asyncio.create_task(shop.which(name)) for name in ("busybox", "docker.io/library/busybox:latest")]
    while not shop.imports.is_running(IMAGE):
        await asyncio.sleep(0.02)
    shop.set("open")
    assert [IMAGE, IMAGE] == await asyncio.gather(*wants)
    assert ["import -q -P zones busybox"] == shop.lines("imgadm")


async def test_layers_that_did_not_come_are_removed(shop: Shop) -> None:
    """What imgadm had told of, and not installed, is swept away when it fails; what came whole stays."""
    shop.set("open", "fail")
    lines = (
        f"Importing {IMAGE} (x)",
        f"Downloaded image {THIRD}",
        f"Downloaded image {OTHER}",
        f"Imported image {OTHER}",
    )
    (shop.root / "said").write_text("".join(f"{line}\n" for line in lines))
    assert "DownloadError" in await shop.want("redis:7")
    assert [f"destroy -r zones/{image}-partial" for image in (IMAGE, THIRD)] == shop.lines("zfs")


async def test_a_cancelled_name_is_swept_too(shop: Shop) -> None:
    """What imgadm told of before nobody waited any more is removed."""
    (shop.root / "said").write_text(f"Importing {IMAGE} (x)\nDownloaded image {THIRD}\n")
    want = asyncio.create_task(shop.want("redis"))
    while not shop.imports.is_running(THIRD):
        await asyncio.sleep(0.02)
    want.cancel()
    await asyncio.gather(want, return_exceptions=True)
    assert [f"destroy -r zones/{image}-partial" for image in (IMAGE, THIRD)] == shop.lines("zfs")


async def test_what_is_coming_is_noted_before_it_is_there(shop: Shop) -> None:
    """For the command that began it, layers as imgadm tells of them; nothing is noted once it has come."""
    (shop.root / "said").write_text(f"Importing {IMAGE} (x)\nDownloaded image {THIRD}\n")
    current_command.set("create-1")
    want = asyncio.create_task(shop.want("redis"))
    current_command.set(None)
    noted = compact([f"zones/{image}-partial" for image in (IMAGE, THIRD)])
    while await shop.records.recall(SPACE) != {"create-1 receiving": noted}:
        await asyncio.sleep(0.02)
    assert shop.imports.is_for("create-1")
    shop.set("open")
    assert "there" == await want
    assert {} == await shop.records.recall(SPACE)
    assert not shop.imports.is_for("create-1")
    assert [] == shop.lines("zfs")


async def test_what_a_killed_agent_left_goes_with_the_next_import(shop: Shop) -> None:
    """Of the same command, whether that comes or not; what cannot be destroyed stays noted."""
    left = Note(SPACE, "create-1 receiving", compact([f"zones/{OTHER}-partial"]))
    current_command.set("create-1")
    shop.set("open")
    await shop.records.put([left])
    assert "there" == await shop.want()
    assert [f"destroy -r zones/{OTHER}-partial"] == shop.lines("zfs")
    assert {} == await shop.records.recall(SPACE)
    shop.set("denied", "fail")
    await shop.records.put([left])
    assert "DownloadError" in await shop.want()
    assert [f"destroy -r zones/{image}-partial" for image in (OTHER, OTHER, IMAGE)] == shop.lines("zfs")
    both = compact([f"zones/{image}-partial" for image in (OTHER, IMAGE)])
    assert {"create-1 receiving": both} == await shop.records.recall(SPACE)
