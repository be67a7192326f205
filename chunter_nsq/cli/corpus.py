"""Files of recorded cases, and what we say beside them: the inside of ``chunter simulator judge``.

A case that we stumble over costs no other case: what we say to it is ``{"fault": text}``, which agrees with nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chunter_nsq.fifo.judge import judge as judge_specification
from chunter_nsq.smartos.simulator.verdicts import KINDS, MASKED

Case = dict[str, Any]
# The members that a case may be told in; one that has none of them is judged but not compared.
TOLD = ("verdict", "errors", "apply", "normalised", "xml_vm", "error", "expected")


class Unreadable(ValueError):
    """The file holds no corpus; says what is wrong with it."""


def load(file: Path) -> Case:
    """The corpus in the file.

    Raises:
        Unreadable: no JSON, no object with ``kind`` and ``cases``, or a kind that we do not know.
    """
    try:
        corpus = json.loads(file.read_bytes())
    except ValueError as fault:
        raise Unreadable(f"is not JSON: {fault}") from fault
    if not isinstance(corpus, dict) or not isinstance(corpus.get("cases"), list):
        raise Unreadable('is no object with "kind" and a list of "cases"')
    if str(corpus.get("kind")) not in JUDGES:
        raise Unreadable(f"is of kind {corpus.get('kind')!r}; known are {', '.join(sorted(JUDGES))}")
    return corpus


def verdicts(corpus: Case) -> Iterator[tuple[Case, Case]]:
    """Each case and what we say to it, in order."""
    judge = JUDGES[corpus["kind"]]
    for case in corpus["cases"]:
        try:
            ours = judge(case, corpus)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is said and counts as a disagreement
            ours = {"fault": f"{type(fault).__name__}: {fault}"}
        yield (case if isinstance(case, dict) else {}), ours


def differing(case: Case, ours: Case) -> list[str]:
    """The members in which a case that is told differs from what we say."""
    told = [name for name in TOLD if name in case]
    return [name for name in told if name not in ours or _masked(case[name], case) != _masked(ours[name], case)]


def is_told(case: Case) -> bool:
    """Whether the case says what the platform's code said."""
    return any(name in case for name in TOLD)


def _masked(value: Any, case: Case) -> str:
    """The value as text, addresses that were made up (they are not in the payload) all alike."""
    given = json.dumps(case.get("payload"))
    return MASKED.sub(lambda found: found[0] if found[0] in given else "made up", json.dumps(value, sort_keys=True))


def _specification(case: Case, _corpus: Case) -> Case:
    return {"expected": judge_specification(case)}


JUDGES: dict[str, Callable[[Case, Case], Case]] = {**KINDS, "fifo-spec": _specification}
