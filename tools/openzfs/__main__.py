"""`python -m tools.openzfs [WORDS]`: pytest with these words (or all of tests/openzfs) in the bed; its exit status."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.openzfs import bed, debian, images, machine
from tools.openzfs.debian import Unobtainable

CACHE = images.REPOSITORY / ".tools" / "openzfs"
# An emulated processor takes ten to twenty times as long.
PATIENCE = ("-o", "timeout=1200", "-o", "cache_dir=/tmp/pytest-cache", "--verbose")
CHOSEN = ("tests/openzfs",)
UNAVAILABLE = 69


def main(words: Sequence[str]) -> int:
    """The exit status."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that everything is put away
    try:
        debian.provide(debian.PROGRAMS)
        made = bed.provide(CACHE)
    except Unobtainable as fault:
        print(f"make test-openzfs: {fault}", file=sys.stderr)
        return UNAVAILABLE
    disk = images.python(CACHE)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as place:
        project, console = Path(place) / "project", Path(place) / "console"
        images.project(project, [*PATIENCE, *(words or CHOSEN)])
        os.environ["TMPDIR"] = place  # where the emulator keeps what the machine writes
        return machine.run(machine.arguments(made, (project, disk), images.REPOSITORY, console), console)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
