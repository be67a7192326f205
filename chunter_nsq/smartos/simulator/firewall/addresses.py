"""Which addresses and networks the platform takes."""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.firewall.fault import RuleFault

OCTET, OCTETS = 255, 4
GROUP, GROUPS = 0xFFFF, 8
LONGEST_IPV6 = 40
LONGEST_PREFIX = {4: 32, 6: 128}
NOBODY = ("0.0.0.0", "255.255.255.255")  # noqa: S104 - refused as addresses, not listened on
HEX_GROUP = re.compile(r"[0-9a-f]{1,4}")


def is_ipv4(text: str) -> bool:
    """Whether it is an IPv4 address without needless zeros."""
    parts = text.split(".")
    return len(parts) == OCTETS and all(part == str(int(part)) and int(part) <= OCTET for part in parts)


def is_ipv6(text: str) -> bool:
    """Whether it is an IPv6 address in hexadecimal groups."""
    halves = text.split("::")
    groups = [group for half in halves if half for group in half.split(":")]
    if not all(HEX_GROUP.fullmatch(group) for group in groups):
        return False
    return len(groups) == GROUPS if len(halves) == 1 else len(halves) == 2 and len(groups) < GROUPS  # noqa: PLR2004 - before and behind


def check_address(text: str) -> None:
    """Raise RuleFault unless a rule may have it behind ``ip``."""
    if ":" in text:
        if not is_ipv6(text):
            raise RuleFault(f'IPv6 address "{text}" is invalid')
    elif not is_ipv4(text) or text in NOBODY:
        raise RuleFault(f'IPv4 address "{text}" is invalid')


def check_subnet(text: str) -> None:
    """Raise RuleFault unless a rule may have it behind ``subnet``; bits behind the mask do not matter."""
    address, _, prefix = text.partition("/")
    is_good = _is_network6(address) if ":" in address else all(int(part) <= OCTET for part in address.split("."))
    if not is_good:
        raise RuleFault(f'Subnet "{text}" is invalid (bad address component)')
    if int(prefix) > LONGEST_PREFIX[6 if ":" in address else 4]:
        raise RuleFault(f'Subnet "{text}" is invalid (bad prefix length)')


def _is_network6(text: str) -> bool:
    """A reader of its own, which minds neither long groups nor a ``::`` that stands for nothing."""
    halves = text.split("::")
    if len(text) > LONGEST_IPV6 or len(halves) > 2 or ":::" in text:  # noqa: PLR2004 - before and behind
        return False
    groups = [group for half in halves if half for group in half.split(":")]
    if any(not group or int(group, 16) > GROUP for group in groups):
        return False
    return len(groups) <= GROUPS if len(halves) == 2 else len(groups) == GROUPS  # noqa: PLR2004 - as above
