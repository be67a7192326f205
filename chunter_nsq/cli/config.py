"""``chunter config``: the newest file, the faults of a file, and what is in effect."""

from __future__ import annotations

from pathlib import Path

import click

from chunter_nsq.config import KEYS, Config, ConfigInvalid, Paths, Remark, changed, example, written

WIDTH = 100


@click.group()
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
@click.option("--root", type=click.Path(path_type=Path), help="The installed tree (CHUNTER_ROOT, /opt/chunter).")
@click.option("--config", "file", type=click.Path(path_type=Path), help="The file (CHUNTER_CONFIG, etc/chunter.conf).")
def show(root: Path | None, file: Path | None) -> None:
    """Print what is in effect; * marks what is not the default, secrets are starred."""
    path = Paths.find(root, file).config
    present = path.exists()
    effective = _read(path)[0] if present else Config()
    click.echo(f"# {path}{'' if present else ' does not exist: all defaults'}")
    click.echo(table(effective), nl=False)


def table(effective: Config) -> str:
    """Every key and value in aligned columns, no line longer than 100 characters."""
    different = {change.attribute for change in changed(Config(), effective)}
    names = {attribute: key.name for attribute, key in KEYS.items()}
    broad = max(map(len, names.values()))
    room = WIDTH - broad - len("*  = ")
    lines = []
    for attribute, name in names.items():
        value = written(effective, attribute) or "(not set)"
        pieces = [value[start : start + room] for start in range(0, len(value), room)]
        mark = "*" if attribute in different else " "
        lines.append(f"{mark} {name:<{broad}} = {pieces[0]}")
        lines += [f"{'':{WIDTH - room}}{piece}" for piece in pieces[1:]]
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
