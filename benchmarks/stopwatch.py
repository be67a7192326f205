"""A stopwatch around one tool of a simulated host.

``invocations.jsonl`` begins to count once the simulated tool's interpreter is up, some 20 ms into the life of its
process, and those would be laid to the agent. So a small shell script takes the tool's place, runs it, and writes when
it began and ended; the script's own start and end (about 2 ms) stay on the agent's side.
"""

from __future__ import annotations

import shutil
from pathlib import Path

# The event stream is not timed: it never ends.
SCRIPT = """#!{bash}
[ "$1" = events ] && exec "{tool}" "$@"
began=$EPOCHREALTIME
"{tool}" "$@"
status=$?
echo "$began $EPOCHREALTIME $*" >> "{times}"
exit $status
"""


class Stopwatch:
    """Times every run of a tool."""

    def __init__(self, platform: Path, tool: str) -> None:
        bash = shutil.which("bash")
        if bash is None:
            raise RuntimeError("the stopwatch needs bash 5")
        self.path = platform / "usr" / "sbin" / tool
        self._times = platform / "stopwatch"
        hidden = self.path.with_name(f".{tool}")
        self.path.rename(hidden)
        self.path.write_text(SCRIPT.format(bash=bash, tool=hidden, times=self._times))
        self.path.chmod(0o755)

    def seconds(self) -> dict[str, float]:
        """How long the tool ran, by its arguments as one text."""
        runs = [line.split(" ", 2) for line in self._times.read_text().splitlines()]
        return {arguments: float(ended) - float(began) for began, ended, arguments in runs}
