"""What an action is: a name, the form of its parameters, where it runs, and the function that does it.

A handler is an async generator from (tools, command) that yields events, progress, and at last one ``Done``.
It neither sends nor acknowledges; the dispatcher does that with what it yields.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from chunter_nsq.endings import CUT_OFF, SWITCHED, WAITS, Errors
from chunter_nsq.errors import Fault
from chunter_nsq.ground import Ground
from chunter_nsq.messages.events import Event, Note
from chunter_nsq.messages.params import Nothing


class Lane(StrEnum):
    """Each lane has its own limit of commands that run at a time."""

    QUERY = "query"
    MACHINE = "machine"
    TRANSFER = "transfer"


class Subject(Enum):
    """Whether a command names a VM."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Recovery(Enum):
    """What to do with a command that was running when the agent ended."""

    RERUN = "rerun"  # the handler looks at the host and does what is missing; command.resumed says so to it
    INTERRUPT = "interrupt"  # what it did cannot be seen on the host: it is reported interrupted


@dataclass(frozen=True, slots=True)
class Progress:
    """How far long work is; ``total`` is None when nobody knows.

    ``stdout`` and ``stderr`` are what a program said since the last progress; they are told piece by piece.
    """

    phase: str
    done: float = 0
    total: float | None = None
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a command, and the events and notes that are true with it: they are written together."""

    result: dict[str, Any]
    events: tuple[Event | Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Leave:
    """The command gives its machine's place to those behind it and goes on beside them, in the transfer lane.

    Those that would pull away what it stands on wait for it nevertheless.
    """

    ground: Ground


Yield = Event | Progress | Done | Leave
Handler = Callable[[Any, Any], AsyncIterator[Yield]]


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the table of actions."""

    name: str
    run: Handler
    form: type[Any]
    lane: Lane
    subject: Subject
    changes: bool
    group: str | None
    recovery: Recovery
    exclusive: bool
    cancellable: bool
    limited: bool
    names: Callable[[Any], str] | None
    leaves: bool
    instant: bool
    resumable: bool
    declared: Errors

    @property
    def errors(self) -> dict[type[Fault], str]:
        """How it may end badly beside the ways that are open to every command, each with what it means."""
        kind = (
            (SWITCHED if self.group is not None else {})
            | (WAITS if self.lane is not Lane.QUERY else {})
            | (CUT_OFF if self.recovery is Recovery.INTERRUPT else {})
        )
        return {**kind, **self.declared}

    @property
    def first_lane(self) -> Lane:
        """Where it begins; what leaves its machine's place must not wait for a transfer's before that."""
        return Lane.MACHINE if self.leaves else self.lane


def action(  # noqa: PLR0913 - one keyword for each column of the table
    name: str,
    *,
    form: type[Any] = Nothing,
    lane: Lane = Lane.QUERY,
    subject: Subject = Subject.NONE,
    group: str | None = None,
    recovery: Recovery = Recovery.RERUN,
    exclusive: bool = False,
    cancellable: bool = False,
    limited: bool = True,
    names: Callable[[Any], str] | None = None,
    changes: bool | None = None,
    leaves: bool = False,
    instant: bool = False,
    resumable: bool = False,
    errors: Errors | None = None,
) -> Callable[[Handler], Action]:
    """Declare the function below it to be the action ``name``.

    Args:
        name: As in a command's ``action``.
        form: The dataclass of its parameters.
        lane: Queries answer at once and change nothing.
        subject: Whether ``uuid`` is wanted.
        group: The configuration flag that switches it off, such as ``snapshot_api``.
        recovery: What happens with it when the agent ended meanwhile.
        exclusive: Takes the host lock: one such command runs at a time.
        cancellable: Whether command.cancel may end it while it runs.
        limited: Whether a machine command ends when machine_timeout has passed; others limit each step themselves.
        changes: Whether it changes something; all but queries do, unless it says otherwise.
        names: The uuid that a command is about when it does not say; fixed before it is accepted.
        leaves: Whether it yields ``Leave``.
        instant: A query of what the agent has in memory: it is answered before it is journalled, with its end.
        resumable: Long work that is put down when the agent ends, and gone on with where it was by the next one.
        errors: How it may end badly beside what the dispatcher does with all commands of its kind.
    """

    def declare(run: Handler) -> Action:
        is_change = lane is not Lane.QUERY if changes is None else changes
        return Action(
            name, run, form, lane, subject, is_change, group, recovery, exclusive, cancellable, limited, names,
            leaves, instant, resumable, errors or {},
        )  # fmt: skip

    return declare
