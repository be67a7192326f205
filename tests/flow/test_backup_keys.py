"""The keys of a store, wherever they come from: used, and in nothing that the agent writes, logs, says or shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from backup_parts import good, holds, made, run, send_delay, settings_for
from nsq_servers import Nsqd
from sweeps import swept
from worlds import Ears, Host

from chunter_nsq.storage.account import Account

pytest_plugins = ("s3_servers", "backup_parts")

PAGES = ("/", "/api/status", "/api/machines", "/api/commands", "/metrics", "/healthz", "/readyz")
DEBUG = {"log.level": "debug"}
AGENT_IS_TOLD = ("chunter.conf", "s3.access", "s3.secret")


def store_of(account: Account) -> dict[str, str]:
    """What a command says of a store."""
    store = {"endpoint": account.endpoint, "bucket": account.bucket}
    return store | {"access_key": account.access_key, "secret_key": account.secret_key}


def written(host: Host, nsqd: Nsqd) -> Iterator[tuple[str, bytes]]:
    """All that lies on disk by now: the agent's files and log, the host's, and each topic of nsqd but the commands'."""
    places = (host.root, host.log, host.platform / "invocations.jsonl", nsqd.data_path)
    files = [path for place in places for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file()]
    for path in files:
        if path.name not in AGENT_IS_TOLD and not path.name.startswith("chunter.command"):
            with suppress(FileNotFoundError):  # nsqd has renamed it meanwhile
                yield str(path), path.read_bytes()


async def shown(host: Host) -> list[tuple[str, bytes]]:
    """All that the agent shows."""
    return [(page, (await host.get(page))[1]) for page in PAGES]


async def nothing_shows(host: Host, nsqd: Nsqd, ears: Ears, account: Account) -> None:
    """Neither key stands anywhere."""
    said = [("what was heard", json.dumps(ears.heard).encode())]
    found = [*await asyncio.to_thread(lambda: list(written(host, nsqd))), *await shown(host), *said]
    assert {"chunter.db", "agent.log"} <= {Path(name).name for name, _ in found}
    for name, content in found:
        assert account.secret_key.encode() not in content, name
        assert account.access_key.encode() not in content, name


async def used(host: Host, ears: Ears, uuid: str, look: Callable, **params: Mapping) -> None:
    """A backup, a look while it is made, a look at the store, and two that go wrong."""
    send_delay(host, 1.0)
    command = host.send("backup.create", uuid, params={"snapshot": "one", **params})
    await ears.until(lambda event: event["type"] == "chunter.backup.update")
    await look()
    done = await ears.result(command)
    assert "succeeded" == done["status"], done
    assert 1 == len((await good(host, ears, "backup.list", uuid, **params))["backups"])
    again = await run(host, ears, "backup.create", uuid, snapshot="one", **params)
    assert "already_exists" == again["error"]["code"]
    await look()


@pytest.mark.thorough
async def test_keys_of_a_command_stay_in_memory(
    new_host: Callable[..., Host], nsqd: Nsqd, account: Account, ears: Ears
):
    """A store given with the command works, also one that refuses the keys; the journal has a word in their place."""
    host = await new_host(settings=DEBUG).start().ready()
    uuid = await made(host, ears)
    missing = await run(host, ears, "backup.create", uuid, snapshot="one")
    assert "invalid_state" == missing["error"]["code"]
    await used(host, ears, uuid, lambda: nothing_shows(host, nsqd, ears, account), s3=store_of(account))
    wrong = store_of(account) | {"secret_key": account.secret_key[::-1]}
    refused = await run(host, ears, "backup.list", uuid, s3=wrong)
    assert ("storage_failed", 403) == (refused["error"]["code"], refused["error"]["details"]["status"])
    assert account.secret_key[::-1] not in json.dumps(ears.heard) + host.log.read_text()
    await nothing_shows(host, nsqd, ears, account)


@pytest.mark.parametrize("source", swept(["configuration", "files", "environment"], ["files"]))
async def test_keys_of_the_host(
    new_host: Callable[..., Host],
    nsqd: Nsqd,
    account: Account,
    ears: Ears,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
):
    """In chunter.conf, in files that it names, in the environment of the agent: used, and never shown."""
    settings = settings_for(account) | DEBUG
    if source == "files":
        for name in ("access", "secret"):
            (tmp_path / f"s3.{name}").write_text(settings[f"s3.{name}_key"] + "\n")
            settings[f"s3.{name}_key"] = f"@{tmp_path}/s3.{name}"
    if source == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", settings.pop("s3.access_key"))
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", settings.pop("s3.secret_key"))
    host = await new_host(settings=settings).start().ready()
    uuid = await made(host, ears)
    await used(host, ears, uuid, lambda: nothing_shows(host, nsqd, ears, account))
    elsewhere = await run(host, ears, "backup.list", uuid, s3={"endpoint": "http://127.0.0.1:9"})
    assert ("failed", "invalid_message") == (elsewhere["status"], elsewhere["error"]["code"]), elsewhere
    assert "keys of its own" in elsewhere["error"]["message"]
    assert 0 == holds(host, uuid)
