"""docs/migrate.md tells of all that there was; what it says of keys is what the configuration does with them."""

from __future__ import annotations

import re
from pathlib import Path

import original
import pytest
from cli_parts import chunter

import handlers
from chunter_nsq.config import KEYS, Config, difference
from chunter_nsq.config.parser import RETIRED

pytest_plugins = ("release_parts",)
PAGE = (Path(__file__).parents[2] / "docs" / "migrate.md").read_text()
NAMES = {key.name for key in KEYS.values() if not key.family} | {
    f"{key.name}.<name>" for key in KEYS.values() if key.family
}


def rows(heading: str) -> list[tuple[str, ...]]:
    """The cells of the table of the page whose first row begins so."""
    text = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    lines = [line.strip("|").split("|") for line in text.splitlines()[2:]]
    return [tuple(cell.strip() for cell in cells) for cells in lines]


def table() -> dict[str, tuple[str, ...]]:
    """What the page says of each old key: the keys that it became."""
    return {old.strip("`"): tuple(re.findall(r"`([^`]+)`", new)) for old, new, _ in rows("key")}


def row_of(key: str) -> str | None:
    """The row that tells of a key: its own, that of its family, or that of what it lies below."""
    found = [one for one in table() if key == one or key.startswith(f"{one.removesuffix('<name>').rstrip('.')}.")]
    return max(found, key=len, default=None)


def test_every_key_of_the_original_has_its_row():
    """Each key of its schemas, and each name that our parser knows as old or as retired, but for what was ours."""
    renamed = {alias for key in KEYS.values() for alias in key.aliases}
    retired = RETIRED.keys() - {"dtrace"}

    assert [] == [key for key in (*original.KEYS, *renamed, *retired) if row_of(key) is None]
    assert [] == [row for row in table() if row not in {row_of(key) for key in original.KEYS}]


def test_the_keys_of_today_are_keys():
    """What a row names as the key here is one."""
    assert [] == [(old, one) for old, new in table().items() for one in new if one not in NAMES]


@pytest.mark.parametrize("key", original.KEYS)
def test_the_row_says_what_the_configuration_does(key):
    """A key that lives on is taken up without a note; one with another name, or without a use, is told as such."""
    row = row_of(key) or ""
    found = difference(f"{key} = {original.KEYS[key]}\n".encode())
    kept = table()[row] == (row,)

    assert () == found.faults
    assert kept == (found.outdated == ())
    for one in found.outdated:
        assert (row in RETIRED) == ("is no longer used" in one.text)


@pytest.mark.parametrize("key", original.SPELLINGS)
def test_the_spelling_of_the_documentation_is_understood(key):
    """It sets the same key as the right one."""
    value = str(int(original.SPELLINGS[key]) + 1)
    assert (Config.read(f"{key.replace('paralell', 'parallel')} = {value}\n".encode())) == (
        Config.read(f"{key} = {value}\n".encode())
    )


async def test_a_whole_file_of_the_original_is_good(tmp_path):
    """All keys at once: no fault, and a note for each that does nothing any more."""
    file = tmp_path / "chunter.conf"
    file.write_text(original.configuration())
    done = await chunter("config", "check", str(file))
    retired = [key for key in original.KEYS if row_of(key) in RETIRED]

    assert (0, len(retired)) == (done.status, done.out.count("is no longer used")), done.out


def test_it_is_installed_over_the_original(new_site, workshop):
    """Its tree stays beside ours, its configuration and its id are taken over, and the agent starts with them."""
    site = new_site()
    for name, text in {
        "etc/chunter.conf": original.configuration(),
        "etc/host_id": "06aa0000-0000-4000-8000-000000000001\n",
        "bin/chunter": "#!/bin/sh\necho old\n",
        "lib/chunter.beam": "",
    }.items():
        (site.root / name).parent.mkdir(parents=True, exist_ok=True)
        (site.root / name).write_text(text)
    service = site.platform / "usr/sbin/svccfg"
    service.unlink()
    service.write_text("#!/bin/sh\n")  # this test is about files
    service.chmod(0o755)
    done = site.install(workshop.script("0.1.0"))
    shown = site.chunter("config", "show")

    assert (0, 0) == (done.returncode, shown.returncode), done.stderr
    assert original.configuration() == (site.root / "etc" / "chunter.conf").read_text()
    assert "host id: 06aa0000-0000-4000-8000-000000000001" in done.stdout
    assert "* reserved_memory          = 8GB" in shown.stdout
    assert (site.root / "lib" / "chunter.beam").exists()


def test_every_term_of_the_original_has_its_row():
    """And each names an action that there is, or none."""
    told = {row[0].strip("`"): row[1] for row in rows("term")}
    actions = {action for cell in told.values() for action in re.findall(r"\[([a-z]+\.[a-z]+)\]", cell)}

    assert list(original.TERMS) == list(told)
    assert set() == actions - set(handlers.actions())
    assert ["{dtrace,Script}"] == [term for term, cell in told.items() if cell == "none"]


def test_every_event_of_the_original_has_its_row():
    """Howl's events, and the topics of NSQ."""
    told = " ".join(row[0] for row in rows("Howl or database"))

    assert [] == [one for one in original.EVENTS if f'{{"event":"{one}"}}' not in told]
    assert [] == [one for one in original.TOPICS if f"NSQ topic `{one}`" not in told]
