"""``chunter doctor``."""

from __future__ import annotations

import asyncio
import json
import logging
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

import click

from chunter_nsq.cli.exits import Exit
from chunter_nsq.cli.outline import plain, width
from chunter_nsq.cli.tree import tree_options
from chunter_nsq.config import Paths
from chunter_nsq.doctor.examination import Examined, count, examine
from chunter_nsq.doctor.finding import Finding, State
from chunter_nsq.doctor.patient import Patient

_MARKS = {State.OK: "ok", State.WARNING: "WARNING", State.FAULT: "FAULT", State.SKIPPED: "-"}
_INDENT = 24


@click.command()
@tree_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(*, paths: Paths, as_json: bool) -> None:
    """Check everything that the agent of this host needs; exit 1 when there is a fault.

    Changes nothing but a small object in the store, and a file in var, which are removed again.
    """
    for name in ("chunter_nsq", "nsq", "tornado"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # words for people, not log lines
    examined = asyncio.run(examine(Patient.admit(paths)))
    click.echo(json.dumps(document(examined)) if as_json else "\n".join(report(examined)))
    raise SystemExit(Exit.FAILED if count(examined, State.FAULT) else Exit.SUCCEEDED)


def document(examined: tuple[Examined, ...]) -> dict[str, object]:
    """For programs."""
    findings = [{"check": one.check, **asdict(finding)} for one in examined for finding in one.findings]
    return {"faults": count(examined, State.FAULT), "warnings": count(examined, State.WARNING), "findings": findings}


def report(examined: tuple[Examined, ...]) -> Iterator[str]:
    """For people: each finding with its remedy, and a last line that counts."""
    for one in examined:
        for finding in one.findings:
            yield from _lines(one.check, finding)
    faults, warnings = count(examined, State.FAULT), count(examined, State.WARNING)
    yield f"{_many(faults, 'fault')}, {_many(warnings, 'warning')}"


def _lines(check: str, finding: Finding) -> Iterator[str]:
    head = f"{_MARKS[finding.state]:<8} {check:<14} "
    yield from _wrapped(head, finding.says)
    if finding.remedy:
        yield from _wrapped(" " * _INDENT + "-> ", finding.remedy, " " * (_INDENT + 3))


def _wrapped(head: str, text: str, indent: str = " " * _INDENT) -> list[str]:
    return textwrap.wrap(
        plain(text), width(), initial_indent=head, subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _many(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
