"""The host's memory, through ``prtconf``."""

from __future__ import annotations

import re

from chunter_nsq.smartos.refusal import check, unreadable
from chunter_nsq.smartos.runner import Runner

PRTCONF = "usr/sbin/prtconf"
_MEMORY = re.compile(rb"^Memory size: *([0-9]+) *Megabytes", re.MULTILINE)
_NUMBER = re.compile(rb"\s*([0-9]+)\s*")


def memory_argv() -> tuple[str, ...]:
    """The number alone; older platforms do not know it."""
    return (PRTCONF, "-m")


def tree_argv() -> tuple[str, ...]:
    """Everything, the memory in the second line."""
    return (PRTCONF,)


def parse_memory_mib(stdout: bytes) -> int | None:
    """The memory in MiB from either form; None when it is in neither."""
    found = _NUMBER.fullmatch(stdout) or _MEMORY.search(stdout)
    return int(found[1]) if found else None


class Prtconf:
    """``prtconf``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def memory_mib(self) -> int:
        """The installed memory in MiB; raises UnreadableOutput."""
        completed = await self._runner.run(memory_argv())
        memory_mib = parse_memory_mib(completed.stdout) if completed.exit_status == 0 else None
        if memory_mib is None:
            completed = check(await self._runner.run(tree_argv()), "read the size of memory")
            memory_mib = parse_memory_mib(completed.stdout)
        if memory_mib is None:
            raise unreadable(completed, "read the size of memory", "it names none")
        return memory_mib
