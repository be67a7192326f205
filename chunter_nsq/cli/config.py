"""``chunter config``: the newest file, the faults of a file, what it lacks, and what is in effect."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from chunter_nsq.cli.outline import width
from chunter_nsq.cli.overview import Overview
from chunter_nsq.cli.tree import root_option, tree_options
from chunter_nsq.config import (
    KEYS,
    Config,
    ConfigInvalid,
    Difference,
    Key,
    Paths,
    Remark,
    changed,
    difference,
    example,
    written,
)


@click.group(cls=Overview)
def config() -> None:
    """The configuration: its newest form, the faults of a file, what is in effect."""


@config.command("example")
def show_example() -> None:
    """Print the newest configuration file, every key explained."""
    click.echo(example(), nl=False)


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Print all faults of FILE with their lines; exit 1 when there are any."""
    for note in _read(file)[1]:
        click.echo(f"note: {note.at(str(file))}")
    click.echo(f"{file}: no faults")


@config.command()
@tree_options
def show(paths: Paths) -> None:
    """Print what is in effect; * marks what is not the default, secrets are starred."""
    path = paths.config
    present = path.exists()
    effective = _read(path)[0] if present else Config()
    click.echo(f"# {path}{'' if present else ' does not exist: all defaults'}")
    click.echo(table(effective), nl=False)


@config.command("diff")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@root_option
def diff(file: Path | None, root: Path | None) -> None:
    """Print what the newest file has that FILE lacks, and what FILE has that is outdated or unknown.

    Without FILE it is that of the installed tree. Exit 1 when a line of it has to be mended.
    """
    path = file or Paths.find(root).config
    try:
        found = difference(path.read_bytes())
    except OSError as broken:
        click.echo(Remark(0, f"this file cannot be read: {broken.strerror}").at(str(path)))
        raise SystemExit(1) from None
    click.echo("\n".join(_differing(found, str(path))))
    raise SystemExit(1 if found.faults else 0)


def _differing(found: Difference, file: str) -> Iterator[str]:
    for heading, remarks in (("To be mended:", found.faults), ("To be removed or renamed:", found.outdated)):
        if remarks:
            yield heading
            yield from (f"  {one.at(file)}" for one in remarks)
    if found.lacking:
        yield f"New, and not in {file}; until it says otherwise these defaults are in effect:"
        for key in found.lacking:
            yield from _shown(key)
    if not (found.faults or found.outdated or found.lacking):
        yield f"{file} names every key that there is, and no other"


def _shown(key: Key) -> Iterator[str]:
    name = f"{key.name}.<name>" if key.family else key.name
    yield f"  {name} = {key.default}" if key.default else f"  {name} (not set)"
    yield from textwrap.wrap(key.doc, width(), initial_indent=" " * 6, subsequent_indent=" " * 6)


def table(effective: Config) -> str:
    """Every key and value in aligned columns, no line wider than the terminal."""
    different = {change.attribute for change in changed(Config(), effective)}
    names = {attribute: key.name for attribute, key in KEYS.items()}
    broad = max(map(len, names.values()))
    margin = broad + len("*  = ")
    room = max(width() - margin, 1)
    lines = []
    for attribute, name in names.items():
        value = written(effective, attribute) or "(not set)"
        pieces = [value[start : start + room] for start in range(0, len(value), room)]
        mark = "*" if attribute in different else " "
        lines.append(f"{mark} {name:<{broad}} = {pieces[0]}")
        lines += [f"{'':{margin}}{piece}" for piece in pieces[1:]]
    return "\n".join(lines) + "\n"


def _read(file: Path) -> tuple[Config, tuple[Remark, ...]]:
    """What a file holds, with notes on it; a file with faults ends the program with status 1."""
    try:
        return Config.read(file.read_bytes(), str(file))
    except OSError as broken:
        click.echo(Remark(0, f"this file cannot be read: {broken.strerror}").at(str(file)))
    except ConfigInvalid as invalid:
        click.echo(str(invalid))
        click.echo(f"{file}: {len(invalid.faults)} fault{'s' if len(invalid.faults) > 1 else ''}")
    raise SystemExit(1)
