"""kstat: statistics of the kernel, by module, instance, name and statistic."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.commands.options import Unknown, take
from chunter_nsq.smartos.simulator.kstats import chain, specs
from chunter_nsq.smartos.simulator.kstats.specs import Malformed, Spec, passes
from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from chunter_nsq.smartos.simulator.kstats.kind import Kind, Subject
    from chunter_nsq.smartos.simulator.pace import Pace
    from chunter_nsq.smartos.simulator.process import Process

USAGE = """\
Usage:
kstat [ -Cjlpq ] [ -T d|u ] [ -c class ]
      [ -m module ] [ -i instance ] [ -n name ] [ -s statistic ]
      [ interval [ count ] ]
kstat [ -Cjlpq ] [ -T d|u ] [ -c class ]
      [ module[:instance[:name[:statistic]]] ... ]
      [ interval [ count ] ]"""
HEAD = "\0"  # stands for module, instance and name in the lines of a kstat


class Call:
    """The command line, taken apart; raises Refused with the usage."""

    def __init__(self, words: tuple[str, ...]) -> None:
        try:
            options, rest = take(words, "h?CqjlpT:m:i:n:s:c:")
        except Unknown as unknown:
            raise Refused(USAGE, 2) from unknown
        self.flags = {letter for letter, _ in options}
        values = dict(options)
        numbers = [int(word) for word in rest if word.isdecimal()]
        operands = [word for word in rest if not word.isdecimal()]
        if "q" in self.flags and self.flags & set("Cjlp"):
            raise Refused(f"-q and -lpj are mutually exclusive\n{USAGE}", 2)
        if operands and set(values) & set("mins"):
            text = "[module[:instance[:name[:statistic]]]] and -m -i -n -s are mutually exclusive"
            raise Refused(text + USAGE, 2)
        if len(numbers) > 2 or 0 in numbers or values.get("T", "d") not in ("d", "u"):  # noqa: PLR2004 - interval, count
            raise Refused(USAGE, 2)
        self.interval = numbers[0] if numbers else 0
        self.count = numbers[1] if len(numbers) > 1 else None if numbers else 1
        try:
            self.specs = [specs.parse(word) for word in operands]
            self.specs = self.specs or [Spec([values.get(letter, "") for letter in "mins"])]
            self.group = specs.test(values.get("c", ""))
        except Malformed as fault:
            text = str(fault)
            raise Refused(f"{text}\n{USAGE}" if text.startswith("kstat: ") else USAGE, 2) from fault


def run(process: Process, _pace: Pace) -> int:
    """Do what the arguments say; the exit status: 1 when nothing matched."""
    call = Call(process.arguments)
    if call.flags & set("h?"):
        process.err(USAGE)
        return 0
    status, left = 1, call.count
    while left is None or left > 0:
        text = _text(call, Chosen(process.root, call))
        if text:
            status = 0
        if "q" not in call.flags:
            process.out(text)
        left = None if left is None else left - 1
        if left != 0:
            process.out("\n")
            process.flush()
            if process.unheard():
                break
            time.sleep(call.interval)
    return status


class Chosen:
    """The kstats that are asked for, each with the statistics of it that are."""

    def __init__(self, root: str, call: Call) -> None:
        self._root = root
        self._specs = call.specs
        self._group = call.group
        self._makers: dict[tuple[Kind, tuple[int, ...]], dict[str, Callable[[Any], object]]] = {}

    def __iter__(self) -> Iterator[tuple[Kind, Subject, dict[str, Callable[[Any], object]]]]:
        """Kind, subject, and functions by statistic; the same functions for whatever is asked for in the same way."""
        module, live = "", list[tuple[int, Spec]]()
        for kind, subject in chain.read(self._root, time.time(), self._wanted):
            if kind.module != module:
                module = kind.module
                live = [(place, one) for place, one in enumerate(self._specs) if passes(one.module, module)]
            if not passes(self._group, kind.group):
                continue
            instance = str(subject.instance)
            hits = tuple(
                [place for place, one in live if passes(one.instance, instance) and passes(one.name, subject.name)]
            )
            if hits:
                makers = self._makers.get((kind, hits))
                if makers is None:
                    makers = self._makers[kind, hits] = self._choose(kind, hits)
                if makers:
                    yield kind, subject, makers

    def _wanted(self, module: str) -> bool:
        return any(passes(one.module, module) for one in self._specs)

    def _choose(self, kind: Kind, hits: tuple[int, ...]) -> dict[str, Callable[[Any], object]]:
        asked = [self._specs[place].statistic for place in hits]
        return {name: make for name, make in kind.statistics.items() if any(passes(one, name) for one in asked)}


def _text(call: Call, chosen: Chosen) -> str:
    if "j" in call.flags:
        return _json(chosen)
    if call.flags & set("plC"):
        return _parsable(chosen, "" if "l" in call.flags else ":%s" if "C" in call.flags else "\t%s")
    return "".join([_paragraph(kind, subject, makers) for kind, subject, makers in chosen])


def _parsable(chosen: Chosen, value: str) -> str:
    templates: dict[int, tuple[str, list[Callable[[Any], object]]]] = {}
    texts = []
    for kind, subject, makers in chosen:
        known = templates.get(id(makers))
        if known is None:
            known = templates[id(makers)] = ("".join(f"{HEAD}{name}{value}\n" for name in makers), [*makers.values()])
        template, functions = known
        text = template % tuple([make(subject) for make in functions]) if value else template
        texts.append(text.replace(HEAD, f"{kind.module}:{subject.instance}:{subject.name}:"))
    return "".join(texts)


def _paragraph(kind: Kind, subject: Subject, makers: dict[str, Callable[[Any], object]]) -> str:
    head = f"module: {kind.module:<30.30}  instance: {subject.instance:<6d}\n"
    head += f"name:   {subject.name:<30.30}  class:    {kind.group:.30}\n"
    lines = [f"\t{name:<30}  {make(subject)}\n" for name, make in makers.items() if name != "class"]
    return head + "".join(lines) + "\n"


def _json(chosen: Chosen) -> str:
    import json  # noqa: PLC0415 - only -j needs it

    found = []
    for kind, subject, makers in chosen:
        data = {name: make(subject) for name, make in makers.items() if name not in ("class", "crtime", "snaptime")}
        found.append(
            {
                "module": kind.module, "instance": subject.instance, "name": subject.name, "class": kind.group,
                "type": 1, "snaptime": round(subject.snaptime, 9), "data": data,
            }
        )  # fmt: skip
    return json.dumps(found, indent="\t") + "\n" if found else ""
