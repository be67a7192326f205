"""The pages say what the code does: tables, examples, and the code that they show."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from worlds import Host

import handlers
from chunter_nsq.cli.main import chunter as cli
from chunter_nsq.config import KEYS, difference
from chunter_nsq.messages.catalogue import KINDS
from tools.reference.__main__ import KEPT, stale
from tools.reference.examples import RARE, record
from tools.reference.tables import faults

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *REPOSITORY.glob("*.md")])


def headings(page):
    """The anchors of a page, as GitHub makes them; what stands in fences has none."""
    plain = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^#+ (.+)$", plain, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found}


def blocks(page, language):
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def test_generated_tables_are_the_newest():
    """`make docs` would change nothing but the examples."""
    assert [] == stale(is_mended=False)


def test_every_action_has_its_section_and_an_example():
    """What handlers.actions() lists is in messages.md, nothing else is, and each was played."""
    played = set(json.loads(KEPT.read_text())["actions"])
    sections = set(re.findall(r"^### (\S+)$", (DOCS / "messages.md").read_text(), re.MULTILINE))

    assert set(handlers.actions()) == {one for one in sections if not one.startswith("chunter.") and "." in one}
    assert set(handlers.actions()) == played


def test_every_event_has_an_example_but_rare_ones():
    """Of those there is the form."""
    assert {kind.type for kind in KINDS} == set(json.loads(KEPT.read_text())["events"]) | RARE


def test_every_event_error_and_key_is_told():
    """Types of events and error codes stand in messages.md, keys of chunter.conf in operations.md."""
    messages, operations = (DOCS / "messages.md").read_text(), (DOCS / "operations.md").read_text()

    assert [] == [kind.type for kind in KINDS if f"### {kind.type}\n" not in messages]
    assert [] == [fault.code for fault in faults() if f"| `{fault.code}` |" not in messages]
    assert [] == [key.name for key in KEYS.values() if f"| `{key.name}" not in operations]


@pytest.mark.thorough
async def test_the_examples_are_what_happens_today():
    """Played again, each action answers and each event comes with the members that its example has."""
    kept, fresh = json.loads(KEPT.read_text()), await record()

    assert set(kept["actions"]) == set(fresh["actions"])
    for name, shown in kept["actions"].items():
        assert shape(shown) == shape(fresh["actions"][name]), name
    for kind in kept["events"].keys() & fresh["events"].keys():
        assert set(kept["events"][kind]) == set(fresh["events"][kind]), kind


def shape(shown):
    """Status, error code and the names of a result's members."""
    return shown["status"], (shown.get("error") or {}).get("code"), sorted(shown.get("result") or ())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Each relative link names a file that is there, and a heading that is in it."""
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        place, _, anchor = link.partition("#")
        target = (page.parent / place) if place else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def test_every_page_can_be_found():
    """From README one comes to each page by links."""
    seen: set[Path] = set()
    waiting = [REPOSITORY / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        links = [link.partition("#")[0] for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text())]
        found = [(page.parent / link).resolve() for link in links if link]
        found += [one for folder in found if folder.is_dir() for one in folder.glob("*.md")]
        waiting += [one for one in found if one.suffix == ".md" and one not in seen]

    assert set() == set(PAGES) - seen


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page):
    """`chunter WORD` in running text and in blocks is a command, and its options are options of it."""
    text = page.read_text()
    typed = re.findall(r"`chunter ([a-z_-]+)((?: [^`]+)?)`", text)
    typed += re.findall(r"(?:bin/|\$ )chunter ([a-z_]+)(.*)$", text, re.MULTILINE)
    for word, rest in typed:
        command = cli.get_command(None, word)
        assert command is not None, word
        deeper = rest.split()[0] if rest.split() else ""
        if isinstance(command, click.Group) and deeper in command.commands:
            command = command.commands[deeper]
        known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
        assert set() == {one for one in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest) if one not in known}, word


def test_the_flags_of_nsqd_are_flags_of_nsqd():
    """What operations.md and README tell to start nsqd with is what it takes."""
    page = (DOCS / "operations.md").read_text()
    section = page.partition("\n## nsqd\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"(?:`| )-([a-z]+(?:-[a-z]+)+)", section))
    said = subprocess.run([REPOSITORY / ".tools/bin/nsqd", "-help"], capture_output=True, text=True, check=False)
    known = set(re.findall(r"^  -([a-z-]+)", said.stdout + said.stderr, re.MULTILINE))

    assert len(named) > 8
    assert set() == named - known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_of_configuration_are_good(page):
    """`key = value`, in running text or a block, is a line that the agent would start with."""
    lines = re.findall(r"`([a-z_.]+ = [^`\n]+)`", page.read_text())
    lines += [line for one in blocks(page, "text") for line in one.splitlines() if re.match(r"[a-z_.]+ = ", line)]
    for line in set(lines) - {"key = value"}:
        found = difference(f"{line}\n".encode())
        assert ((), ()) == (found.faults, found.outdated), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_json_blocks_are_json(page):
    """Each JSON block can be read, whole or line by line."""
    for block in blocks(page, "json"):
        try:
            json.loads(block)
        except ValueError:
            assert [] == [line for line in block.splitlines() if not isinstance(json.loads(line), dict)]


async def test_the_code_of_the_guide_runs(host: Host, nsqd):
    """Each Python and shell block of guide.md ends well, with the port of this world in place of the default."""
    page = DOCS / "guide.md"
    code = [[sys.executable, "-c", one] for one in blocks(page, "python")]
    code += [["bash", "-euc", one] for one in blocks(page, "sh")]
    assert len(code) > 3
    for *argv, text in code:
        moved = text.replace("127.0.0.1:4151", nsqd.http_address)
        done = await asyncio.to_thread(
            subprocess.run,
            [*argv, moved], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": "/usr/bin:/bin", "CHUNTER_NSQD_HTTP": nsqd.http_address},
        )  # fmt: skip
        assert 0 == done.returncode, f"{text}\n{done.stdout}\n{done.stderr}"
