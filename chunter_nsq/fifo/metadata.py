"""Metadata between FiFo and vmadm: what a guest may read, what only the platform reads, what may be published."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

KEYS_OF_ROOT = "root_authorized_keys"
PUBLISHED = ("note", "network_map")
_PASSWORD_SUFFIX = "_pw"  # noqa: S105 - how such members end, not a password


def customer(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the guest reads: ``metadata``, with ``ssh_keys`` as root's keys; None where there is neither."""
    metadata, ssh_keys = config.get("metadata"), config.get("ssh_keys")
    if metadata is None and ssh_keys is None:
        return None
    found: dict[str, Any] = deepcopy(dict(metadata or {}))
    if ssh_keys is not None:
        found[KEYS_OF_ROOT] = ssh_keys
    return found


def internal(config: Mapping[str, Any], *named: str) -> dict[str, Any]:
    """What only the platform reads: every ``*_pw`` and the members named."""
    return {key: deepcopy(value) for key, value in config.items() if key in named or key.endswith(_PASSWORD_SUFFIX)}


def published(vm: Mapping[str, Any]) -> dict[str, Any]:
    """A VM's metadata in FiFo's form: ``ssh_keys``, ``metadata``, note and network map; passwords never appear."""
    found: dict[str, Any] = {}
    internal_metadata = vm.get("internal_metadata")
    if isinstance(internal_metadata, Mapping):
        found.update({key: internal_metadata[key] for key in PUBLISHED if key in internal_metadata})
    customer_metadata = vm.get("customer_metadata")
    if not isinstance(customer_metadata, Mapping):
        return found
    if KEYS_OF_ROOT in customer_metadata:
        found["ssh_keys"] = customer_metadata[KEYS_OF_ROOT]
    rest = {key: value for key, value in customer_metadata.items() if key != KEYS_OF_ROOT}
    if rest:
        found["metadata"] = rest
    return found
