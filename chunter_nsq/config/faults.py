"""What is wrong with a configuration file, and what is merely worth knowing; each with its line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """A sentence about one line of a file; line 0 stands for the file as a whole."""

    line: int
    text: str

    def at(self, file: str) -> str:
        """The remark as compilers write it: ``file:line: text``."""
        return f"{file}:{self.line}: {self.text}" if self.line else f"{file}: {self.text}"


class ConfigInvalid(Exception):
    """A configuration that cannot be used; ``faults`` holds all that is wrong with it, in the order of lines."""

    def __init__(self, faults: tuple[Remark, ...], file: str = "chunter.conf") -> None:
        super().__init__("\n".join(fault.at(file) for fault in faults))
        self.faults = faults
        self.file = file
