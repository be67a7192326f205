"""README.md is run as it is written, block by block, in a world of its own.

In the Markdown a comment before a block says how: ``background: NAME; ready: REGEX`` for what runs until the end,
``shown by: NAME`` for lines that a background process must have shown. The working directory is a folder of links to
the repository, so that ``.up`` is a fresh one; the default ports in README are replaced by free ones, nothing else is.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nsq_servers import free_port

REPOSITORY = Path(__file__).parents[2]
_BLOCK = re.compile(r"(?:<!-- (?P<remark>[^\n]*) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
_PORTS = {
    4150: "CHUNTER_UP_NSQD_TCP", 4151: "CHUNTER_UP_NSQD_HTTP", 4160: "CHUNTER_UP_LOOKUPD_TCP",
    4161: "CHUNTER_UP_LOOKUPD_HTTP", 4171: "CHUNTER_UP_NSQADMIN", 4200: "CHUNTER_UP_STATUS",
    8333: "CHUNTER_UP_S3",
}  # fmt: skip
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Block:
    """A fenced block and the remark before it."""

    remark: str
    language: str
    text: str


def blocks() -> list[Block]:
    """All fenced blocks of README, in order."""
    found = _BLOCK.finditer((REPOSITORY / "README.md").read_text())
    return [Block(one["remark"] or "", one["language"], one["text"]) for one in found]


def shape(line: str) -> str:
    """A line without what differs from run to run: ids, times, numbers."""
    line = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID", line)
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", line)
    line = re.sub(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])", "EPOCH", line)
    return re.sub(r"\d+(\.\d+)?", "N", line)


class Reader:
    """Somebody who types what README says, into as many terminals as it takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.folder.mkdir()
        for one in REPOSITORY.iterdir():
            if one.name != ".up":
                (self.folder / one.name).symlink_to(one)
        self.ports = {default: free_port() for default in _PORTS}
        moved = {name: str(self.ports[default]) for default, name in _PORTS.items()}
        door = f"127.0.0.1:{self.ports[4151]}"
        self.environment = {**os.environ, **moved, "CHUNTER_NSQD_HTTP": door, "PYTHONUNBUFFERED": "1"}
        self.terminals: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}

    def typed(self, text: str) -> list[str]:
        """The shell that runs a block, with the ports of this world."""
        for default, port in self.ports.items():
            text = text.replace(f"127.0.0.1:{default}", f"127.0.0.1:{port}")
        return ["bash", "-euo", "pipefail", "-c", text]

    def run(self, text: str) -> str:
        """Run a block to its end, which must be a good one."""
        done = subprocess.run(
            self.typed(text), cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=110,
        )  # fmt: skip
        assert 0 == done.returncode, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def begin(self, name: str, text: str, ready: str) -> None:
        """Run a block in a terminal of its own until it shows ``ready``."""
        log = self.folder.parent / f"{name}.log"
        with log.open("wb") as output:
            child = subprocess.Popen(
                self.typed(text), cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self.terminals[name] = (child, log)
        self.until(name, lambda shown: re.search(ready, shown) is not None, ready)

    def until(self, name: str, is_there, words: str) -> None:
        """Wait until what a terminal shows is as wanted."""
        child, log = self.terminals[name]
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not is_there(log.read_text(errors="replace")):
            assert child.poll() is None, f"{name} ended:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{name} does not show {words}:\n{log.read_text()[-4000:]}"
            time.sleep(0.05)

    def stop(self, name: str) -> str:
        """Ctrl-C in a terminal, and what it showed."""
        child, log = self.terminals.pop(name)
        os.killpg(child.pid, signal.SIGINT)
        child.wait(30)
        return log.read_text(errors="replace")

    def left(self) -> list[str]:
        """What still runs in this world."""
        lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
        return [line for line in lines if str(self.folder) in line]

    def end(self) -> None:
        """Close all terminals, also after a failure."""
        for name in list(self.terminals)[::-1]:
            child, _ = self.terminals[name]
            if child.poll() is None:
                self.stop(name)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader in a fresh clone."""
    one = Reader(tmp_path)
    yield one
    one.end()


@pytest.mark.thorough
def test_every_block_of_readme_does_what_it_says(reader):
    """Each shell block runs as written and ends well, and each line shown as output comes."""
    for block in blocks():
        if background := re.fullmatch(r"background: (\w+); ready: (.+)", block.remark):
            reader.begin(background[1], block.text, background[2])
        elif shown := re.fullmatch(r"shown by: (\w+)", block.remark):
            for line in block.text.splitlines():
                reader.until(shown[1], lambda text, line=line: shape(line) in map(shape, text.splitlines()), line)
        elif block.language == "sh":
            reader.run(block.text)

    reader.stop("tail")
    shown = reader.stop("world")
    assert "SIGKILL" not in shown
    assert 5 == shown.count("stopped (rc=0)"), shown
    assert [] == reader.left()


def test_no_line_of_a_shell_block_is_wider_than_it_must_be():
    """What is to be typed can be read without scrolling, but for the one JSON object that has to be one line."""
    wide = [line for block in blocks() if block.language == "sh" for line in block.text.splitlines() if len(line) > 125]

    assert [] == [line for line in wide if not line.startswith("{")]
