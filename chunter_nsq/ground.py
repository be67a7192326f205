"""What a command that left its line still stands on, and which later commands would pull that away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ground:
    """``snapshot`` and ``base`` are read while the command goes on; ``older`` are the snapshots made before them.

    ``local`` is False for what needs nothing of this host.
    """

    snapshot: str
    base: str | None = None
    older: frozenset[str] = frozenset()
    local: bool = True


Rule = Callable[[Any, Ground], bool]


def _local(_params: Any, ground: Ground) -> bool:
    return ground.local


def _named(params: Any, ground: Ground) -> bool:
    return params.snapshot in (ground.snapshot, ground.base)


def _past(params: Any, ground: Ground) -> bool:
    return ground.local and params.snapshot in ground.older


def _built_on(params: Any, ground: Ground) -> bool:
    takes_base = params.delete in ("parent", "both") and params.parent == ground.base
    return ground.snapshot in (params.snapshot, params.parent) or (takes_base and params.parent is not None)


def _always(_params: Any, _ground: Ground) -> bool:
    return True


_RULES: Mapping[str, Rule] = {
    "machine.delete": _local,
    "machine.store": _always,
    "snapshot.delete": lambda params, ground: ground.local and _named(params, ground),
    "snapshot.rollback": _past,
    "backup.create": _built_on,
    "backup.restore": _local,
    "backup.delete": _named,
    "backup.prune": _always,
}


def is_pulled_away(ground: Ground, action: str, params: Any) -> bool:
    """Whether a command has to wait until whoever stands on that ground is done, or with ``force`` cancels it."""
    rule = _RULES.get(action)
    return rule is not None and not getattr(params, "dry_run", False) and rule(params, ground)
