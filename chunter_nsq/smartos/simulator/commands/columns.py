"""Parsable columns as dladm and ipadm print them: ``:`` between, escaped where there is more than one."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.process import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chunter_nsq.smartos.simulator.process import Process


class Call:
    """``show-something [-p] [-o a,b] [-x ...] [name]``: flags, columns asked for, a value option, the name."""

    def __init__(self, words: Sequence[str], valued: str = "") -> None:
        self.parsable = False
        self.columns: list[str] | None = None
        self.values: dict[str, str] = {}
        self.flags: set[str] = set()
        self.name: str | None = None
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word in ("-p", "-P"):
                self.parsable = True
            elif word == "-po":
                self.parsable, self.columns = True, rest.pop(0).lower().split(",")
            elif word == "-o" and rest:
                self.columns = rest.pop(0).lower().split(",")
            elif word.startswith("-") and word[1:] in valued and rest:
                self.values[word[1:]] = rest.pop(0)
            elif word.startswith("-"):
                self.flags |= set(word[1:])
            else:
                self.name = word


def show(
    process: Process, call: Call, rows: Sequence[Mapping[str, str]], known: Sequence[str], default: Sequence[str]
) -> int:
    """Print the rows; the exit status."""
    tool = process.tool
    if call.parsable and call.columns is None:
        raise Refused(f"{tool}: output fields must be specified in parsable mode")
    if call.parsable and call.columns == ["all"]:
        raise Refused(f"{tool}: output field `all' invalid in parsable mode")
    columns = list(default) if call.columns is None else list(known) if call.columns == ["all"] else call.columns
    bad = [column for column in columns if column not in known]
    if bad:
        raise Refused(f"{tool}: invalid output field `{bad[0]}'")
    if call.parsable:
        for row in rows:
            values = [row.get(column, "") for column in columns]
            if len(values) > 1:
                values = [value.replace("\\", "\\\\").replace(":", "\\:") for value in values]
            process.line(":".join(values))
        return 0
    process.line("".join(column.upper().ljust(14) for column in columns).rstrip())
    for row in rows:
        process.line("".join((row.get(column) or "--").ljust(14) for column in columns).rstrip())
    return 0
