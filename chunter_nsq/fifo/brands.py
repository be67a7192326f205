"""Brands of SmartOS, the types FiFo has for them, and the owner that stands for nobody."""

from __future__ import annotations

from typing import Any

NIL_UUID = "00000000-0000-0000-0000-000000000000"
HARDWARE_BRANDS = ("kvm", "bhyve")
ZONE_BRANDS = ("joyent", "joyent-minimal", "builder", "lx", "sngl")
_IPKG_BRANDS = ("ipkg", "lipkg")


def fifo_type(brand: str) -> str:
    """FiFo's ``type`` of a brand; a brand that FiFo never knew keeps its own name."""
    if brand in ZONE_BRANDS:
        return "zone"
    if brand in _IPKG_BRANDS:
        return "ipkg"
    return brand


def zone_type(brand: Any, docker: Any) -> str | None:
    """FiFo's ``zone_type``: ``docker``, ``lx`` or None for a zone of the platform itself."""
    if docker is True:
        return "docker"
    return "lx" if brand == "lx" else None
