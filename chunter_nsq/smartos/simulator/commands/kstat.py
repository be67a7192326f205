"""kstat: counters of the kernel, made from the time that has passed and from each zone's name."""

from __future__ import annotations

import re
import time

from chunter_nsq.smartos.simulator import counters
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

    Test = Callable[[str], object]

USAGE = "Usage: kstat [ -Cjlpq ] [ -T d|u ] [ -c class ] [ -m module ] [ -i instance ] [ -n name ] [ -s statistic ]"
PARTS = 4


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status: 1 when nothing matched."""
    flags, options, specs = _options(list(process.arguments))
    wanted = [_tests(spec.split(":")) for spec in specs] or [_tests([options.get(key, "") for key in "mins"])]
    group = _test(options.get("c", ""))
    lines = []
    separator = ":" if "C" in flags else "\t"
    for kstat in counters.all_of(process.root, time.time(), lambda module: any(one[0](module) for one in wanted)):
        if not group(kstat.group):
            continue
        instance = str(kstat.instance)
        found = [one for one in wanted if one[0](kstat.module) and one[1](instance) and one[2](kstat.name)]
        if not found:
            continue
        head = f"{kstat.module}:{instance}:{kstat.name}:"
        for name, value in sorted({**kstat.values, "class": kstat.group}.items()):
            if any(one[3](name) for one in found):
                lines.append(f"{head}{name}{separator}{value}\n")
    if not lines:
        return 1
    if "q" not in flags:
        process.out("".join(lines))
    return 0


def _options(words: list[str]) -> tuple[set[str], dict[str, str], list[str]]:
    flags, options, specs = set[str](), dict[str, str](), list[str]()
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            specs.append(word)
            continue
        if set(word[1:]) - set("Cjlpqcminst"):
            raise Refused(USAGE, 2)
        if word[-1] in "cmins":
            if not words:
                raise Refused(USAGE, 2)
            options[word[-1]] = words.pop(0)
        flags |= set(word[1:])
    if any(spec.count(":") >= PARTS and "/" not in spec for spec in specs):
        raise Refused(USAGE, 2)
    return flags, options, specs


def _tests(parts: list[str]) -> list[Test]:
    parts = _rejoined(parts)
    return [_test(part) for part in (parts + [""] * PARTS)[:PARTS]]


def _rejoined(parts: list[str]) -> list[str]:
    """A regular expression may hold colons: its pieces belong together."""
    found: list[str] = []
    for part in parts:
        if found and found[-1].startswith("/") and (len(found[-1]) == 1 or not found[-1].endswith("/")):
            found[-1] += ":" + part
        else:
            found.append(part)
    return found


def _test(part: str) -> Test:
    if not part:
        return lambda _text: True
    if len(part) > 1 and part.startswith("/") and part.endswith("/"):
        return re.compile(part[1:-1]).search
    if not any(sign in part for sign in "*?["):
        return part.__eq__
    from fnmatch import fnmatchcase  # noqa: PLC0415 - only globs need it

    return lambda text: fnmatchcase(text, part)
