from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from chunter_nsq.cli.config import config as command
from chunter_nsq.config import KEYS, difference, example
from chunter_nsq.config.sections import SECTIONS


def run(*arguments):
    """``chunter config diff`` without the caller's environment."""
    return CliRunner(env={"CHUNTER_ROOT": None, "CHUNTER_CONFIG": None}).invoke(command, ["diff", *map(str, arguments)])


def test_the_example_differs_in_nothing(tmp_path):
    """A fresh copy lacks no key and has none too many."""
    (tmp_path / "chunter.conf").write_text(example())
    done = run(tmp_path / "chunter.conf")
    assert (0, f"{tmp_path}/chunter.conf names every key that there is, and no other\n") == (
        done.exit_code,
        done.output,
    )


@pytest.mark.parametrize("attribute", KEYS)
def test_each_key_that_is_missing_is_told(attribute):
    """Whether it has a default or not, and whether it is set or a comment."""
    key = KEYS[attribute]
    without = re.sub(rf"^(# )?{re.escape(key.name)}[. ].*$", "", example(), flags=re.MULTILINE)
    assert (key,) == difference(without.encode()).lacking


def test_what_is_new_is_shown_with_its_default_and_its_purpose(tmp_path):
    """Enough to decide whether to write it into the file."""
    (tmp_path / "chunter.conf").write_text(example().replace("zpool_interval = 15s", ""))
    done = run(tmp_path / "chunter.conf")
    assert 0 == done.exit_code
    assert "  zpool_interval = 15s\n      How often the pools are checked" in done.output


def test_the_file_of_an_earlier_agent_is_told_line_by_line(tmp_path):
    """Old spellings are fine, old names and keys without a purpose are named, unknown ones have to be mended."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "chunter.conf").write_text(
        "nodename = chunter@127.0.0.1\nnsq_producer = 10.0.0.1:4150\nmax_paralell_uploads = 9\nnope = 1\n"
    )
    done = run("--root", tmp_path)
    assert 1 == done.exit_code
    to_mend, _, rest = done.output.partition("To be removed or renamed:\n")
    outdated, _, new = rest.partition("New, and not in")
    assert "chunter.conf:4: nope: unknown key" in to_mend
    assert "chunter.conf:1: nodename is no longer used" in outdated
    assert "chunter.conf:2: nsq_producer is the old name of nsqd" in outdated
    assert "max_parallel_uploads" not in new
    assert "  nsqlookupd (not set)\n" in new


def test_a_file_that_is_not_there_is_told(tmp_path):
    """In words, with exit status 1."""
    done = run(tmp_path / "none.conf")
    assert (1, True) == (done.exit_code, "cannot be read: No such file" in done.output)


def test_every_key_of_the_example_has_its_comment():
    """What it is for and what kind of value it takes stand right above each key, without an empty line between."""
    blocks = {block.rpartition("\n")[2]: block for block in example().strip().split("\n\n")}
    for key in KEYS.values():
        line = next(one for one in blocks if re.match(rf"(# )?{re.escape(key.name)}[. ]", one))
        above = " ".join(part.removeprefix("# ") for part in blocks[line].splitlines()[:-1])
        assert " ".join(key.doc.split()) in above, key.name
        assert f"({key.kind.name}" in above, key.name


def test_every_section_of_the_example_has_its_heading():
    """In the order of the table."""
    headings = re.findall(r"^#{20,}\n# ([^(\n]+?)(?: \(.*)?\n", example(), re.MULTILINE)
    assert [(section.__doc__ or "").rstrip(".").partition(":")[0] for section in SECTIONS] == headings
