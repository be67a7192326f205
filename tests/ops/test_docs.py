"""The pages say what the code does: tables, examples, and the code that they show."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from worlds import Host

import handlers
from chunter_nsq.config import KEYS
from chunter_nsq.messages.catalogue import KINDS
from tools.reference.__main__ import KEPT, stale
from tools.reference.examples import NOT_PLAYED, record
from tools.reference.tables import faults

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *REPOSITORY.glob("*.md")])


def headings(page):
    """The anchors of a page, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found}


def blocks(page, language):
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def test_generated_tables_are_the_newest():
    """`make docs` would change nothing but the examples."""
    assert [] == stale(is_mended=False)


def test_every_action_has_its_section_and_an_example():
    """What handlers.actions() lists is in messages.md, nothing else is, and each was played or says why not."""
    played = set(json.loads(KEPT.read_text())["actions"])
    sections = set(re.findall(r"^### (\S+)$", (DOCS / "messages.md").read_text(), re.MULTILINE))

    assert set(handlers.actions()) == {one for one in sections if not one.startswith("chunter.") and "." in one}
    assert set(handlers.actions()) == played | set(NOT_PLAYED)


def test_every_event_error_and_key_is_told():
    """Types of events and error codes stand in messages.md, keys of chunter.conf in operations.md."""
    messages, operations = (DOCS / "messages.md").read_text(), (DOCS / "operations.md").read_text()

    assert [] == [kind.type for kind in KINDS if f"### {kind.type}\n" not in messages]
    assert [] == [fault.code for fault in faults() if f"| `{fault.code}` |" not in messages]
    assert [] == [key.name for key in KEYS.values() if f"| `{key.name}" not in operations]


@pytest.mark.timeout(200)
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
