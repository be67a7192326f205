"""How a program's words reach the shell of a zone."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunter_nsq.errors import InvalidMessage
from chunter_nsq.smartos import zlogin
from chunter_nsq.smartos.simulator.shellwords import Unfinished, split

ZONE = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def test_argument_vectors() -> None:
    """The program's words are one word to zlogin, quoted where they need it."""
    assert ("usr/sbin/zlogin", "-Q", ZONE, "ls -l '/a b'") == zlogin.execute_argv(ZONE, ["ls", "-l", "/a b"])
    assert ("usr/sbin/zlogin", "-Q", ZONE, "echo '$(reboot)' ';' \"it's\"".replace('"it\'s"', "'it'\"'\"'s'")) == (
        zlogin.execute_argv(ZONE, ["echo", "$(reboot)", ";", "it's"])
    )


@pytest.mark.parametrize("words", [[], ["a\0b"]])
def test_what_is_no_program(words: list[str]) -> None:
    """No words, or one that no program can be given, start nothing."""
    with pytest.raises(InvalidMessage):
        zlogin.execute_argv(ZONE, words)


@given(st.lists(WORD, min_size=1, max_size=5))
def test_the_simulated_shell_takes_them_apart(words: list[str]) -> None:
    """Whatever the words are, the shell has them again."""
    assert [(word, False) for word in words] == split(zlogin.command_line(words))


@given(st.lists(WORD, max_size=5))
@settings(max_examples=20)
def test_a_real_shell_takes_them_apart(words: list[str]) -> None:
    """So does the one of this machine."""
    line = zlogin.command_line(["printf", "%s\\0", *words, "end"])
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True)
    assert [*words, "end", ""] == done.stdout.decode().split("\0")


def test_joints_and_quotes() -> None:
    """What joins commands is told from the same characters in quotes."""
    assert [("a", False), (";", True), ("b", False), ("&&", True), ("c d", False)] == split("a; b && 'c d'")
    assert [("a;b", False), ("||", True), ("$x", False)] == split('"a;b" || \\$x')
    for text in ("'a", '"a'):
        with pytest.raises(Unfinished):
            split(text)
