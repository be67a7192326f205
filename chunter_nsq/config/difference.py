"""What a configuration file lacks that the newest example has, and what it holds that there is not any more."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chunter_nsq.config.faults import Remark
from chunter_nsq.config.keys import Key
from chunter_nsq.config.parser import read
from chunter_nsq.config.settings import KEYS

_NAMED = re.compile(r"^[#\s]*([A-Za-z0-9_.]+)\s*=", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Difference:
    """``lacking`` are keys that the file does not even name in a comment; their defaults are in effect.

    ``outdated`` are lines with keys that are not used any more, or under an old name; ``faults`` are all others that
    are wrong, unknown keys among them.
    """

    lacking: tuple[Key, ...]
    outdated: tuple[Remark, ...]
    faults: tuple[Remark, ...]


def difference(content: bytes) -> Difference:
    """Compare a file's content with the table of keys."""
    reading = read(content, KEYS, secret=lambda path: f"in {path}")
    named = {name.replace("paralell", "parallel") for name in _NAMED.findall(content.decode("utf-8", "replace"))}
    return Difference(
        tuple(key for key in KEYS.values() if not _is_named(key, named)),
        tuple(sorted(reading.notes)),
        tuple(sorted(reading.faults)),
    )


def _is_named(key: Key, named: set[str]) -> bool:
    if key.family:
        return any(name.startswith(f"{key.name}.") for name in named)
    return not named.isdisjoint((key.name, *key.aliases))
