"""The newest configuration file, with every key explained, written from the table of keys."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator

from chunter_nsq.config.keys import Key
from chunter_nsq.config.sections import SECTIONS

WIDTH = 80

PREFACE = """\
The configuration of chunter: every key with its default, in the newest form of this file.

A line is key = value. # begins a comment, at the beginning of a line or after a blank.
A key that is left out has its default. Units: 100ms 10s 15m 1h 1d, and 512B 64KB 5MB 1GB (1024-based).
A secret may be given as @/path/to/file.
What is marked "refresh" is taken up by svcadm refresh chunter, all else by svcadm restart chunter.
Check a file with chunter config check FILE."""


def sections() -> Iterator[tuple[str, str, tuple[Key, ...]]]:
    """Title, remark (may be empty) and keys of each section, in the order of the file."""
    for section in SECTIONS:
        title, _, remark = (section.__doc__ or "").removesuffix(".").partition(": ")
        yield title, remark, tuple(made.metadata["key"] for made in dataclasses.fields(section))


def example() -> str:
    """The whole text of ``chunter.conf.example``; it parses to the defaults."""
    blocks = ["\n".join(line for part in PREFACE.split("\n") for line in _comment(part))]
    for title, remark, keys in sections():
        heading = f"{title} ({remark})" if remark else title
        blocks.append("\n".join(("#" * WIDTH, *_comment(heading), "#" * WIDTH)))
        blocks.extend(_entry(key) for key in keys)
    return "\n\n".join(blocks) + "\n"


def _entry(key: Key) -> str:
    marks = [key.kind.name]
    if key.lowest and key.highest:
        marks.append(f"{key.lowest} to {key.highest}")
    elif key.lowest:
        marks.append(f"at least {key.lowest}")
    marks += [mark for mark, marked in (("secret", key.secret), ("refresh", key.reloadable)) if marked]
    return "\n".join((*_comment(key.doc), *_comment(f"({'; '.join(marks)})"), _line(key)))


def _line(key: Key) -> str:
    if key.family:
        return f"# {key.name}.{key.sample}"
    return f"{key.name} = {key.default}" if key.default else f"# {key.name} = {key.sample}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False) or ["#"]
