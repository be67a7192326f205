"""What vmadm did not do of an update: it drops what it does not know, or may not change, and ends well nevertheless.

That is seen only by comparing the machine with itself: what was asked for, is not so, and is as it was before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# The members of a list are known by one of their own properties.
KNOWN_BY = {"nics": "mac", "disks": "path", "filesystems": "target", "pci_devices": "path"}
FLAT = ("tags", "customer_metadata", "internal_metadata", "routes")
_NOTHING = frozenset({"", "0", "false", "none", "off"})
_TRUE_UNLESS_SHOWN = frozenset({"restart_init"})
_LEAVE = frozenset({"dangerous_allow_shrink"})  # says how something may be done, and is nothing of the machine

VM = Mapping[str, Any]


def ignored(payload: VM, before: VM, after: VM) -> list[str]:
    """The places of a payload that had no effect, such as ``brand``, ``set_tags.role`` or ``update_disks[0].size``."""
    found: list[str] = []
    for key, wanted in payload.items():
        verb, _, what = key.partition("_")
        if what in KNOWN_BY and verb in ("add", "update", "remove"):
            found += _of_list(key, wanted, _members(before, what), _members(after, what), KNOWN_BY[what])
        elif what in FLAT and verb in ("set", "remove"):
            values = (
                wanted if isinstance(wanted, Mapping) else dict.fromkeys(wanted if isinstance(wanted, list) else ())
            )
            found += _of_object(f"{key}.", values, before.get(what) or {}, after.get(what) or {})
        elif key != "uuid":
            found += _of_object("", {key: wanted}, before, after)
    return found


def _members(vm: VM, what: str) -> dict[Any, VM]:
    listed = vm.get(what)
    return {one.get(KNOWN_BY[what]): one for one in listed or () if isinstance(one, Mapping)}


def _of_list(key: str, wanted: Any, before: Mapping[Any, VM], after: Mapping[Any, VM], known_by: str) -> Iterator[str]:
    for number, one in enumerate(wanted if isinstance(wanted, list) else ()):
        if isinstance(one, Mapping):
            name = one.get(known_by)
            if name is not None:  # what vmadm names itself cannot be found again
                yield from _of_object(f"{key}[{number}].", one, before.get(name, {}), after.get(name, {}))
        elif isinstance(one, str) and key.startswith("remove_") and one in after:
            yield f"{key}[{number}]"


def _of_object(path: str, wanted: Any, before: VM, after: VM) -> Iterator[str]:
    for name, value in wanted.items() if isinstance(wanted, Mapping) else ():
        shown = after.get(name, True if name in _TRUE_UNLESS_SHOWN else None)
        if name not in _LEAVE and before.get(name) == after.get(name) and not _is_shown(value, shown):
            yield f"{path}{name}"


def _is_shown(wanted: Any, shown: Any) -> bool:
    """Whether a value is there in one of the forms in which vmadm writes it; no value and an empty one are the same."""
    if wanted == shown:
        return True
    texts = _text(wanted), _text(shown)
    return texts[0] == texts[1] or _NOTHING.issuperset(texts)


def _text(value: Any) -> str:
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
