"""Images by command: listed, imported once however many want them, deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from worlds import BASE_IMAGE, Ears, Host, new_uuid

ALPINE = "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b"
MINIMAL = "85d0f826-0131-11ed-973d-2bfeef68011f"


def _slow(host: Host, **seconds: float) -> None:
    file = host.platform / "var" / "simulator" / "latency.json"
    file.write_text(json.dumps({f"imgadm {verb}".replace("import_", "import"): one for verb, one in seconds.items()}))


def _datasets(host: Host) -> list[str]:
    return host.tool("zfs", "list", "-H", "-o", "name").stdout.split()


async def test_an_image_comes_and_goes(ears: Ears, host: Host) -> None:
    """import, list and delete each tell the image; what is there already is a success, what is not is not found."""
    done = await ears.result(host.send("image.import", params={"image": ALPINE}))
    assert "succeeded" == done["status"], done
    assert ("alpine-3", "lx-dataset") == (done["result"]["image"]["name"], done["result"]["image"]["type"])
    listed = (await ears.result(host.send("image.list")))["result"]["images"]
    assert {BASE_IMAGE, ALPINE} <= {one["uuid"] for one in listed}
    assert "succeeded" == (await ears.result(host.send("image.import", params={"image": ALPINE})))["status"]
    assert 1 == sum("import" in argv for argv in host.invocations("imgadm"))
    done = await ears.result(host.send("image.delete", params={"image": ALPINE}))
    assert (ALPINE, "succeeded") == (done["result"]["image"]["uuid"], done["status"])
    assert f"zones/{ALPINE}" not in _datasets(host)
    again = await ears.result(host.send("image.delete", params={"image": ALPINE}))
    assert "not_found" == again["error"]["code"]


async def test_one_import_at_a_time(ears: Ears, new_host: Callable[..., Host]) -> None:
    """Commands for the same image wait for each other; a failed one leaves nothing behind and says why."""
    host = await new_host(zones=1).start().ready()
    _slow(host, import_=1.5)
    both = [host.send("image.import", params={"image": MINIMAL}) for _ in range(2)]
    assert ["succeeded"] * 2 == [(await ears.result(one))["status"] for one in both]
    assert 1 == sum("import" in argv for argv in host.invocations("imgadm"))
    unknown = await ears.result(host.send("image.import", params={"image": new_uuid()}))
    assert "not_found" == unknown["error"]["code"]
    assert "ActiveImageNotFound" in unknown["error"]["message"]
    elsewhere = host.send("image.import", params={"image": ALPINE, "source": "https://nowhere.example"})
    assert "ENOTFOUND" in (await ears.result(elsewhere))["error"]["message"]
    used = await ears.result(host.send("image.delete", params={"image": BASE_IMAGE}))
    assert "invalid_state" == used["error"]["code"]
    assert [] == [name for name in _datasets(host) if "partial" in name]


async def test_an_import_can_be_cancelled(ears: Ears, host: Host) -> None:
    """command.cancel ends the download, and nothing of it stays."""
    _slow(host, import_=20.0)
    command = host.send("image.import", params={"image": ALPINE})
    while f"zones/{ALPINE}-partial" not in await asyncio.to_thread(_datasets, host):
        await asyncio.sleep(0.1)
    await ears.result(host.send("command.cancel", params={"command": command}))

    assert "cancelled" == (await ears.result(command))["status"]
    assert [] == [name for name in _datasets(host) if "partial" in name]


async def test_a_dry_run_tells_what_would_be_typed(ears: Ears, host: Host) -> None:
    """Nothing is fetched, nothing is deleted."""
    planned = await ears.result(host.send("image.import", params={"image": ALPINE, "dry_run": True}))
    assert [["usr/sbin/imgadm", "import", "-q", "-P", "zones", ALPINE]] == planned["result"]["argv"]
    assert {"image": ALPINE, "installed": False} == planned["result"]["found"]
    planned = await ears.result(host.send("image.delete", params={"image": BASE_IMAGE, "dry_run": True}))
    assert {"image": BASE_IMAGE, "installed": True, "clones": 0} == planned["result"]["found"]
