"""A rule's text to its parts.

Responsibilities: say what a text means, or where it is wrong and what could have stood there instead.

Theory: ``FROM targets TO targets action protocol [filters] [PRIORITY n]``, read from left to right with one token
ahead. A value is judged when the token behind it is known to fit, as the platform's table-driven parser does it; so
of two faults the same one is told. What may follow a target is told without regard to whether it stands in
parentheses, for the same reason.

Not promised: the older versions of the language.
"""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.firewall.addresses import check_address, check_subnet
from chunter_nsq.smartos.simulator.firewall.fault import RuleFault
from chunter_nsq.smartos.simulator.firewall.tokens import CIDR, EOF, IPV4, IPV6, STRING, WORD, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from chunter_nsq.smartos.simulator.firewall.tokens import Token

    Target = tuple[str, str, str | None]
    Filter = int | str | tuple[int, int]

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DIGITS = re.compile(r"[0-9]*")
NAMED = frozenset({"IP", "SUBNET", "VM", "TAG"})
WILD = frozenset({"ALL", "ANY"})
ACTIONS = frozenset({"ALLOW", "BLOCK"})
PROTOCOLS = frozenset({"TCP", "UDP", "ICMP", "ICMP6", "AH", "ESP"})
AFTER_SIDE = frozenset({"TO"}) | ACTIONS
AFTER_TARGET = AFTER_SIDE | {")", "OR"}
END = frozenset({EOF, "PRIORITY"})
AFTER_ALL = END | {")"}
AFTER_FILTER = AFTER_ALL | {"AND"}
AFTER_RANGE = END | {","}
IN_LIST = frozenset({")", "AND"})


class Parts:
    """What a text says, not yet sorted or judged as a whole; a target is its type, value, and a tag's value."""

    __slots__ = ("action", "filters", "priority", "protocol", "sides")

    def __init__(self) -> None:
        self.sides: dict[str, list[Target]] = {}
        self.action = ""
        self.protocol = ""
        self.filters: list[Filter] = []
        self.priority = 0


def parse(text: str) -> Parts:
    """The parts of a rule; raises RuleFault."""
    parts, stream = Parts(), Stream(text)
    stream.take({"FROM"})
    parts.sides["from"] = _side(stream)
    stream.take({"TO"})
    parts.sides["to"] = _side(stream)
    parts.action = stream.take(ACTIONS).kind
    parts.protocol = stream.take(PROTOCOLS).kind
    if parts.protocol in ("TCP", "UDP"):
        parts.filters = _ports(stream)
    elif parts.protocol in ("ICMP", "ICMP6"):
        parts.filters = _list(stream, "TYPE", _icmp) if stream.expect({"(", "TYPE"}) else []
    if stream.take(END).kind == "PRIORITY":
        parts.priority = _number(stream.take({WORD}).text, range(101), "Priority level")
        stream.take({EOF})
    return parts


def _side(stream: Stream) -> list[Target]:
    if stream.expect(NAMED | WILD | {"("}).kind != "(":
        return _bare(stream, NAMED | WILD)
    stream.take({"("})
    if stream.expect(NAMED | WILD).kind in WILD:
        found = [_wildcard(stream, {")"})]
        stream.take({")"})
    else:
        found = [_target(stream)]
        while stream.take({")", "OR"}).kind == "OR":
            found.append(_target(stream))
    stream.expect(AFTER_SIDE)
    return found


def _bare(stream: Stream, kinds: frozenset[str]) -> list[Target]:
    found = _wildcard(stream, AFTER_SIDE) if stream.expect(kinds).kind in WILD else _target(stream)
    stream.expect(AFTER_SIDE)
    return [found]


def _wildcard(stream: Stream, following: frozenset[str] | set[str]) -> Target:
    name = "any"
    if stream.take(WILD).kind == "ALL":
        stream.take({"VMS"})
        name = "vmall"
    stream.expect(following)
    return ("wildcard", name, None)


def _target(stream: Stream) -> Target:
    kind = stream.take(NAMED).kind
    if kind == "TAG":
        return _tag(stream)
    if kind == "VM":
        value = stream.take({WORD}).text
    else:
        value = stream.take({IPV4, IPV6}).text
        if kind == "SUBNET":
            value += stream.take({CIDR}).text
    stream.expect(AFTER_TARGET)
    {"VM": _check_uuid, "IP": check_address, "SUBNET": check_subnet}[kind](value)
    return (kind.lower(), value, None)


def _tag(stream: Stream) -> Target:
    name = stream.take({WORD, STRING}).value
    if stream.expect(AFTER_TARGET | {"="}).kind != "=":
        return ("tag", name, None)
    stream.take({"="})
    value = stream.take({WORD, STRING}).value
    stream.expect(AFTER_TARGET | {"="})
    stream.expect(AFTER_TARGET)
    return ("tag", name, value)


def _check_uuid(text: str) -> None:
    if not UUID.fullmatch(text):
        raise RuleFault(f'UUID "{text}" is invalid')


def _ports(stream: Stream) -> list[Filter]:
    if stream.expect({"(", "PORT", "PORTS"}).kind != "PORTS":
        return _list(stream, "PORT", _port)
    stream.take({"PORTS"})
    found = [_range(stream)]
    while stream.expect(AFTER_RANGE).kind == ",":
        stream.take({","})
        found.append(_range(stream))
    return found


def _list(stream: Stream, noun: str, read: Callable[[Stream], Filter]) -> list[Filter]:
    """``PORT n``, ``PORT all`` or ``(PORT n AND PORT m)``; of types alike."""
    closing = stream.expect({"(", noun}).kind == "("
    if closing:
        stream.take({"("})
    stream.take({noun})
    found: list[Filter] = []
    if stream.expect({WORD, "ALL"}).kind == "ALL":
        stream.take({"ALL"})
        stream.expect(AFTER_ALL)
        if closing:
            stream.take({")"})
        found.append("all")
    else:
        found.append(read(stream))
        while closing and stream.take(IN_LIST).kind == "AND":
            stream.take({noun})
            found.append(read(stream))
    stream.expect(END)
    return found


def _port(stream: Stream) -> Filter:
    text = stream.take({WORD}).text
    stream.expect(AFTER_FILTER)
    return _port_number(text)


def _range(stream: Stream) -> Filter:
    text = stream.take({WORD}).text
    if stream.expect(AFTER_RANGE | {"-"}).kind == "-":
        stream.take({"-"})
        bounds = [text, stream.take({WORD}).text]
        stream.expect(AFTER_RANGE)
    else:
        bounds = text.split("-")
    if len(bounds) > 2:  # noqa: PLR2004 - a start and an end
        raise RuleFault(f'"{text}" is not a valid port number or range')
    start, end = _port_number(bounds[0]), _port_number(bounds[-1])
    if end < start:
        raise RuleFault(f"The end of the range ({bounds[1]}) cannot be less than the start ({bounds[0]})")
    return start if len(bounds) == 1 else (start, end)


def _icmp(stream: Stream) -> Filter:
    kind: Token = stream.take({WORD})
    has_code = stream.expect(AFTER_FILTER | {"CODE"}).kind == "CODE"
    number = _number(kind.text, range(256), "ICMP type")
    if not has_code:
        return number
    stream.take({"CODE"})
    code = stream.take({WORD}).text
    stream.expect(AFTER_FILTER)
    return (number, _number(code, range(256), "ICMP code"))


def _port_number(text: str) -> int:
    return _number(text, range(1, 65536), "Port number")


def _number(text: str, allowed: range, noun: str) -> int:
    """Decimal digits, zeros in front of them or not; none at all stand for zero."""
    if not DIGITS.fullmatch(text) or len(text.lstrip("0")) > len(str(allowed.stop)):
        raise RuleFault(f'{noun} "{text}" is invalid')
    number = int(text or "0")
    if number not in allowed:
        raise RuleFault(f'{noun} "{text}" is invalid')
    return number
