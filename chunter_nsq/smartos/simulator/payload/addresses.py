"""IP and MAC addresses as vmadm accepts them."""

from __future__ import annotations

import re
import socket

from chunter_nsq.smartos.simulator.payload.javascript import NAN, Crash, each, member, of_text, text, to_number
from chunter_nsq.smartos.simulator.values import BLANKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)", re.ASCII)
IPV6 = re.compile(r"[0-9A-Fa-f:.]+")
AUTOMATIC = ("dhcp", "addrconf")
MOST_ALLOWED = 13


class Unacceptable(ValueError):
    """An address or list of addresses that vmadm refuses, in its words."""


def is_ipv4(value: Any) -> bool:
    """Four decimal numbers."""
    return isinstance(value, str) and IPV4.fullmatch(value) is not None


def is_ipv6(value: Any) -> bool:
    """An IPv6 address, perhaps with a zone after a percent sign."""
    if not isinstance(value, str):
        return False
    address, percent, zone = value.partition("%")
    if not IPV6.fullmatch(address) or (percent and not re.fullmatch(r"[0-9a-zA-Z\-.:]{1,}", zone)):
        return False
    try:
        socket.inet_pton(socket.AF_INET6, address)
    except OSError:
        return False
    return True


def is_cidr(value: Any) -> bool:
    """An address and a prefix: 8 to 32 for IPv4, 0 to 128 for IPv6."""
    parts = _split(value, "cidr")
    if len(parts) != 2:  # noqa: PLR2004 - an address and a prefix
        return False
    bits = _leading_integer(parts[1])
    if is_ipv4(parts[0]):
        return 8 <= bits <= 32  # noqa: PLR2004 - the limits for IPv4
    return is_ipv6(parts[0]) and 0 <= bits <= 128  # noqa: PLR2004 - the limits for IPv6


def is_cidr4(value: Any) -> bool:
    """An IPv4 address and a prefix."""
    return is_cidr(value) and is_ipv4(str(value).partition("/")[0])


def _split(value: Any, expression: str) -> list[str]:
    return of_text(value, "split", expression).split("/")


def _leading_integer(digits: str) -> float:
    found = re.match(r"[+-]?\d+", digits.lstrip(BLANKS), re.ASCII)
    return int(found[0]) if found else NAN


def is_netmask(value: Any) -> bool:
    """An IPv4 mask: ones, then zeros."""
    if not is_ipv4(value):
        return False
    inverse = ~mask_number(value) & 0xFFFFFFFF
    return inverse & (inverse + 1) == 0


def mask_number(mask: str) -> int:
    """The mask's 32 bits."""
    return int.from_bytes(bytes(int(part) for part in mask.split(".")), "big")


def mask_bits(mask: str) -> int:
    """The prefix that a mask stands for."""
    return 32 - (~mask_number(mask) & 0xFFFFFFFF).bit_length()


def bits_mask(bits: float) -> str:
    """The mask of a prefix."""
    number = (0xFFFFFFFF << (32 - int(bits))) & 0xFFFFFFFF
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def check_allowed_ips(addresses: Any) -> None:
    """Refuse a list of allowed addresses that holds none or too many.

    Raises:
        Unacceptable: with the bad ones, or the limit.
    """
    bad = [one for one in each(addresses, "list") if not _is_allowed(one)]
    if bad:
        raise Unacceptable("invalid allowed_ips: " + ", ".join(bad))
    if len(addresses) > MOST_ALLOWED:
        raise Unacceptable("Maximum of 13 allowed_ips per nic")


def _is_allowed(address: Any) -> bool:
    if is_ipv4(address) or is_ipv6(address):
        return True
    parts = _split(address, "ip")
    if len(parts) != 2:  # noqa: PLR2004 - an address and a prefix
        return False
    bits = to_number(parts[1])
    if is_ipv4(parts[0]):
        return not (bits > 32 or bits < 1)  # noqa: PLR2004 - the limits for IPv4
    return is_ipv6(parts[0]) and not (bits > 128 or bits < 1)  # noqa: PLR2004 - the limits for IPv6


def parse_mac(value: Any) -> str | None:
    """The address in its usual form, or None: one separator throughout, or twelve digits without any."""
    if not isinstance(value, str):
        return None
    lower = value.lower()
    if re.fullmatch("[0-9a-f]{12}", lower):
        return ":".join(lower[at : at + 2] for at in range(0, 12, 2))
    for separator in (":", "-"):
        parts = lower.split(separator)
        if len(parts) == 6 and all(re.fullmatch("[0-9a-f]{1,2}", part) for part in parts):  # noqa: PLR2004 - octets
            return ":".join(part.zfill(2) for part in parts)
    return None


def is_mac(value: Any) -> bool:
    """A MAC address with colons or without."""
    return parse_mac(value) is not None and re.fullmatch("[0-9a-fA-F:]+", value) is not None


def vrrp_mac(vrid: Any) -> str:
    """The address that goes with a virtual router id."""
    last = "nan" if text(vrid).strip() == "" else f"{int(to_number(vrid)):02x}"
    return f"00:00:5e:00:01:{last}"


def padded(mac: Any) -> str:
    """The address with two digits in each octet, which is how nics of other VMs are looked up by it."""
    member(mac, "0")
    return ":".join(octet.zfill(2) for octet in of_text(mac, "split", "str").lower().split(":"))


def join(values: Any) -> str:
    """``values.join(',')``."""
    if not isinstance(values, list):
        raise Crash("n.allowed_dhcp_cids.join is not a function")
    return ",".join(text(one) for one in values)
