from __future__ import annotations

import importlib
import sys

import click
import pytest
from click.testing import CliRunner

from chunter_nsq import __version__
from chunter_nsq.cli.main import COMMANDS, VERBS, chunter

HEAVY = ("nsq", "tornado", "rich", "boto3", "sentry_sdk", "marshmallow")


@pytest.mark.parametrize("name", [*COMMANDS, *VERBS])
def test_a_command_is_where_the_table_says(name):
    """Every name leads to a command of that name with help."""
    command = chunter.get_command(click.Context(chunter), name)
    assert isinstance(command, click.Command)
    assert name == command.name
    assert command.help


@pytest.mark.parametrize("name", ["run", "status", "hosts", "call", "backups", "restore", "verify", "tail", "version"])
def test_the_overview_says_what_the_command_says_of_itself(name):
    """The first sentence of a command's help begins like its line in the overview."""
    command = getattr(importlib.import_module(f"chunter_nsq.cli.{name}"), name)
    begin = COMMANDS[name].removesuffix(".").split()[0]
    assert command.help is not None
    assert begin == command.help.split()[0]


def test_help_lists_the_commands_and_shows_examples():
    """Both forms, and no argument at all, teach."""
    shown = CliRunner().invoke(chunter, ["-h"])
    assert 0 == shown.exit_code
    assert all(name in shown.output for name in COMMANDS)
    assert "chunter call --host" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80


def _commands(group=chunter, path=()):
    """The words that lead to each command, groups included."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


@pytest.mark.parametrize("path", list(_commands()), ids=" ".join)
def test_each_command_explains_itself(path):
    """Help for everything that may be typed: whole sentences, in 80 columns, with nothing of the mark-up left."""
    shown = CliRunner().invoke(chunter, [*path, "--help"])
    assert 0 == shown.exit_code
    assert "--help" in shown.output
    assert [] == [line for line in shown.output.splitlines() if len(line) > 80 or "\\b" in line]
    listed = shown.output.partition("\nCommands:\n")[2].partition("\n\n")[0]
    assert [] == [line for line in listed.splitlines() if line.endswith("...")]


def test_an_unknown_command_is_wrong_usage():
    """Status 2."""
    shown = CliRunner().invoke(chunter, ["cal"])
    assert 2 == shown.exit_code
    assert "cal" in shown.output


@pytest.mark.parametrize(("words", "meant"), [(["stauts"], "status"), (["config", "chck"], "check")])
def test_a_mistyped_command_is_told_with_what_was_meant(words, meant):
    """At each level."""
    shown = CliRunner().invoke(chunter, words)
    assert (2, True) == (shown.exit_code, f"did you mean {meant}?" in shown.output)


@pytest.mark.parametrize("words", [["run"], ["status"], ["doctor"], ["diag"], ["ping"], ["config", "show"]])
def test_a_configuration_that_is_named_has_to_be_there(words, tmp_path):
    """A mistyped path is wrong usage, not a host with defaults."""
    shown = CliRunner().invoke(chunter, [*words, "--config", str(tmp_path / "chunter.cnf")])
    assert (2, True) == (shown.exit_code, "chunter.cnf' does not exist" in shown.output)


def test_version_in_words_and_in_json():
    """The version of the package."""
    assert f"chunter {__version__}\n" == CliRunner().invoke(chunter, ["version"]).output
    assert f'"version": "{__version__}"' in CliRunner().invoke(chunter, ["version", "--json"]).output


def test_version_imports_nothing_heavy(tmp_path):
    """A command loads its own modules only."""
    import subprocess  # noqa: PLC0415 - a fresh interpreter shows what is loaded

    code = "import sys, chunter_nsq.__main__, chunter_nsq.cli.version; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set() == set(HEAVY) & set(shown.stdout.split())
