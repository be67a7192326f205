"""A kind of kstat: its module, class, and how each of its statistics is told."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

NAME_CHARACTERS = 30
UNLIMITED = 18446744073709551615


class Subject:
    """What a kstat is of; ``crtime`` and ``snaptime`` are seconds since the host booted."""

    __slots__ = ("crtime", "instance", "name", "snaptime")

    def __init__(self, instance: int, name: str, crtime: float, snaptime: float) -> None:
        self.instance = instance
        self.name = name[:NAME_CHARACTERS]
        self.crtime = crtime
        self.snaptime = snaptime


class Kind:
    """Statistics by name, in the tool's order, each a function of the subject."""

    __slots__ = ("group", "module", "statistics")

    def __init__(self, module: str, group: str, statistics: Mapping[str, Callable[[Any], object]]) -> None:
        self.module = module
        self.group = group
        told: dict[str, Callable[[Any], object]] = {
            **statistics,
            "class": lambda _subject: group,
            "crtime": lambda subject: f"{subject.crtime:.9f}" if subject.crtime else "0",
            "snaptime": lambda subject: f"{subject.snaptime:.9f}",
        }
        self.statistics = dict(sorted(told.items(), key=lambda pair: pair[0].lower()))
