"""Names of a simulated host's datasets as this machine's ZFS knows them, both ways.

``zones`` stands for a dataset of this machine (``host:POOL`` or ``host:POOL/below``), ``/zones`` for the folder of
that name in the simulated host's root; all else that a command is told or says stays as it is.
"""

from __future__ import annotations

import re

from chunter_nsq.smartos.simulator.host import REAL, facts, is_real

TOOLS = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin")
BEFORE = r"(?<![\w.:%/@#-])"
AFTER = r"(?![\w.:%-])"
BASE = re.compile(r"[A-Za-z][\w.:-]*(/[A-Za-z0-9][\w.:-]*)*")


class RealNames:
    """How one simulated host's pool is called on this machine."""

    def __init__(self, root: str, base: str) -> None:
        self.root = root
        self.base = base
        self.pool = base.partition("/")[0]
        self._out = re.compile(BEFORE + re.escape(base) + AFTER)
        self._pool_out = re.compile(BEFORE + re.escape(self.pool) + AFTER)

    def real(self, word: str) -> str:
        """An argument of ``zfs`` with the names in it as this machine knows them."""
        word = re.sub(BEFORE + "zones" + AFTER, self.base, word)
        key, equals, value = word.partition("=")
        if equals and key == "mountpoint" and value.startswith("/"):
            return f"mountpoint={self.root}{value}"
        return self.root + word if word.startswith("/") else word

    def real_pool(self, word: str) -> str:
        """An argument of ``zpool`` with the pool's name as this machine knows it."""
        return re.sub(BEFORE + "zones" + AFTER, self.pool, word)

    def simulated(self, text: str) -> str:
        """What ``zfs`` says, with the names that the simulated host has."""
        return self._out.sub("zones", text).replace(self.root + "/", "/")

    def simulated_pool(self, text: str) -> str:
        """What ``zpool`` says, with the names that the simulated host has."""
        return self._pool_out.sub("zones", text)


def real_names(root: str) -> RealNames | None:
    """The names of a host whose datasets are real; None when they are simulated."""
    return RealNames(root, str(facts(root)["zfs"]).removeprefix(REAL)) if is_real(root) else None


def base_of(kind: str) -> str:
    """The dataset that ``host:POOL`` names.

    Raises:
        ValueError: it names none.
    """
    base = kind.removeprefix(REAL)
    if not kind.startswith(REAL) or BASE.fullmatch(base) is None:
        raise ValueError(f"unknown kind of pool {kind!r}; there are simulated and host:POOL")
    return base
