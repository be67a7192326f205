"""make demo: what is seen of it, and what is left of it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from rich.console import Console

from chunter_nsq.messages.catalogue import KINDS
from tools.demo.__main__ import guarded
from tools.demo.controller import check
from tools.demo.screen import WIDTH, Screen

REPOSITORY = Path(__file__).parents[2]
DEMO = [sys.executable, "-m", "tools.demo"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of its own for everything temporary, in which nothing may be left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def left(folder):
    """Files in the folder, and processes that were started for it."""
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [*folder.glob("chunter-demo-*"), *(line for line in lines if str(folder) in line)]


@pytest.mark.timeout(200)
def test_the_demo_plays_to_its_end_on_plain_lines(folder):
    """Without a terminal: exit 0 within a minute, 100 columns of plain text, known types of events, nothing left."""
    record, began = folder / "record.jsonl", time.monotonic()
    done = subprocess.run(
        [*DEMO, "--record", record], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=150
    )

    assert 0 == done.returncode, done.stdout
    assert time.monotonic() - began < 60
    assert [] == [line for line in done.stdout.splitlines() if len(line) > WIDTH or "\x1b" in line]
    kinds = {event["type"] for event in map(json.loads, record.read_text().splitlines()) if "type" in event}
    assert kinds <= {kind.type for kind in KINDS}
    record.unlink()
    assert [] == left(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_cleans_up(folder, number):
    """Ctrl-C in the middle of a creation ends it with 130 and leaves neither a process nor a folder."""
    child = subprocess.Popen(
        DEMO, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    with child:
        shown = next(line for line in child.stdout if "creating" in line)
        child.send_signal(number)
        rest = child.stdout.read()

    assert 130 == child.returncode, shown + rest
    assert "nothing is left behind" in rest
    assert [] == left(folder)


async def test_a_scene_that_goes_otherwise_fails_the_demo(folder):
    """What is not as it should be is said in a sentence, with exit 1, and cleaned up after."""

    async def wrong(controller):
        """Something goes wrong."""
        check(controller.sent != [], "a command was sent")

    shown = io.StringIO()
    status, record = await guarded(Screen(Console(file=shown, width=WIDTH)), [wrong])

    assert (1, []) == (status, record)
    assert "The demo failed: It should be so, and is not: a command was sent" in shown.getvalue()
    assert [] == left(folder)
