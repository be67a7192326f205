"""Images by command: listed, imported once however many want them, deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from slowness import SLOWNESS
from worlds import BASE_IMAGE, SHARED_MACHINES, Ears, Host, new_uuid

from chunter_nsq.smartos.simulator import faults

ALPINE = "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b"
MINIMAL = "85d0f826-0131-11ed-973d-2bfeef68011f"


@pytest.fixture
def host(shared: Host) -> Host:
    """One for all; each test begins without the images that it imports, and with an imgadm of the usual pace."""
    _slow(shared)
    for image in (ALPINE, MINIMAL):
        shared.tool("imgadm", "delete", image)
    return shared


def _slow(host: Host, **seconds: float) -> None:
    file = host.platform / "var" / "simulator" / "latency.json"
    file.write_text(json.dumps({f"imgadm {verb}".replace("import_", "import"): one for verb, one in seconds.items()}))


async def _half_there(host: Host) -> None:
    """Returns when an import has begun to receive."""
    async with asyncio.timeout(30 * SLOWNESS):
        while not any("partial" in name for name in await asyncio.to_thread(_datasets, host)):
            await asyncio.sleep(0.1)


def _datasets(host: Host) -> list[str]:
    return host.tool("zfs", "list", "-H", "-o", "name").stdout.split()


async def test_an_image_comes_and_goes(ears: Ears, host: Host) -> None:
    """import, list and delete each tell the image; what is there already is a success, what is not is not found."""
    before = len(host.invocations("imgadm"))
    done = await ears.result(host.send("image.import", params={"image": ALPINE}))
    assert "succeeded" == done["status"], done
    assert ("alpine-3", "lx-dataset") == (done["result"]["image"]["name"], done["result"]["image"]["type"])
    listed = (await ears.result(host.send("image.list")))["result"]["images"]
    assert {BASE_IMAGE, ALPINE} <= {one["uuid"] for one in listed}
    assert "succeeded" == (await ears.result(host.send("image.import", params={"image": ALPINE})))["status"]
    assert 1 == sum({"import", ALPINE} <= set(argv) for argv in host.invocations("imgadm")[before:])
    done = await ears.result(host.send("image.delete", params={"image": ALPINE}))
    assert (ALPINE, "succeeded") == (done["result"]["image"]["uuid"], done["status"])
    assert f"zones/{ALPINE}" not in _datasets(host)
    again = await ears.result(host.send("image.delete", params={"image": ALPINE}))
    assert "not_found" == again["error"]["code"]


async def test_one_import_at_a_time(ears: Ears, host: Host) -> None:
    """Commands for the same image wait for each other; a failed one leaves nothing behind and says why."""
    before = len(host.invocations("imgadm"))
    _slow(host, import_=1.5)
    both = [host.send("image.import", params={"image": MINIMAL}) for _ in range(2)]
    assert ["succeeded"] * 2 == [(await ears.result(one))["status"] for one in both]
    assert 1 == sum({"import", MINIMAL} <= set(argv) for argv in host.invocations("imgadm")[before:])
    _slow(host)
    unknown = await ears.result(host.send("image.import", params={"image": new_uuid()}))
    assert "not_found" == unknown["error"]["code"]
    assert "ActiveImageNotFound" in unknown["error"]["message"]
    elsewhere = host.send("image.import", params={"image": ALPINE, "source": "https://nowhere.example"})
    assert "ENOTFOUND" in (await ears.result(elsewhere))["error"]["message"]
    used = await ears.result(host.send("image.delete", params={"image": BASE_IMAGE}))
    assert "invalid_state" == used["error"]["code"]
    assert [] == [name for name in _datasets(host) if "partial" in name]


async def test_half_an_image_lies_in_the_way(ears: Ears, host: Host) -> None:
    """An import that somebody killed by hand costs the next one an attempt, and nobody else notices."""
    faults.add(str(host.platform), {"tool": "imgadm", "subcommand": "import", "kill_after": "partial", "times": 1})
    assert host.tool("imgadm", "import", "-q", ALPINE).returncode < 0
    assert f"zones/{ALPINE}-partial" in _datasets(host)
    before = len(host.invocations("imgadm"))
    done = await ears.result(host.send("image.import", params={"image": ALPINE}))
    there = _datasets(host)
    await ears.result(host.send("image.delete", params={"image": ALPINE}))

    assert ("succeeded", ALPINE) == (done["status"], done["result"]["image"]["uuid"]), done
    assert 2 == sum("import" in argv for argv in host.invocations("imgadm")[before:])
    assert [f"zones/{ALPINE}"] == [name for name in there if ALPINE in name]


async def test_an_import_can_be_cancelled(ears: Ears, host: Host) -> None:
    """command.cancel ends the download, and nothing of it stays."""
    _slow(host, import_=20.0)
    command = host.send("image.import", params={"image": ALPINE})
    await _half_there(host)
    await ears.result(host.send("command.cancel", params={"command": command}))

    assert "cancelled" == (await ears.result(command))["status"]
    assert [] == [name for name in _datasets(host) if "partial" in name]
    _slow(host)


async def test_a_docker_image_comes_by_its_name(ears: Ears, new_host: Callable[..., Host]) -> None:
    """The result names the image that the registry meant; a second spelling brings no second one."""
    host = await new_host().start().ready()
    none = await ears.result(host.send("image.import", params={"image": "redis:7"}))
    assert "not_found" == none["error"]["code"]
    assert "imgadm sources --add-docker-hub" in none["error"]["message"]
    host.tool("imgadm", "sources", "--add-docker-hub")
    done = await ears.result(host.send("image.import", params={"image": "redis:7"}))
    assert "succeeded" == done["status"], done
    image = done["result"]["image"]
    assert ("docker", ["redis:7"]) == (image["type"], image["docker"])
    assert f"zones/{image['uuid']}" in _datasets(host)
    same = await ears.result(host.send("image.import", params={"image": "docker.io/library/redis:7"}))
    assert image["uuid"] == same["result"]["image"]["uuid"]
    other = await ears.result(host.send("image.import", params={"image": "quay.io/prometheus/busybox:latest"}))
    assert ["quay.io/prometheus/busybox:latest"] == other["result"]["image"]["docker"]
    base = await ears.result(host.send("image.delete", params={"image": image["origin"]}))
    assert "invalid_state" == base["error"]["code"]


async def test_a_cancelled_docker_import_leaves_no_half_layer(ears: Ears, host: Host) -> None:
    """Although its uuid is known to nobody before imgadm told it."""
    host.tool("imgadm", "sources", "--add-docker-hub")
    _slow(host, import_=20.0)
    command = host.send("image.import", params={"image": "redis"})
    await _half_there(host)
    await ears.result(host.send("command.cancel", params={"command": command}))

    assert "cancelled" == (await ears.result(command))["status"]
    assert [] == [name for name in _datasets(host) if "partial" in name]
    _slow(host)


async def test_what_is_no_image_is_refused_with_one_clear_error(ears: Ears, host: Host) -> None:
    """It starts nothing; neither does a name beside a source, since the name says its registry itself."""
    before = host.invocations("imgadm")
    for params, path, words in (
        ({"image": "Busy Box"}, "$.params.image", "busybox:latest"),
        ({"image": "-S"}, "$.params.image", "busybox:latest"),
        ({"image": "busybox", "source": "https://docker.io"}, "$.params.source", "must not stand beside"),
    ):
        done = await ears.result(host.send("image.import", params=params))
        (fault,) = done["error"]["details"]["faults"]
        assert ("rejected", path, True) == (done["status"], fault["path"], words in fault["message"])
    assert before == host.invocations("imgadm")


async def test_a_dry_run_tells_what_would_be_typed(ears: Ears, host: Host) -> None:
    """Nothing is fetched, nothing is deleted."""
    planned = await ears.result(host.send("image.import", params={"image": ALPINE, "dry_run": True}))
    assert [["usr/sbin/imgadm", "import", "-q", "-P", "zones", ALPINE]] == planned["result"]["argv"]
    assert {"image": ALPINE, "installed": False} == planned["result"]["found"]
    planned = await ears.result(host.send("image.import", params={"image": "redis:7", "dry_run": True}))
    assert [["usr/sbin/imgadm", "import", "-q", "-P", "zones", "redis:7"]] == planned["result"]["argv"]
    assert {"image": "redis:7", "installed": None} == planned["result"]["found"]
    planned = await ears.result(host.send("image.delete", params={"image": BASE_IMAGE, "dry_run": True}))
    assert {"image": BASE_IMAGE, "installed": True, "clones": SHARED_MACHINES} == planned["result"]["found"]
