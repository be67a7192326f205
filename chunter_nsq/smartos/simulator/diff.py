"""The differences between two VM objects, in the form of ``changes`` of an event."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IDENTS = {"nics": "mac", "disks": "path", "filesystems": "target", "snapshots": "name", "pci_devices": "path"}
ABSENT = object()


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Every changed, added and removed value, in the order of the new object's keys."""
    found: list[dict[str, Any]] = []
    for key in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(key, ABSENT), new.get(key, ABSENT)
        if before is not after and before != after:
            _value([key], before, after, found, None)
    return found


def _value(path: list[str | None], old: Any, new: Any, found: list[dict[str, Any]], ident: str | None) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            if old.get(key, ABSENT) != new.get(key, ABSENT):
                _value([*path, key], old.get(key, ABSENT), new.get(key, ABSENT), found, ident)
    elif isinstance(old, list) and isinstance(new, list):
        _array(path, old, new, found)
    else:
        found.append(_change(path, old, new, ident))


def _array(path: list[str | None], old: list[Any], new: list[Any], found: list[dict[str, Any]]) -> None:
    ident = IDENTS.get(str(path[-1]))
    inside: list[str | None] = [*path, None]
    if ident is None:
        gone = [one for one in old if one not in new]
        fresh = [one for one in new if one not in old]
        found += [_change(inside, one, ABSENT, None) for one in gone]
        found += [_change(inside, ABSENT, one, None) for one in fresh]
        if not gone and not fresh:
            found.append(_change(path, old, new, None))
        return
    before = {one.get(ident): one for one in old}
    after = {one.get(ident): one for one in new}
    for name in [*after, *(name for name in before if name not in after)]:
        if before.get(name, ABSENT) != after.get(name, ABSENT):
            _value(inside, before.get(name, ABSENT), after.get(name, ABSENT), found, name)


def _change(path: list[str | None], old: Any, new: Any, ident: str | None) -> dict[str, Any]:
    change: dict[str, Any] = {"prettyPath": ".".join("*" if part is None else part for part in path), "path": path}
    change["action"] = "added" if old is ABSENT else "removed" if new is ABSENT else "changed"
    if old is not ABSENT:
        change["oldValue"] = old
    if new is not ABSENT:
        change["newValue"] = new
    if ident is not None:
        change["ident"] = ident
    return change
