"""The first page of the archive: what is wrong, as far as it is known, and what lies beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from chunter_nsq import __version__
from chunter_nsq.diag.known import Recognised
from chunter_nsq.doctor.examination import Examined
from chunter_nsq.doctor.finding import State

_WIDTH = 100

CONTENTS = {
    "README.txt": "this page",
    "doctor.json": "every finding of chunter doctor",
    "versions.json": "chunter, Python, SQLite, libraries, the tree",
    "config/": "chunter.conf as it is, and what is in effect; secrets starred",
    "journal.json": "counts, the oldest command without an end, recent commands and faults; no contents of commands",
    "agent/": "what the running agent says of itself, when it answers",
    "logs/": "the ends of the SMF log and of other logs",
    "tools/": "what the platform's tools say",
}

REDACTED = (
    "Secrets of the configuration, of command keys, of the environment, of commands that wait and of the metadata of "
    "machines are starred wherever they stood. Look yourself before you hand this on: names, addresses and the words "
    "of tools are in it."
)


def page(host: str, made: str, examined: Sequence[Examined], recognised: Sequence[Recognised]) -> str:
    """The text; secrets are taken out later, with those of all other members."""
    return "\n".join(_page(host, made, examined, recognised)) + "\n"


def _page(host: str, made: str, examined: Sequence[Examined], recognised: Sequence[Recognised]) -> Iterator[str]:
    yield f"chunter {__version__}, host {host}, {made}"
    yield from _heading("What is wrong")
    told = [*_findings(examined, State.FAULT), *_findings(examined, State.WARNING)]
    yield from told or ["Nothing that chunter doctor finds."]
    yield from _heading("What the logs tell")
    for one in recognised:
        times = f"{one.count} time{'s' if one.count > 1 else ''}"
        yield f"{one.problem.name.upper()} ({times} in logs/{one.file})"
        yield from _wrapped(one.problem.means)
        yield from _wrapped(f"-> {one.problem.remedy}")
        yield from _wrapped(f"last: {one.line}")
    if not recognised:
        yield "No trace of a known problem."
    yield from _heading("What lies here")
    yield from _listed(CONTENTS)
    yield ""
    yield from textwrap.wrap(REDACTED, _WIDTH)


def _findings(examined: Sequence[Examined], state: State) -> Iterator[str]:
    for one in examined:
        for finding in one.findings:
            if finding.state is state:
                yield from _wrapped(f"{state.upper()} {one.check}: {finding.says}", "")
                yield from _wrapped(f"-> {finding.remedy}")


def _heading(text: str) -> Iterator[str]:
    yield from ("", text, "-" * len(text))


def _listed(rows: Mapping[str, str]) -> Iterator[str]:
    broad = max(map(len, rows))
    yield from (f"{name:<{broad}}  {says}" for name, says in rows.items())


def _wrapped(text: str, indent: str = "    ") -> list[str]:
    flat = " ".join(text.split())
    return textwrap.wrap(
        flat, _WIDTH, initial_indent=indent, subsequent_indent=indent or "    ", break_on_hyphens=False
    )
