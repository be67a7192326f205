"""JSON for people: indented lines, and tables no wider than the terminal."""

from __future__ import annotations

import json
import shlex
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_SCALAR = str | int | float | bool | None
_FEW = 3  # as long may a list in a table be
_WHOLE_ROW = 2  # lines of a table of one row that nothing was left out of
_MANY = 8  # a list of so many plain values stands on one line


def width() -> int:
    """The columns of the terminal, or what COLUMNS says; 80 where there is neither."""
    return shutil.get_terminal_size().columns


def plain(value: Any) -> str:
    """A value on one line; text stands without quotation marks."""
    if isinstance(value, str):
        return _printable(value)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, _SCALAR) for one in value):
        return ", ".join(map(plain, value)) or "none"
    return _printable(json.dumps(value, ensure_ascii=False))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], room: int | None = None) -> list[str]:
    """Lines: a head in capitals, then the rows; columns that do not fit are left out and named below."""
    cells = {name: [plain(name.upper()), *(plain(row.get(name)) for row in rows)] for name in columns}
    room = width() if room is None else room
    shown: list[str] = []
    used = 0
    for name in columns:
        broad = max(map(len, cells[name]))
        if shown and used + 2 + broad > room:
            break
        shown.append(name)
        used += broad + (2 if used else 0)
    wide = {name: max(map(len, cells[name])) for name in shown}
    lines = ["  ".join(f"{cells[name][at]:<{wide[name]}}" for name in shown).rstrip() for at in range(len(rows) + 1)]
    left_out = columns[len(shown) :]
    return [*lines, *_left_out(left_out, room)] if left_out else lines


def _left_out(names: Sequence[str], room: int) -> list[str]:
    told = f"(with --json also: {', '.join(map(plain, names))})"
    return textwrap.wrap(told, max(room, 2), subsequent_indent=" ")


def outline(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Lines of ``name  value``, nested ones indented."""
    broad = max((len(plain(name)) for name, one in value.items() if _is_short(name, one)), default=0)
    for name, one in value.items():
        if _is_short(name, one):
            yield f"{indent}{plain(name):<{broad}}  {_short(name, one)}".rstrip()
        else:
            yield f"{indent}{plain(name)}"
            yield from _deep(one, f"{indent}  ")


def _deep(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from outline(value, indent)
    elif isinstance(value, str):
        yield from (f"{indent}{_printable(line)}" for line in value.splitlines())
    elif value and all(isinstance(one, Mapping) and _is_flat(one) for one in value) and _is_tabular(value, indent):
        yield from (f"{indent}{line}" for line in table(value, _columns(value), width() - len(indent)))
    else:
        for one in value:
            lines = list(_deep(one, "")) if isinstance(one, Mapping) or _is_block(one) else [_argv(one)]
            yield from (f"{indent}{'- ' if at == 0 else '  '}{line}" for at, line in enumerate(lines))


def _is_short(name: str, value: Any) -> bool:
    if isinstance(value, Mapping):
        return not value
    if isinstance(value, list):
        if name == "argv":
            return all(isinstance(one, str) for one in value)
        return all(isinstance(one, _SCALAR) for one in value) and (len(value) <= _MANY or len(plain(value)) <= width())
    return not _is_block(value)


def _short(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return "none"
    return _argv(value) if name == "argv" else plain(value)


def _argv(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return _printable(shlex.join(value))
    return plain(value)


def _is_block(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value.rstrip("\n")


def _is_flat(row: Mapping[str, Any]) -> bool:
    return bool(row) and all(_is_cell(one) and not _is_block(one) for one in row.values())


def _is_cell(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= _FEW and all(isinstance(one, _SCALAR) for one in value)
    return isinstance(value, _SCALAR)


def _is_tabular(rows: Sequence[Mapping[str, Any]], indent: str) -> bool:
    """A single row is a table only when all of it fits."""
    return len(rows) > 1 or len(table(rows, _columns(rows), width() - len(indent))) == _WHOLE_ROW


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _printable(text: str) -> str:
    """Without control characters: what a tool or a VM says must not drive the terminal."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text.rstrip("\n").expandtabs())
