"""What a verdict on a payload depends on beside the payload: the host as it is."""

from __future__ import annotations

import uuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any


class Surroundings:
    """Pools, images by ``pool/uuid``, NIC tags as (name, kind), overlay rules, VMs, and a source of UUIDs."""

    def __init__(
        self,
        *,
        zpools: Collection[str] = ("zones",),
        images: Mapping[str, dict[str, Any]] | None = None,
        nic_tags: Collection[tuple[str, str]] = (),
        overlay_rules: Collection[str] = (),
        vms: Callable[[], list[dict[str, Any]]] = list,
        fresh_uuid: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.zpools = zpools
        self.images = images or {}
        self.nic_tags = list(nic_tags)
        self.overlay_rules = overlay_rules
        self.vms = vms
        self.fresh_uuid = fresh_uuid

    def knows_tag(self, tag: str) -> bool:
        """Whether the tag is there, or belongs to an overlay rule."""
        rule, slash, _ = tag.partition("/")
        return any(name == tag for name, _ in self.nic_tags) or (bool(slash) and rule in self.overlay_rules)
