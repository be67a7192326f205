"""What is wrong with a rule, in the platform's words."""

from __future__ import annotations


class RuleFault(ValueError):
    """A rule is refused; its text is the platform's message."""


class Faults(ValueError):
    """Several things are wrong at once."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(messages[0] if len(messages) == 1 else f"first of {len(messages)} errors: {messages[0]}")
        self.messages = messages
