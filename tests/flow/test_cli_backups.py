from __future__ import annotations

from collections.abc import Iterator

import pytest
from backup_parts import good, keys, made
from cli_parts import chunter
from nsq_servers import Nsqd
from responder import HOST, responding
from worlds import Ears, Host, new_uuid

from chunter_nsq.storage.bucket import Bucket

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")
pytestmark = pytest.mark.counted

VM = "5e0c6a2b-0000-4000-8000-000000000001"
OTHER = "5e0c6a2b-0000-4000-8000-000000000002"
MADE = {"uuid": VM, "snapshot": "monday", "parent": None, "created": "2026-01-05T10:00:00.000Z", "host": "hv1"}
SIZES = {"size": 3 * 2**20, "raw_size": 40 * 2**30}
INFO = {"status": "succeeded", "result": {"host": HOST, "alias": "hv1"}}


def listed(*backups: dict, after: str | None = None, unreadable: tuple[str, ...] = ()) -> dict:
    """The result of a backup.list."""
    found = [{**MADE, **SIZES, **one} for one in backups]
    return {"status": "succeeded", "result": {"backups": found, "after": after, "unreadable": list(unreadable)}}


@pytest.fixture(scope="module")
def one_nsqd(tmp_path_factory) -> Iterator[Nsqd]:
    """One real nsqd for the talks with a stand-in."""
    with Nsqd(tmp_path_factory.mktemp("nsqd")) as server:
        yield server


async def test_backups_are_tables_in_the_order_of_time(one_nsqd):
    """One table for each machine, fulls and increments, sizes for people; what cannot be read is told beside it."""
    more = {"snapshot": "tuesday", "parent": "monday", "created": "2026-01-06T10:00:00.000Z", "size": 512}
    page = listed(more, {"uuid": OTHER}, {}, unreadable=(f"{VM}/x.manifest.json",))
    async with responding(one_nsqd, {"backup.list": [page]}) as agent:
        ended = await chunter("backups", "--host", "hv1", nsqd=one_nsqd)
        assert [{}] == [command["params"] for command in agent.commands]
    assert 0 == ended.status
    expected = [
        VM,
        "  SNAPSHOT  SINCE   MADE              STORED   RAW     HOST",
        "  monday    (full)  2026-01-05 10:00  3.0 MiB  40 GiB  hv1",
        "  tuesday   monday  2026-01-06 10:00  512 B    40 GiB  hv1",
        OTHER,
        "  SNAPSHOT  SINCE   MADE              STORED   RAW     HOST",
        "  monday    (full)  2026-01-05 10:00  3.0 MiB  40 GiB  hv1",
    ]
    assert expected == ended.out.splitlines()
    assert f"{VM}/x.manifest.json cannot be read" in ended.err


async def test_all_pages_are_asked_for(one_nsqd):
    """What the agent tells page by page is one list, in words and as one JSON document."""
    pages = {None: listed({}, after="there"), "there": listed({"snapshot": "tuesday"})}
    async with responding(one_nsqd, {}) as agent:
        agent.steps = lambda command: [pages[command["params"].get("after")]]
        ended = await chunter("backups", VM, "--host", "hv1", "--json", nsqd=one_nsqd)
    assert 0 == ended.status
    assert ["monday", "tuesday"] == [one["snapshot"] for one in ended.document["backups"]]


@pytest.mark.parametrize(("status", "exit_status"), [("failed", 1), ("rejected", 4)])
@pytest.mark.parametrize("words", [("backups", VM), ("restore", VM, "monday"), ("verify", VM, "monday")])
async def test_failures_have_the_statuses_of_call(one_nsqd, words, status, exit_status):
    """Why, and the code, on stderr; nothing on stdout."""
    error = {"code": "storage_failed", "message": "the store is away", "details": {}}
    actions = ("backup.list", "backup.restore", "backup.verify")
    async with responding(one_nsqd, {action: [{"status": status, "error": error}] for action in actions}):
        ended = await chunter(*words, "--host", "hv1", nsqd=one_nsqd)
    assert (exit_status, "") == (ended.status, ended.out)
    assert "the store is away" in ended.err
    assert "storage_failed" in ended.err


async def test_silence_is_status_3(one_nsqd):
    """Nobody of that name; the words say what to look at."""
    ended = await chunter("backups", "--host", "nobody", "--timeout", "0.5", nsqd=one_nsqd)
    assert (3, "") == (ended.status, ended.out)
    assert "chunter hosts" in ended.err


async def test_the_only_host_need_not_be_named(one_nsqd):
    """Without --host the one that answers is asked; with two the command line is wrong, and says who there are."""
    script = {"host.info": [INFO], "backup.list": [listed()]}
    async with responding(one_nsqd, script) as agent:
        ended = await chunter("backups", nsqd=one_nsqd)
        assert (0, "There is no backup.\n") == (ended.status, ended.out)
        assert HOST == agent.commands[-1]["host"]
        second = {"status": "succeeded", "result": {"host": OTHER, "alias": "hv2"}}
        async with responding(one_nsqd, {"host.info": [second]}, host=OTHER, alias="hv2"):
            ended = await chunter("restore", VM, "monday", nsqd=one_nsqd)
    assert (2, "") == (ended.status, ended.out)
    assert "hv1, hv2" in ended.err


async def test_damage_found_is_status_1(one_nsqd):
    """A look that finds damage has succeeded as a command, and says which file and part."""
    fault = {"code": "checksum_mismatch", "message": "part 2 is damaged in the store", "details": {}}
    result = {"level": "hash", "good": False, "files": {f"{VM}/a": [], f"{VM}/b": [fault]}, "seconds": 1.0}
    async with responding(one_nsqd, {"backup.verify": [{"status": "succeeded", "result": result}]}):
        ended = await chunter("verify", VM, "monday", "--host", "hv1", nsqd=one_nsqd)
    assert (1, "") == (ended.status, ended.err)
    expected = [f"  good    {VM}/a", f"  damaged {VM}/b", "          part 2 is damaged in the store"]
    assert expected == ended.out.splitlines()[1:]
    assert "DAMAGED (hash)" in ended.out


async def test_a_backup_at_the_command_line(small: Host, ears: Ears, bucket: Bucket, nsqd):
    """A real agent and store: listed, verified, restored after the machine was lost and under another uuid."""
    uuid, new = await made(small, ears), new_uuid()
    await good(small, ears, "backup.create", uuid, snapshot="full")
    await good(small, ears, "backup.create", uuid, snapshot="more", parent="full")

    shown = await chunter("backups", uuid, "--host", small.id, nsqd=nsqd)
    assert (0, "") == (shown.status, shown.err)
    assert [["full", "(full)"], ["more", "full"]] == [line.split()[:2] for line in shown.out.splitlines()[2:]]
    looked = await chunter("verify", uuid, "more", "--level", "stream", "--host", small.id, nsqd=nsqd)
    assert (0, "") == (looked.status, looked.err)
    assert f"  good    {uuid}/more" in looked.out.splitlines()

    await good(small, ears, "machine.delete", uuid)
    would = await chunter("restore", uuid, "more", "--dry-run", "--json", "--host", small.id, nsqd=nsqd)
    assert (0, True) == (would.status, would.document["result"]["dry_run"])
    back = await chunter("restore", uuid, "more", "--host", small.id, nsqd=nsqd)
    assert (0, "") == (back.status, back.err)
    assert f"backup.restore {uuid} succeeded on {small.id}" in back.out
    beside = await chunter("restore", uuid, "full", "--as", new, "--host", small.id, nsqd=nsqd)
    assert (0, "") == (beside.status, beside.err)
    assert "succeeded" == (await ears.result(small.send("machine.get", new)))["status"]

    first = next(key for key in keys(bucket, uuid) if key == "full")
    bucket.delete(f"{uuid}/{first}")
    damaged = await chunter("verify", uuid, "full", "--level", "catalogue", "--host", small.id, nsqd=nsqd)
    assert 1 == damaged.status
    assert f"{uuid}/full is gone" in damaged.out
