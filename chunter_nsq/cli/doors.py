"""Where NSQ is: the options that all commands share that speak to agents."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from chunter_nsq.bus.address import Address
from chunter_nsq.bus.faults import NsqFault, PublishInvalid
from chunter_nsq.bus.names import valid_name
from chunter_nsq.bus.settings import Tls
from chunter_nsq.cli.exits import Exit, Failure
from chunter_nsq.client import Client

DEFAULT_DOOR = "127.0.0.1:4151"
REMEDY = "Is nsqd running? --nsqd-http or CHUNTER_NSQD_HTTP names another. Some need --tls or --auth-file."
_T = TypeVar("_T")
_F = Callable[..., Any]


class HttpAddress(click.ParamType[str]):
    """``host:port``; ``http://`` before it is taken away."""

    name = "host:port"
    envvar_list_splitter = ","

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The bare address."""
        try:
            return str(Address.parse(str(value).strip().removeprefix("http://").removesuffix("/")))
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


class Name(click.ParamType[str]):
    """What can be (the beginning of) a topic name."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The same."""
        if not valid_name(str(value)):
            self.fail(f"{value!r} is no topic name: 1 to 64 of A-Z a-z 0-9 . _ -", param, ctx)
        return str(value)


@dataclass(frozen=True, slots=True)
class Doors:
    """The options, checked."""

    nsqd_http: tuple[str, ...]
    lookupd_http: tuple[str, ...]
    prefix: str
    tls: Tls | None
    auth_secret: str | None

    def client(self) -> Client:
        """Not connected yet."""
        return Client(
            nsqd_http=self.nsqd_http,
            lookupd_http=self.lookupd_http,
            prefix=self.prefix,
            tls=self.tls,
            auth_secret=self.auth_secret,
        )


def _options() -> list[Callable[[_F], _F]]:
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    return [
        _address("--nsqd-http", "CHUNTER_NSQD_HTTP", f"nsqd, its HTTP port [{DEFAULT_DOOR}]."),
        _address("--lookupd-http", "CHUNTER_LOOKUPD_HTTP", "nsqlookupd, instead or as well."),
        click.option("--prefix", type=Name(), default="chunter", show_default=True, help="What topics begin with."),
        click.option("--tls", is_flag=True, help="TLS to nsqd's TCP port."),
        click.option("--tls-ca", type=file, help="Its authority (PEM), if not the system's; with --tls."),
        click.option("--tls-cert", type=file, help="Our certificate (PEM); with --tls."),
        click.option("--tls-key", type=file, help="Its key (PEM); with --tls."),
        click.option("--auth-file", type=file, help="The file with the secret for nsqd's AUTH."),
    ]


def _address(name: str, variable: str, text: str) -> Callable[[_F], _F]:
    kind = HttpAddress()
    return click.option(
        name, type=kind, envvar=variable, metavar="HOST:PORT", multiple=True, show_envvar=True, help=text
    )


def nsq_options(command: _F) -> _F:
    """Adds the options; the command gets them as ``doors``."""

    @functools.wraps(command)
    def with_doors(
        *,
        nsqd_http: tuple[str, ...],
        lookupd_http: tuple[str, ...],
        prefix: str,
        tls: bool,
        tls_ca: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        auth_file: Path | None,
        **options: Any,
    ) -> Any:
        if not tls and (tls_ca or tls_cert or tls_key):
            raise click.UsageError("--tls-ca, --tls-cert and --tls-key need --tls")
        if tls_key and not tls_cert:
            raise click.UsageError("--tls-key needs --tls-cert")
        files = Tls(tls_ca, tls_cert, tls_key) if tls else None
        secret = auth_file.read_text("utf-8").strip() if auth_file else None
        nsqd = nsqd_http or (() if lookupd_http else (DEFAULT_DOOR,))
        return command(doors=Doors(nsqd, lookupd_http, prefix, files, secret), **options)

    wrapped: _F = with_doors
    for option in reversed(_options()):
        wrapped = option(wrapped)
    return wrapped


def speak(talk: Coroutine[Any, Any, _T]) -> _T:
    """Runs a talk with agents to its end; faults of NSQ and of the network are told in words."""
    for name in ("chunter_nsq", "nsq", "tornado"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # words for people, not log lines
    try:
        return asyncio.run(_in_order(talk))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except PublishInvalid as fault:
        raise Failure(f"this cannot be sent: {fault.message}", Exit.USAGE) from None
    except NsqFault as fault:
        raise Failure(f"{fault.message}\n{REMEDY}") from None


async def _in_order(talk: Coroutine[Any, Any, _T]) -> _T:
    """A talk that is told to end, or whose terminal is closed, takes its leave as after ctrl-C."""
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if task is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await talk
