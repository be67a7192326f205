"""Which agent of this host a command is about: the options for its tree and its file of settings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from chunter_nsq.config import Paths

_F = Callable[..., Any]


def tree_options(command: _F) -> _F:
    """Adds the options; the command gets them as ``paths``. A file that is named has to be there."""

    @functools.wraps(command)
    def with_paths(*, root: Path | None, file: Path | None, **options: Any) -> Any:
        return command(paths=Paths.find(root, file), **options)

    named = click.Path(exists=True, dir_okay=False, path_type=Path)
    configuration = click.option("--config", "file", type=named, help="The file (CHUNTER_CONFIG, etc/chunter.conf).")
    wrapped: _F = root_option(configuration(with_paths))
    return wrapped


root_option = click.option(
    "--root", type=click.Path(path_type=Path), help="The installed tree (CHUNTER_ROOT, /opt/chunter)."
)
