"""One run of a benchmark as a table or as one JSON document, both from the same values."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine


@dataclass
class Report:
    """What was measured.

    ``goals`` are the figures that have a value to reach: name, value, "<", "<=" or ">=", the value to reach.
    ``figures`` are all others, nested as one likes. ``notes`` say what was left out and why.
    """

    benchmark: str
    parameters: dict[str, Any]
    goals: list[tuple[str, float, str, float]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def goal(self, name: str, value: float, sign: str, to_reach: float) -> None:
        """A figure with a value to reach."""
        self.goals.append((name, rounded(value), sign, to_reach))

    def document(self) -> dict[str, Any]:
        """The run as JSON; the goals' values stand at the top, by their names."""
        return {
            "benchmark": self.benchmark,
            **{name: value for name, value, _, _ in self.goals},
            "goals": [
                {"name": name, "value": value, "sign": sign, "to_reach": wanted, "reached": _holds(value, sign, wanted)}
                for name, value, sign, wanted in self.goals
            ],
            "figures": rounded(self.figures),
            "parameters": self.parameters,
            "notes": self.notes,
            "machine": machine.facts(),
        }


def show(report: Report, *, as_json: bool) -> None:
    """Print the run."""
    document = report.document()
    if as_json:
        print(json.dumps(document))
        return
    told = document["machine"]
    print(f"{report.benchmark}: {', '.join(f'{key} {value}' for key, value in report.parameters.items())}")
    print(f"  on {told['cores']} cores, Python {told['python']}, {told['nsqd']}, load {told['load_average'][0]}\n")
    for name, value in _lines(document["figures"]):
        print(f"  {name:<52}{value:>14}")
    print()
    for goal in document["goals"]:
        verdict = "reached" if goal["reached"] else "NOT reached"
        print(f"  {goal['name']:<40}{goal['value']:>12}   {goal['sign']} {goal['to_reach']:<8} {verdict}")
    for note in report.notes:
        print(f"  note: {note}")


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="chunter-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of all lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def spread(values: list[float]) -> dict[str, float]:
    """Count, p50, p99 and the largest."""
    return {
        "count": len(values),
        "p50": percentile(values, 0.5),
        "p99": percentile(values, 0.99),
        "max": max(values, default=0.0),
    }


def median(values: list[float]) -> float:
    """The middle one."""
    return percentile(values, 0.5)


def rounded(value: Any) -> Any:
    """Numbers with about four digits that mean something."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 4 if abs(value) < 1 else 2 if abs(value) < 1000 else 0)
    return value


def progress(text: str) -> None:
    """What goes on, for the eyes of whoever waits."""
    print(f"-- {text}", file=sys.stderr, flush=True)


def _holds(value: float, sign: str, wanted: float) -> bool:
    signs: dict[str, Callable[[float, float], bool]] = {
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">=": lambda a, b: a >= b,
        "==": lambda a, b: a == b,
    }
    return signs[sign](value, wanted)


def _lines(figures: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in figures.items():
        name = f"{path} {key}".strip()
        if isinstance(value, dict):
            yield from _lines(value, name)
        else:
            yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
