"""A payload that vmadm refuses."""

from __future__ import annotations


class Rejected(Exception):
    """vmadm's words; ``twice`` when its program answers a second time afterwards and trips over it."""

    def __init__(self, text: str, *, twice: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.twice = twice
