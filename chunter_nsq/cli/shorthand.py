"""What the short forms of commands share: the options that say to whom a command goes, and how it is waited for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from chunter_nsq.cli.conversation import Order
from chunter_nsq.cli.doors import Doors, nsq_options
from chunter_nsq.cli.signing import key_options
from chunter_nsq.cli.talk import Talk
from chunter_nsq.client import Key

_F = Callable[..., Any]

STATUSES = """Exit status: 0 succeeded, 1 failed, 2 wrong usage, 3 no final result in time,
4 rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The options, checked; ``host`` is empty for the only one that answers."""

    doors: Doors
    host: str
    timeout: float
    as_json: bool
    key: Key | None
    no_wait: bool = False

    def order(self, action: str, vm: str | None, params: Mapping[str, Any] | None = None) -> Order:
        """A command on these terms."""
        return Order(action, self.host, vm, params, key=self.key)

    def talk(self, order: Order, **told: Any) -> Talk:
        """Its sending; ``told`` are ``summary`` and ``judge`` of a Talk."""
        return Talk(self.doors, order, self.timeout, is_json=self.as_json, is_waiting=not self.no_wait, **told)


def order_options(timeout_seconds: float, *, can_leave: bool) -> Callable[[_F], _F]:
    """Adds the options; the command gets them as ``terms``. ``can_leave``: it need not be waited for."""
    seconds = click.FloatRange(0, min_open=True)
    options: list[Callable[[_F], _F]] = [
        click.option("--no-wait", is_flag=True, help="Print the command's id and end."),
        click.option(
            "--host",
            default="",
            envvar="CHUNTER_HOST",
            show_envvar=True,
            help="Its id or alias; not needed when only one answers.",
        ),
        click.option("--timeout", type=seconds, default=timeout_seconds, show_default=True, help="Seconds."),
        click.option("--json", "as_json", is_flag=True, help="The final result as one JSON document."),
        key_options,
        nsq_options,
    ]

    def added(command: _F) -> _F:
        @functools.wraps(command)
        def with_terms(
            *,
            doors: Doors,
            host: str,
            timeout: float,
            as_json: bool,
            key: Key | None,
            no_wait: bool = False,
            **rest: Any,
        ) -> Any:
            terms = Terms(doors=doors, host=host, timeout=timeout, as_json=as_json, key=key, no_wait=no_wait)
            return command(terms=terms, **rest)

        wrapped: _F = with_terms
        for option in reversed(options if can_leave else options[1:]):
            wrapped = option(wrapped)
        return wrapped

    return added
