"""docs/commands.md is typed from top to bottom, and what it shows is what comes back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_parts import settings_for
from worlds import ACTIONS, FINAL, Ears, Host

from chunter_nsq.storage.account import Account

pytest_plugins = ("s3_servers", "release_parts")

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
_SECTION = re.compile(r"^### (?P<action>\S+)\n(?P<text>.*?)(?=^##)", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
_RUNS = re.compile(r"\d+(\.\d+)?")


def sections() -> Iterator[tuple[str, str]]:
    """Each action with what is written about it, in the order of the page."""
    for found in _SECTION.finditer(PAGE.read_text() + "\n##"):
        yield found["action"], found["text"]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [found["text"] for found in _BLOCK.finditer(text) if found["language"] == language]


def is_part(shown: Any, whole: Any) -> bool:
    """Whether a document has all that is shown of it; numbers, and what is shown as dots, may be others."""
    if isinstance(shown, dict) and isinstance(whole, dict):
        return all(name in whole and is_part(one, whole[name]) for name, one in shown.items())
    if isinstance(shown, list) and isinstance(whole, list):
        return all(any(is_part(one, other) for other in whole) for one in shown) and bool(shown) == bool(whole)
    if isinstance(shown, str) and isinstance(whole, str):
        return shown == "..." or _RUNS.sub("N", shown) == _RUNS.sub("N", whole)
    if is_number(shown) and is_number(whole):
        return True
    return type(shown) is type(whole) and shown == whole


def is_number(value: Any) -> bool:
    """Whether it is one; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_every_action_has_one_section_with_a_command_and_an_answer() -> None:
    """The page tells the actions that there are, each once, with something to type and what comes of it."""
    told = dict(sections())
    assert sorted(ACTIONS) == sorted(action for action, _ in sections())
    for action, text in told.items():
        typed = blocks(text, "sh")
        assert action in typed[-1], action
        assert 1 == len(blocks(text, "json")), action
        assert f"<!-- begin errors of {action} -->" in text


@pytest.mark.timeout(400)
@pytest.mark.thorough
async def test_the_page_can_be_typed(
    ears: Ears, new_host: Callable[..., Host], account: Account, newer: dict[str, str]
) -> None:
    """Each command ends well as it stands there, in its order, and its result has what is shown of it."""
    host = await new_host(settings={"execute_api": "on", **settings_for(account), **newer}).start().ready()
    for action, text in sections():
        for command in blocks(text, "sh"):
            await typed(host, command)
        (answer,) = blocks(text, "json")
        await comes(ears, action, json.loads(answer))


async def comes(ears: Ears, action: str, shown: Any) -> None:
    """Wait for a result of an action that has what is shown."""

    def ends() -> list[Any]:
        results = (event["data"] for event in ears.of("chunter.result") if event["data"]["action"] == action)
        return [one["result"] for one in results if one["status"] in FINAL]

    try:
        await ears.when(lambda: any(is_part(shown, one) for one in ends()), 30)
    except AssertionError:
        raise AssertionError(f"{action} brought {ends()}, and the page shows {shown}") from None


async def typed(host: Host, command: str) -> None:
    """Type it in a shell on the host, whose nsqd has another port here; it must end well."""
    folders = (Path(sys.executable).parent, host.platform / "usr" / "sbin", "/usr/bin", "/bin")
    child = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", command.replace("127.0.0.1:4151", host.nsqd.http_address),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.pathsep.join(map(str, folders)), "CHUNTER_NSQD_HTTP": host.nsqd.http_address},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(child.communicate(), 100)
    assert 0 == child.returncode, f"{command}\n{said.decode()}"
