"""A program inside a running zone, through ``zlogin``.

zlogin joins its words with blanks and has root's shell in the zone take them apart again; so a program's own words
are quoted once for that shell, and are one word to zlogin. Its exit status is the program's; when zlogin itself
refuses, it says so on standard error and ends with 1.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from chunter_nsq.errors import InvalidMessage
from chunter_nsq.smartos.names import checked_uuid
from chunter_nsq.smartos.runner import Lines, Runner

ZLOGIN = "usr/sbin/zlogin"
# Brands whose zones hold no system that could be logged into from outside.
WITHOUT_LOGIN = frozenset({"kvm", "bhyve"})


def command_line(words: Sequence[str]) -> str:
    """The words of a program as a line that a Bourne shell takes apart into just these."""
    if not words or any("\0" in word for word in words):
        raise InvalidMessage("a program and its arguments are words without NUL, one at least; nothing was started")
    return shlex.join(words)


def execute_argv(zone: str, words: Sequence[str]) -> tuple[str, ...]:
    """Run a program in a zone as root, without a terminal and without zlogin's own remarks."""
    return (ZLOGIN, "-Q", checked_uuid(zone), command_line(words))


def console_argv(zone: str, *, docker: bool = False) -> tuple[str, ...]:
    """The console of a zone, or what the first program of a container reads and says; no key leaves it."""
    return (ZLOGIN, "-I" if docker else "-C", "-E", checked_uuid(zone))


class Zlogin:
    """``zlogin``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def execute(
        self, zone: str, words: Sequence[str], *, stdin: bytes = b"", timeout_seconds: float
    ) -> AbstractAsyncContextManager[Lines]:
        """The lines of a program's standard output; leaving the context ends it with its whole group.

        Neither log nor list of tools shows the program's words: there may be a password among them.
        """
        argv = execute_argv(zone, words)
        return self._runner.lines(argv, stdin=stdin, timeout_seconds=timeout_seconds, secrets=(argv[-1],), mutates=True)
