"""The options that say what a command is signed with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from chunter_nsq.authority import KeysInvalid, read_keys
from chunter_nsq.client import Key

_F = Callable[..., Any]


def key_options(command: _F) -> _F:
    """Adds the options; the command gets the key as ``key``, None when it is not to be signed."""

    @functools.wraps(command)
    def with_key(*, key_file: Path | None, key_name: str | None, **options: Any) -> Any:
        try:
            key = _chosen(key_file, key_name)
        except KeysInvalid as fault:
            raise click.UsageError(str(fault)) from None
        return command(key=key, **options)

    file = click.Path(dir_okay=False, path_type=Path)
    with_name = click.option("--key", "key_name", help="The key's name; not needed when there is one only.")(with_key)
    with_file = click.option("--key-file", type=file, help="Keys to sign with (JSON).")(with_name)
    wrapped: _F = with_file
    return wrapped


def _chosen(file: Path | None, name: str | None) -> Key | None:
    if file is None:
        if name is not None:
            raise click.UsageError("--key needs --key-file")
        return None
    keys = read_keys(file)
    if name is None and len(keys) == 1:
        name = next(iter(keys))
    if name is None or name not in keys:
        raise click.UsageError(f"--key must be one of those in {file}: {', '.join(keys)}")
    return Key(name, keys[name].secret)
