"""The host's firewall rules: one file each below ``var/fw/rules``, read and changed under one lock."""

from __future__ import annotations

import json

from chunter_nsq.smartos.simulator.files import Lock, make_folder, names, read_bytes, remove, write_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Document = dict[str, Any]

PLACE = "var/fw/rules"


class Rulebook:
    """The rules of one platform root."""

    def __init__(self, root: str) -> None:
        self._folder = f"{root}/{PLACE}"
        self._lock = f"{root}/var/fw/.lockfile"

    def reading(self) -> Lock:
        """Held by those that read, together."""
        return Lock(self._lock, shared=True)

    def writing(self) -> Lock:
        """Held by the one that writes."""
        return Lock(self._lock)

    def all(self) -> list[Document]:
        """Every rule by its uuid, in order."""
        found = (self.get(name.removesuffix(".json")) for name in names(self._folder) if name.endswith(".json"))
        return [rule for rule in found if rule is not None]

    def get(self, uuid: str) -> Document | None:
        """One rule, or None."""
        content = read_bytes(f"{self._folder}/{uuid}.json")
        if content is None:
            return None
        rule: Document = json.loads(content)
        return rule

    def put(self, rule: Document) -> None:
        """Write a rule, over the one of the same uuid."""
        make_folder(self._folder)
        content = json.dumps(rule, indent=2, ensure_ascii=False).encode("utf-8", "replace")
        write_bytes(f"{self._folder}/{rule['uuid']}.json", content)

    def drop(self, uuid: str) -> None:
        """Take a rule away."""
        remove(f"{self._folder}/{uuid}.json")
