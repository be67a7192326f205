"""What zonecfg is told to do to a zone's document: statements, one after the other.

Theory: ``add`` and ``select`` open a resource, ``set`` and ``add property`` change it, ``end`` closes it; outside of
one they change the zone itself. Limits are resources of their own in the document, whichever way they are set.
"""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.host import trimmed
from chunter_nsq.smartos.simulator.xmltree import Element
from chunter_nsq.smartos.simulator.zonetable import RCTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STATEMENT = re.compile(r'(?:"[^"]*"|\([^)]*\)|\[[^\]]*\]|[^;\n"(\[])+')
PAIR = re.compile(r'\s*([\w-]+)\s*=\s*("[^"]*"|[^,)\s]*)\s*(?:,|$)')
LISTED = re.compile(r'"[^"]*"|[^,\[\]\s]+')
# The zone's own properties, in the order in which they are told; limits are told behind them.
GLOBAL = (
    "zonepath", "brand", "autoboot", "bootargs", "pool", "limitpriv", "scheduling-class", "ip-type", "hostid",
    "fs-allowed",
)  # fmt: skip
# Resource -> the element it is in the document, and the attributes by the names that zonecfg has for them.
RESOURCES: dict[str, tuple[str, dict[str, str]]] = {
    "fs": ("filesystem", {"dir": "directory", "special": "special", "raw": "raw", "type": "type"}),
    "net": ("network", {one: one for one in ("allowed-address", "physical", "mac-addr", "vlan-id", "global-nic")}),
    "device": ("device", {"match": "match"}),
    "dataset": ("dataset", {"name": "name"}),
    "attr": ("attr", {"name": "name", "type": "type", "value": "value"}),
    "rctl": ("rctl", {"name": "name"}),
}
CAPS = {
    "capped-memory": {
        "physical": "zone.max-physical-memory",
        "locked": "zone.max-locked-memory",
        "swap": "zone.max-swap",
    },
    "capped-cpu": {"ncpus": "zone.cpu-cap"},
}
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


class Fault(ValueError):
    """A statement that cannot be followed, in zonecfg's words."""


def statements(text: str) -> Iterator[str]:
    """The statements of a script; semicolons and line ends divide them, comments are none."""
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            yield from (found[0].strip() for found in STATEMENT.finditer(line) if found[0].strip())


def pairs(text: str) -> dict[str, str]:
    """``name=value`` once or several times, commas between them, values in quotes or not."""
    found = {match[1]: match[2].strip('"') for match in PAIR.finditer(text.strip().strip("()"))}
    if not found:
        raise Fault(f"syntax error at '{text}'")
    return found


def amount(text: str) -> int:
    """A number with or without a unit of memory."""
    found = re.fullmatch(r"([0-9.]+)([kmgt]?)b?", text.strip().lower())
    if found is None:
        raise Fault(f"A non-negative number with a required scale suffix (K, M, G or T) was expected\nhere: {text}")
    return round(float(found[1]) * UNITS[found[2]])


class Editor:
    """A document under change; ``limits`` and the rest of the zone are changed in place."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.uuid: str | None = None
        self._kind = ""
        self._open: Element | None = None

    def follow(self, verb: str, rest: str) -> None:
        """Do one statement; raises Fault."""
        if verb in ("add", "select", "remove"):
            first, _, behind = rest.strip().partition(" ")
            kind, _, given = (behind.strip() if first == "-F" else rest.strip()).partition(" ")
            self._resource(verb, kind, given.strip())
        elif verb == "set":
            for name, value in pairs(rest).items():
                self._set(name, value)
        elif verb == "clear":
            self._clear(rest.strip())
        elif verb in ("end", "cancel"):
            self._end(keep=verb == "end")
        else:
            raise Fault(f"syntax error at '{verb}'")

    # -- resources

    def _resource(self, verb: str, kind: str, rest: str) -> None:
        if self._open is not None:
            self._inner(verb, kind, rest)
        elif kind in CAPS:
            self._kind, self._open = kind, Element("")
            if verb == "remove":
                self._kind, self._open = "", None
                for name in CAPS[kind].values():
                    self._limit(name, None)
        elif kind not in RESOURCES:
            raise Fault(f"syntax error at '{kind}'")
        elif verb == "add":
            self._kind, self._open = kind, Element(RESOURCES[kind][0])
            self.root.children.append(self._open)
        else:
            found = [one for one in self._all(kind) if not rest or self._is_meant(kind, one, pairs(rest))]
            if not found and verb == "select":
                raise Fault(f"No such {kind} resource.")
            if verb == "select":
                self._kind, self._open = kind, found[0]
            else:
                self.root.children = [one for one in self.root.children if one not in found]

    def _all(self, kind: str) -> list[Element]:
        return self.root.all(RESOURCES[kind][0])

    @staticmethod
    def _is_meant(kind: str, one: Element, wanted: Mapping[str, str]) -> bool:
        names = RESOURCES[kind][1]
        for name, value in wanted.items():
            known = one.attributes.get(names.get(name, name), "")
            if (trimmed(known), trimmed(value)) != ("", "") and "mac" in name:
                if trimmed(known) != trimmed(value):
                    return False
            elif known != value:
                return False
        return True

    def _inner(self, verb: str, kind: str, rest: str) -> None:
        """Properties, values and options of the resource that is open."""
        here = self._open
        if here is None or kind not in ("property", "value", "options"):
            raise Fault(f"syntax error at '{kind}'")
        if kind == "options":
            given = [one.strip('"') for text in LISTED.findall(rest) for one in text.strip('"').split(",")]
            fresh = [Element("fsoption", {"name": one}) for one in given]
        elif kind == "property":
            pair = pairs(rest)
            fresh = [Element("net-attr", {"name": pair.get("name", ""), "value": pair.get("value", "")})]
        else:
            fresh = [Element("rctl-value", pairs(rest))]
        for one in fresh:
            key = one.attributes.get("name")
            here.children = [old for old in here.children if key is None or old.attributes.get("name") != key]
        if verb == "add":
            here.children += fresh

    def _end(self, *, keep: bool) -> None:
        here, kind = self._open, self._kind
        if here is None:
            raise Fault("syntax error at 'end'")
        self._open, self._kind = None, ""
        if not keep and here in self.root.children:
            self.root.children.remove(here)
        if keep and kind in CAPS:
            for name, value in here.attributes.items():
                limit = round(float(value) * 100) if kind == "capped-cpu" else amount(value)
                self._limit(CAPS[kind][name], str(limit))

    # -- properties

    def _set(self, name: str, value: str) -> None:
        if self._open is not None:
            known = CAPS.get(self._kind) or RESOURCES[self._kind][1]
            if name not in known:
                raise Fault(f"syntax error at '{name}'")
            self._open.attributes[name if self._kind in CAPS else known[name]] = value
        elif name == "uuid":
            self.uuid = value
        elif name in GLOBAL:
            self.root.attributes[name] = value
        elif f"zone.{name}" in RCTLS:
            self._limit(f"zone.{name}", str(amount(value)))
        else:
            raise Fault(f"syntax error at '{name}'")

    def _clear(self, name: str) -> None:
        if self._open is not None:
            self._open.attributes.pop(RESOURCES.get(self._kind, ("", {}))[1].get(name, name), None)
        elif f"zone.{name}" in RCTLS:
            self._limit(f"zone.{name}", None)
        elif name in GLOBAL:
            self.root.attributes.pop(name, None)
        else:
            raise Fault(f"syntax error at '{name}'")

    def _limit(self, name: str, limit: str | None) -> None:
        known = self.root.named("rctl", name)
        if limit is None:
            self.root.children = [one for one in self.root.children if one is not known]
            return
        value = Element("rctl-value", {"priv": "privileged", "limit": limit, "action": RCTLS[name][2]})
        if known is None:
            self.root.children.append(Element("rctl", {"name": name}, value))
        else:
            known.children = [value]
