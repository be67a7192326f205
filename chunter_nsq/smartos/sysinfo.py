"""What the host says of itself, through ``sysinfo``."""

from __future__ import annotations

from typing import Any

from chunter_nsq.smartos.documents import read_object
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import check
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.stars import without_secrets

SYSINFO = "usr/bin/sysinfo"


def read_argv() -> tuple[str, ...]:
    """The cached document, at once."""
    return (SYSINFO,)


def parse_sysinfo(completed: Completed) -> dict[str, Any]:
    """The document without whatever looks like a password or its hash; raises UnreadableOutput."""
    document: dict[str, Any] = without_secrets(read_object(completed, "read sysinfo"))
    return document


class Sysinfo:
    """``sysinfo``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def read(self) -> dict[str, Any]:
        """The platform's own keys, blanks and all (``MiB of Memory`` is a string); no secrets."""
        return parse_sysinfo(check(await self._runner.run(read_argv()), "read sysinfo"))
