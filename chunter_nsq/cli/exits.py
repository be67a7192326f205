"""Exit statuses of commands that speak to agents, and failures told in words."""

from __future__ import annotations

from enum import IntEnum

import click


class Exit(IntEnum):
    """What scripts may rely on; a higher one is worse."""

    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    TIMED_OUT = 3
    REJECTED = 4
    STOPPED = 130  # ctrl-C


def of_status(status: object) -> Exit:
    """The exit status for a result's status; one that is not final counts as timed out."""
    if status == "succeeded":
        return Exit.SUCCEEDED
    if status == "rejected":
        return Exit.REJECTED
    return Exit.TIMED_OUT if status in ("accepted", "progress") else Exit.FAILED


class Failure(click.ClickException):
    """Ends the program with words on stderr."""

    def __init__(self, message: str, exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.exit_code = int(exit_code)  # type: ignore[misc]  # click calls it a class variable and says: override it
