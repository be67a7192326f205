"""What kstat is asked for: patterns for module, instance, name and statistic."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Test = Callable[[str], object]

PARTS = 4
WILD = frozenset("*?[")


class Malformed(ValueError):
    """A specification of too many parts, or a regular expression that is none."""


class Spec:
    """One specification; a test is None where anything will do."""

    __slots__ = ("instance", "module", "name", "statistic")

    def __init__(self, parts: Sequence[str]) -> None:
        if len(parts) > PARTS:
            raise Malformed(":".join(parts))
        tests = [test(part) for part in parts] + [None] * (PARTS - len(parts))
        self.module, self.instance, self.name, self.statistic = tests


def parse(text: str) -> Spec:
    """``module[:instance[:name[:statistic]]]``; raises Malformed."""
    return Spec(text.split(":"))


def test(part: str) -> Test | None:
    """A part is empty, plain, a shell's pattern, or an extended regular expression between slashes."""
    if part in ("", "*"):
        return None
    if len(part) > 1 and part[0] == part[-1] == "/":
        return _expression(part[1:-1])
    if not WILD & set(part):
        return part.__eq__
    from fnmatch import translate  # noqa: PLC0415 - plain parts do without it

    return _expression(translate(part))


def _expression(text: str) -> Test:
    import re  # noqa: PLC0415 - plain parts do without it

    try:
        return re.compile(text).search
    except re.error as fault:
        raise Malformed(f"kstat: {fault}") from fault


def passes(one: Test | None, text: str) -> bool:
    """Whether a part admits the text."""
    return one is None or bool(one(text))
