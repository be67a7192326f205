from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from chunter_nsq.cli.config import config as command
from chunter_nsq.config import KEYS, Config, example


@pytest.fixture
def shell():
    """Runs ``chunter config`` without the caller's environment."""
    return CliRunner(env={"CHUNTER_ROOT": None, "CHUNTER_CONFIG": None})


def test_the_example_parses_to_the_defaults():
    """Copied as chunter.conf, the example changes nothing and needs no note."""
    assert (Config(), ()) == Config.read(example().encode())


def test_the_example_shows_every_key_once():
    """No key is hidden, none stands twice."""
    shown = re.findall(r"^(?:# )?([a-z0-9_.]+) = ", example(), re.MULTILINE)

    assert [f"{key.name}.admin" if key.family else key.name for key in KEYS.values()] == shown


def test_what_the_example_shows_as_sample_is_valid():
    """With every sample line made active the file still has no fault."""
    active = re.sub(r"^# (?=[a-z0-9_.]+ = )", "", example(), flags=re.MULTILINE)
    config, _ = Config.read(active.replace("nsq.tls = off", "nsq.tls = on").encode(), secret=lambda path: f"in {path}")

    assert [] == [name for name, key in KEYS.items() if not key.default and not getattr(config, name)]


def test_no_line_of_the_example_is_wider_than_a_terminal():
    """It can be read over a serial console."""
    assert [] == [line for line in example().splitlines() if len(line) > 80]


def test_every_key_is_explained_in_a_sentence():
    """What a key is for ends with a full stop."""
    assert [] == [key.name for key in KEYS.values() if not re.fullmatch(r"[A-Z].*\.", key.doc)]


def test_the_command_prints_the_example(shell):
    """What ships is what is printed."""
    assert example() == shell.invoke(command, ["example"]).stdout


def test_check_accepts_the_example(shell, tmp_path):
    """Exit status 0, and it says so."""
    file = tmp_path / "chunter.conf"
    file.write_text(example())

    result = shell.invoke(command, ["check", str(file)])

    assert (0, f"{file}: no faults\n") == (result.exit_code, result.stdout)


def test_check_prints_all_faults_with_lines(shell, tmp_path):
    """Exit status 1, a line for each fault."""
    file = tmp_path / "chunter.conf"
    file.write_text("lane.query = 0\n\nnope = 1\n")

    result = shell.invoke(command, ["check", str(file)])

    assert (1, [f"{file}:1", f"{file}:3", f"{file}: 2 faults"]) == (
        result.exit_code,
        [re.sub(r"(:[0-9]+): .*", r"\1", line) for line in result.stdout.splitlines()],
    )


def test_check_prints_notes(shell, tmp_path):
    """An old name is no fault, but worth saying."""
    file = tmp_path / "chunter.conf"
    file.write_text("nsq_producer = 10.0.0.1:4150\n")

    result = shell.invoke(command, ["check", str(file)])

    assert (0, True) == (result.exit_code, f"note: {file}:1: nsq_producer is the old name" in result.stdout)


def test_check_of_a_missing_file_fails_in_words(shell, tmp_path):
    """Exit status 1, with the reason."""
    result = shell.invoke(command, ["check", str(tmp_path / "none")])

    assert (1, f"{tmp_path}/none: this file cannot be read: No such file or directory\n") == (
        result.exit_code,
        result.stdout,
    )


def test_show_marks_what_is_not_default_and_stars_secrets(shell, tmp_path):
    """The effective configuration, aligned, within 80 columns."""
    file = tmp_path / "c"
    many = ", ".join(f"nsqd-{number}.example.org:4150" for number in range(9))
    file.write_text(f"arc_interval = 90s\nnsq.auth_secret = hunter2\nnsqd = {many}\n")

    result = shell.invoke(command, ["show", "--config", str(file)])
    lines = result.stdout.splitlines()[1:]

    assert (0, False, [], ["arc_interval", "nsq.auth_secret", "nsqd"], True, True) == (
        result.exit_code,
        "hunter2" in result.stdout,
        [line for line in lines if len(line) > 80],
        sorted(line.split()[1] for line in lines if line.startswith("*")),
        "* arc_interval             = 90s" in lines,
        "* nsq.auth_secret          = ***" in lines,
    )


def test_show_reads_the_file_of_the_tree(shell, tmp_path):
    """--root names the tree."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "chunter.conf").write_text("lane.query = 17\n")

    assert "* lane.query               = 17\n" in shell.invoke(command, ["show", "--root", str(tmp_path)]).stdout


def test_show_without_a_file_shows_the_defaults(shell, tmp_path):
    """A tree that has no file yet is no error."""
    result = shell.invoke(command, ["show"], env={"CHUNTER_ROOT": str(tmp_path)})

    assert (0, True, []) == (
        result.exit_code,
        "does not exist: all defaults" in result.stdout,
        [line for line in result.stdout.splitlines() if line.startswith("*")],
    )


def test_show_of_a_broken_file_prints_its_faults(shell, tmp_path):
    """Exit status 1, as check."""
    file = tmp_path / "c"
    file.write_text("nope = 1\n")

    result = shell.invoke(command, ["show", "--config", str(file)])

    assert (1, True) == (result.exit_code, f"{file}:1: nope: unknown key" in result.stdout)
