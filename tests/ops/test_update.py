"""Updates: signed, watched, and taken back by themselves; from a web server, as operators and commands ask for them."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from pathlib import Path

import pytest
from release_parts import Shop, Site, Workshop, small_disk
from sweeps import swept
from update_parts import harmed, updated
from worlds import Ears, new_uuid, payload

from tools.release import signing

pytest_plugins = ("release_parts", "update_parts")

# What is wrong with a version, as the first statement of its agent; what the gate says of it, and after which time.
HARMS = {
    "dies": (b"    raise RuntimeError('not my day')\n", "ended 4 times in a row", 60),
    "refuses": (b"    return EXIT_CONFIG\n", "is in maintenance", 60),
    "hangs": (b"    import time; time.sleep(600)\n", "the agent does not answer (after 3 s)", 3),
    "deaf": (
        b"    from chunter_nsq.parts import Consumer\n    async def deaf(_): pass\n    Consumer.start = deaf\n",
        "it lacks: ",
        25,
    ),
}


def told(ears: Ears) -> list[tuple[str, str | None]]:
    """The ends of updates that were told as events."""
    return [(e["data"]["data"]["outcome"], e["data"]["data"]["to"]) for e in ears.of("chunter.host.updated")]


def kept(site: Site) -> tuple[str, str, int]:
    """What no update may change: identity, configuration, and its mode."""
    file = site.root / "etc" / "chunter.conf"
    return site.id, file.read_text(), file.stat().st_mode


async def test_an_update_by_command_settles_what_ran_before(site: Site, ears: Ears, shop: Shop, workshop: Workshop):
    """The new version ends both: the create that ran, and host.update itself; identity, configuration, journal stay."""
    workshop.publish(shop.rel, workshop.build("0.2.0"))
    before = kept(site)
    site.latency(create=8.0)
    uuid, other = new_uuid(), new_uuid()
    answered = site.send("host.ping")
    await ears.result(answered)
    running = site.send("machine.create", uuid, payload=payload())
    await ears.when(lambda: "accepted" in ears.statuses(running))
    update = site.send("host.update")
    done, made = await ears.result(update, 150), await ears.result(running, 60)
    pinged = await ears.result(site.send("host.ping"), 60)
    await ears.until(lambda event: event["type"] == "chunter.host.updated", 30)
    fresh = await ears.result(site.send("machine.create", other, payload=payload()), 60)

    assert ("succeeded", {"from": "0.1.0", "to": "0.2.0"}) == (done["status"], done["result"]), done
    assert "0.2.0" == pinged["result"]["version"]
    assert [("updated", "0.2.0")] == told(ears)
    assert (made["status"] == "succeeded") == (uuid in site.tool("vmadm", "list").stdout), made
    assert "succeeded" == fresh["status"], fresh
    assert before == kept(site)
    assert 1 == len({event["epoch"] for event in ears.of("chunter.host.announce", site.id)})
    assert "rel-0.2.0\n" == (site.root / "etc" / "chunter.version").read_text()


@pytest.mark.thorough
async def test_a_version_that_fails_is_taken_back_by_itself(site: Site, ears: Ears, shop: Shop, workshop: Workshop):
    """Asked for by a command: it fails with the reason, an event tells it, and the version before does its work."""
    workshop.publish(shop.rel, workshop.build("0.3.0", **{"chunter_nsq/app.py": harmed(HARMS["dies"][0])}))
    before, current = kept(site), site.current
    done = await ears.result(site.send("host.update"), 200)
    event = await ears.until(lambda event: event["type"] == "chunter.host.updated", 60)
    pinged = await ears.result(site.send("host.ping"), 60)

    assert ("failed", "unsupported", "returned") == (
        done["status"], done["error"]["code"], done["error"]["details"]["outcome"],
    )  # fmt: skip
    said = event["data"]["data"]
    assert ("returned", "0.1.0", "0.3.0", done["command"]) == tuple(
        said[name] for name in ("outcome", "from", "to", "command")
    )
    assert "0.3.0 was in place and did not do its work: its process ended 4 times in a row" in said["reason"]
    assert "0.1.0 runs again" in said["reason"]
    assert ("0.1.0", current, before) == (pinged["result"]["version"], site.current, kept(site))
    assert [current] == [one.name for one in (site.root / "versions").iterdir()]


@pytest.mark.parametrize("harm", ["refuses", "hangs", "deaf"])
@pytest.mark.thorough
async def test_bin_update_returns_from_what_does_not_work(
    site: Site, ears: Ears, shop: Shop, workshop: Workshop, harm: str
):
    """Exit status 3 and what it lacked in words, however it fails; the version before is online again."""
    first, lack, patience_seconds = HARMS[harm]
    workshop.publish(shop.rel, workshop.build("0.3.0", **{"chunter_nsq/app.py": harmed(first)}))
    current = site.current
    done = await updated(site, "--patience", str(patience_seconds))
    await ears.until(lambda event: event["type"] == "chunter.host.updated", 60)

    assert (3, True) == (done.returncode, lack in done.stderr), done.stdout + done.stderr
    assert (current, "online") == (site.current, site.state())
    assert [("returned", "0.3.0")] == told(ears)


def archive_changed(shop: Shop, _workshop: Workshop) -> None:
    """One byte of the archive is another one."""
    file = shop.rel / "chunter-0.2.0.gz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def archive_and_index_changed(shop: Shop, _workshop: Workshop) -> None:
    """Whoever changed the archive changed its hash in the index too."""
    archive_changed(shop, _workshop)
    index = json.loads((shop.rel / "index").read_bytes())
    for one in index["releases"]:
        one["sha256"] = _sha256(shop.rel / one["file"])
    (shop.rel / "index").write_text(json.dumps(index))


def signed_by_another(shop: Shop, workshop: Workshop) -> None:
    """The index is signed, by a stranger."""
    key = workshop.folder / "stranger.key"
    if not key.exists():
        signing.new_key(key)
    (shop.rel / "index.sig").write_bytes(signing.sign(key, (shop.rel / "index").read_bytes()))


def signature_gone(shop: Shop, _workshop: Workshop) -> None:
    """There is no signature."""
    (shop.rel / "index.sig").unlink()


def another_channels_index(shop: Shop, workshop: Workshop) -> None:
    """What is signed is the index of another channel."""
    workshop.publish(shop.folder / "dev", workshop.build("0.2.0.dev1"))
    for name in ("index", "index.sig"):
        (shop.rel / name).write_bytes((shop.folder / "dev" / name).read_bytes())


def cut_short(shop: Shop, _workshop: Workshop) -> None:
    """The server ends each answer early."""
    shop.cuts = [1000] * 10


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


REFUSALS = {
    archive_changed: ("is not the file that the signed index names", "checksum_mismatch"),
    archive_and_index_changed: ("The index is not signed by the key that this host trusts", "not_authorized"),
    signed_by_another: ("The index is not signed by the key that this host trusts", "not_authorized"),
    signature_gone: ("index.sig cannot be fetched: the server said 404", "storage_failed"),
    another_channels_index: ("The index is one of channel dev", "storage_failed"),
    cut_short: ("The next attempt goes on from there", "storage_failed"),
}


@pytest.mark.parametrize("harm", REFUSALS, ids=lambda harm: harm.__name__)
@pytest.mark.thorough
async def test_what_was_tampered_with_is_refused(site: Site, ears: Ears, shop: Shop, workshop: Workshop, harm):
    """Before anything is replaced: exit status 1, the same version, the same process; a command fails likewise."""
    words, code = REFUSALS[harm]
    workshop.publish(shop.rel, workshop.build("0.2.0"))
    harm(shop, workshop)
    there, pid = installed(site), site.pid
    done = await updated(site)
    if harm is cut_short:
        harm(shop, workshop)
    asked = await ears.result(site.send("host.update"), 60)

    assert (1, True) == (done.returncode, words in done.stderr), done.stdout + done.stderr
    assert ("failed", code, "refused") == (
        asked["status"], asked["error"]["code"], asked["error"]["details"]["outcome"],
    ), asked  # fmt: skip
    assert (there, pid, "online") == (installed(site), site.pid, site.state())


def installed(site: Site) -> dict[str, str]:
    """Everything in place but what the agent writes itself."""
    return {name: what for name, what in site.files().items() if not name.startswith(f"{site.root}/var")}


@pytest.mark.parametrize("is_fetched", swept([False, True], [False]), ids=["fetching", "unpacking"])
async def test_a_full_disk_ends_an_update(site: Site, ears: Ears, shop: Shop, workshop: Workshop, *, is_fetched: bool):
    """It is named, by hand and by command, with nothing replaced and nothing left of what was fetched."""
    release = workshop.build("0.2.0")
    workshop.publish(shop.rel, release)
    there, pid, folder = installed(site), site.pid, site.updates().folder
    with small_disk(folder, 2**20 + (len(release.content) if is_fetched else 0)):
        done = await updated(site)
        asked = await ears.result(site.send("host.update"), 60)
        left = sorted(one.name for one in folder.iterdir())

    words = f"There is no space for chunter-0.2.0{'' if is_fetched else '.gz'}"
    assert (1, True) == (done.returncode, words in done.stderr), done.stdout + done.stderr
    assert ("failed", "insufficient_resources", True) == (
        asked["status"], asked["error"]["code"], words in asked["error"]["message"],
    ), asked  # fmt: skip
    assert ["lock", "state.json"] == left
    assert 2 == sum(path.endswith(".gz") for path, _ in shop.asked)
    assert (there, pid, "online") == (installed(site), site.pid, site.state())


@pytest.mark.thorough
async def test_a_disk_without_a_byte_left_ends_an_update(site: Site, shop: Shop, workshop: Workshop):
    """Before anything is fetched, in one sentence."""
    workshop.publish(shop.rel, workshop.build("0.2.0"))
    there, folder = installed(site), site.updates().folder
    with small_disk(folder, 2**16):
        (folder / "lock").touch()
        with (folder / "ballast").open("wb", buffering=0) as ballast:
            ballast.write(bytes(2**16))  # what does not fit is not written
        done = await updated(site)

    words = f"How far the update is cannot be written to {folder}: [Errno 28] No space left on device\n"
    assert (1, words) == (done.returncode, done.stderr.removeprefix("Error: "))
    assert [] == [path for path, _ in shop.asked if path.endswith(".gz")]
    assert there == installed(site)


@pytest.mark.thorough
async def test_a_download_that_was_cut_goes_on_where_it_ended(site: Site, shop: Shop, workshop: Workshop):
    """The server hears the range that is missing, and the update succeeds."""
    workshop.publish(shop.rel, workshop.build("0.2.0"))
    shop.cuts = [100_000, 100_000]
    done = await updated(site)

    assert (0, True) == (done.returncode, "updated from 0.1.0 to 0.2.0" in done.stdout), done.stderr
    assert ["", "bytes=100000-", "bytes=200000-"] == [how for path, how in shop.asked if path.endswith(".gz")]


@pytest.mark.thorough
async def test_bin_update_goes_forth_and_back(site: Site, shop: Shop, workshop: Workshop):
    """Newest, named, older by force, another channel; the exit status says what happened."""
    newest = await updated(site)
    assert (0, "0.1.0 is the newest\n") == (newest.returncode, newest.stdout)

    workshop.publish(shop.rel, workshop.build("0.2.0"))
    workshop.publish(shop.folder / "dev", workshop.build("0.3.0.dev1"))
    looked = await updated(site, "-n")
    assert (1, "0.2.0 is there; 0.1.0 is installed\n") == (looked.returncode, looked.stdout)
    absent = await updated(site, "-v", "9.9.9")
    assert (1, True) == (absent.returncode, "There is no release 9.9.9; there are 0.1.0, 0.2.0" in absent.stderr)
    assert 2 == (await updated(site, "-u", "-v", "0.2.0")).returncode

    assert 0 == (await updated(site, "-u")).returncode
    older = await updated(site, "-v", "0.1.0")
    assert (1, True) == (older.returncode, "bin/update -f -v 0.1.0 goes back to it" in older.stderr)
    back = await updated(site, "-f", "-v", "0.1.0")
    assert (0, True) == (back.returncode, site.current.startswith("0.1.0-")), back.stderr
    other = await updated(site, "-b", "dev")
    assert (0, "dev-0.3.0.dev1\n") == (other.returncode, (site.root / "etc" / "chunter.version").read_text())


@pytest.mark.thorough
async def test_an_update_that_cannot_be_judged_is_not_begun(site: Site, shop: Shop, workshop: Workshop):
    """An agent that is not well, a wrong configuration, another update: exit status 1, and nothing was replaced."""
    workshop.publish(shop.rel, workshop.build("0.2.0"))
    current, file = site.current, site.root / "etc" / "chunter.conf"
    with site.updates().held():
        busy = await updated(site)
    assert (1, True) == (busy.returncode, "another update runs on this host" in busy.stderr)

    text = file.read_text()
    file.write_text(f"{text}nope = 1\n")
    wrong = await updated(site)
    assert (1, True) == (wrong.returncode, "nope: unknown key" in wrong.stderr)
    file.write_text(text.replace(shop.url, "http://127.0.0.1:1"))
    away = await updated(site)
    assert (1, True) == (away.returncode, "Is update.url right, and the server up?" in away.stderr)
    file.write_text(text)

    site.nsqd.kill()
    ill = await updated(site)
    site.nsqd.start()
    assert (1, True) == (ill.returncode, "The agent is not well now" in ill.stderr), ill.stdout
    assert current == site.current


@pytest.mark.thorough
async def test_a_service_that_is_disabled_stays_so(site: Site, shop: Shop, workshop: Workshop):
    """It is updated, and not watched."""
    workshop.publish(shop.rel, workshop.build("0.2.0"))
    await asyncio.to_thread(site.tool, "svcadm", "disable", "-s", "chunter")
    done = await updated(site, "-f")

    assert (0, True) == (done.returncode, "not watched" in done.stdout), done.stderr
    assert ("disabled", True) == (site.state(), site.current.startswith("0.2.0-"))


@pytest.mark.thorough
async def test_a_power_cut_amid_an_update_is_survived(site: Site, ears: Ears, shop: Shop, workshop: Workshop):
    """The boot goes on with it: the command ends in the new version, whose watch was cut short."""
    slow = harmed(b"    import time; time.sleep(4)\n")
    workshop.publish(shop.rel, workshop.build("0.2.0", **{"chunter_nsq/app.py": slow}))
    command = site.send("host.update")
    async with asyncio.timeout(100):
        while not ((state := site.updates().state()) and state.phase == "watching"):
            await asyncio.sleep(0.02)
    await asyncio.to_thread(site.shutdown, cut=True)
    await asyncio.to_thread(site.boot)
    done = await ears.result(command, 100)

    assert ("succeeded", "0.2.0") == (done["status"], done["result"]["to"]), done
    await ears.until(lambda event: event["type"] == "chunter.host.updated", 30)
    assert [("updated", "0.2.0")] == told(ears)


def test_the_harms_change_what_is_released(workshop: Workshop):
    """The versions that must fail are others than ours."""
    plain = gzip.decompress(workshop.build("0.3.0").content)
    assert [] == [name for name, (first, *_) in HARMS.items() if harmed(first) in plain]
