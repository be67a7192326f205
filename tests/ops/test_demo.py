"""make demo: what is seen of it, and what is left of it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from rich.console import Console
from sweeps import swept

from chunter_nsq.messages.catalogue import KINDS
from tools.demo.__main__ import guarded
from tools.demo.controller import check
from tools.demo.screen import WIDTH, Screen

REPOSITORY = Path(__file__).parents[2]
TOLD = (
    "zone.created", "zone.state", "zone.deleted", "snapshot.completed", "snapshot.rollback", "backup.completed",
    "backup.verified", "backup.restored", "service.changed", "zpool.status", "host.announce", "deadletter",
)  # fmt: skip
MACHINE = "0c8dbb0b-6ce0-4d8e-8c1b-1d4a0f9f8a11"
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


@pytest.mark.thorough
def test_the_demo_plays_to_its_end_on_plain_lines(folder):
    """Without a terminal: exit 0 in under 90 s, 100 columns of plain text, known types of events, nothing left."""
    record, began = folder / "record.jsonl", time.monotonic()
    done = subprocess.run(
        [*DEMO, "--record", record], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=150
    )

    assert 0 == done.returncode, done.stdout
    assert time.monotonic() - began < 90
    assert [] == [line for line in done.stdout.splitlines() if len(line) > WIDTH or "\x1b" in line]
    kinds = {event["type"] for event in map(json.loads, record.read_text().splitlines()) if "type" in event}
    assert kinds <= {kind.type for kind in KINDS}
    assert {f"chunter.{kind}" for kind in TOLD} <= kinds
    assert re.search(r"^ *[0-9.]+   restoring \S+ [0-9]+ of [0-9]+ MB +\u2502$", done.stdout, re.MULTILINE)
    record.unlink()
    assert [] == left(folder)


@pytest.mark.parametrize("number", swept([signal.SIGINT, signal.SIGTERM], [signal.SIGINT]))
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


@pytest.mark.parametrize("columns", [60, 80, 120, 300])
def test_rows_fit_the_terminal(columns):
    """A terminal of 80 to 120 columns is filled with rows in two columns, none longer than it."""
    shown = io.StringIO()
    screen = Screen(Console(file=shown, width=columns, force_terminal=True, color_system=None, _environ={}))
    screen.name(MACHINE, "web0")
    screen.scene("A machine")
    screen.command({"action": "machine.create", "uuid": MACHINE, "params": {"payload": {}, "comment": "a b " * 40}})
    screen.event(event("zone.state", {"event": "state", "data": "installing_dataset " * 20}))
    screen.event(event("result", {"status": "failed", "error": {"code": "locked", "message": "x" * 200}}))

    lines = shown.getvalue().splitlines()
    assert max(80, min(columns, 120)) == max(map(len, lines))
    assert 1 == len({line.index("\u2502") for line in lines if "\u2502" in line})
    assert "web0" in shown.getvalue()


def test_a_bar_moves_while_a_command_runs_and_stays_full_when_it_succeeded():
    """On a terminal a bar is drawn in place; what is left of it is one full row, or none when the command failed."""
    moving, total = {"phase": "restoring", "rate": 1.0, "eta_seconds": 4.0}, 40_000_000
    for status, rows in (("succeeded", 1), ("failed", 0)):
        shown = io.StringIO()
        screen = Screen(Console(file=shown, width=80, force_terminal=True, color_system=None, _environ={}))
        for done in (0, total // 2):
            screen.event(event("result", {"status": "progress", "progress": {**moving, "done": done, "total": total}}))
        screen.event(event("result", {"status": status}))

        last = [line for line in shown.getvalue().splitlines() if "40 of 40 MB" in line]
        assert "\x1b[" in shown.getvalue()
        assert rows == len(last), shown.getvalue()


def event(kind, data):
    """An event about the machine."""
    return {"id": kind, "type": f"chunter.{kind}", "subject": MACHINE, "data": data}
