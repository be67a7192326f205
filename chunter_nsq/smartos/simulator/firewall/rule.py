"""A rule as the platform keeps it: sorted, judged as a whole, and written in its one text."""

from __future__ import annotations

from functools import cmp_to_key

from chunter_nsq.smartos.simulator.firewall import units
from chunter_nsq.smartos.simulator.firewall.addresses import is_ipv4, is_ipv6
from chunter_nsq.smartos.simulator.firewall.fault import RuleFault
from chunter_nsq.smartos.simulator.firewall.grammar import parse
from chunter_nsq.smartos.simulator.firewall.quoting import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chunter_nsq.smartos.simulator.firewall.grammar import Filter, Target

MOST = 24
LOST = "__proto__"  # the platform cannot keep a tag, or a value of one, of this name


class Side:
    """The targets of one side, each kind sorted, none twice; a tag that is named alone covers its values."""

    __slots__ = ("ips", "subnets", "tags", "vms", "wildcards")

    def __init__(self, targets: list[Target]) -> None:
        def of(kind: str) -> list[str]:
            return sorted({value for type_, value, _ in targets if type_ == kind})

        self.wildcards, self.ips, self.subnets, self.vms = of("wildcard"), of("ip"), of("subnet"), of("vm")
        whole = {name for type_, name, value in targets if type_ == "tag" and value is None}
        pairs = {(name, value) for type_, name, value in targets if type_ == "tag" and value not in (None, LOST)}
        tags = [(name, None) for name in whole] + [pair for pair in pairs if pair[0] not in whole]
        self.tags = sorted((tag for tag in tags if tag[0] != LOST), key=lambda tag: (tag[0], tag[1] or ""))

    def text(self) -> str:
        """All targets, in parentheses where there are several."""
        words = ["all vms" if one == "vmall" else one for one in self.wildcards]
        words += [f"ip {one}" for one in self.ips] + [f"subnet {one}" for one in self.subnets]
        words += [
            f"tag {quoted(name)}" + (f" = {quoted(value)}" if value is not None else "") for name, value in self.tags
        ]
        words += [f"vm {one}" for one in self.vms]
        return f"({' OR '.join(words)})" if len(words) > 1 else "".join(words)


class Rule:
    """A rule; ``filters`` are ports, ranges of ports, ICMP types or pairs of type and code, or ``all``."""

    def __init__(self, text: str) -> None:
        """Raises RuleFault."""
        if not text:
            raise RuleFault("No rule specified")
        if not isinstance(text, str):
            raise RuleFault("this._input.match is not a function")
        try:
            self._read(units.split(text))
        except RuleFault as fault:
            raise RuleFault(units.joined(str(fault))) from None

    def _read(self, text: str) -> None:
        parts = parse(text)
        self.action = parts.action
        self.protocol = parts.protocol.lower()
        self.priority = parts.priority
        self.is_icmp = self.protocol.startswith("icmp")
        self.filters = sorted(parts.filters, key=cmp_to_key(_by_type) if self.is_icmp else _port)
        if len(self.filters) > MOST:
            raise RuleFault(f"maximum of {MOST} {'types' if self.is_icmp else 'ports'} allowed")
        if any(len(side) > MOST for side in parts.sides.values()):
            raise RuleFault(f"maximum of {MOST} targets allowed per side")
        self.sides = {name: Side(targets) for name, targets in parts.sides.items()}
        self._check()

    def _check(self) -> None:
        sides = self.sides.values()
        if self.is_icmp:
            version, is_fitting = ("v4", is_ipv4) if self.protocol == "icmp" else ("v6", is_ipv6)
            refused = f"rule affects ICMP{version} but contains a non-IP{version}"
            if not all(is_fitting(ip) for side in sides for ip in side.ips):
                raise RuleFault(f"{refused} address")
            if not all(is_fitting(subnet.partition("/")[0]) for side in sides for subnet in side.subnets):
                raise RuleFault(f"{refused} subnet")
        if not any("vmall" in side.wildcards or side.tags or side.vms for side in sides):
            raise RuleFault("rule does not affect VMs")

    @property
    def text(self) -> str:
        """The rule in the platform's own words."""
        priority = f" PRIORITY {self.priority}" if self.priority else ""
        ends = f"FROM {self.sides['from'].text()} TO {self.sides['to'].text()}"
        return units.joined(f"{ends} {self.action} {self.protocol}{self._filters()}{priority}")

    def _filters(self) -> str:
        if not self.filters:
            return ""
        if self.is_icmp:
            noun, words = (
                "TYPE",
                [f"{one[0]} CODE {one[1]}" if isinstance(one, tuple) else str(one) for one in self.filters],
            )
        else:
            noun, words = (
                "PORT",
                [" - ".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in self.filters],
            )
            if any(isinstance(one, tuple) for one in self.filters):
                return f" PORTS {', '.join(words)}"
        joined = f" AND {noun} ".join(words)
        return f" ({noun} {joined})" if len(words) > 1 else f" {noun} {joined}"


def _port(one: Filter) -> int:
    first = one[0] if isinstance(one, tuple) else one
    return 0 if isinstance(first, str) else first


def _by_type(one: Filter, other: Filter) -> int:
    """As the platform compares: of a type with a code and one without, neither comes first."""
    if isinstance(one, str) or isinstance(other, str):
        return 0
    if isinstance(one, tuple):
        return (one[0] << 8) + one[1] - (other[0] << 8) - other[1] if isinstance(other, tuple) else 0
    return (one - (other[0] if isinstance(other, tuple) else other)) << 8
