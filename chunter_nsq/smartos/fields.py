"""Records of ``:``-separated fields, in which a backslash makes the next separator plain text."""

from __future__ import annotations


def split_fields(line: str, *, escaped: str = ":\\") -> tuple[str, ...]:
    r"""The fields of one record.

    ``escaped`` holds the characters that the tool puts a backslash before: ``":\\"`` for dladm and ipadm,
    ``":"`` for zoneadm, in whose fields a lone backslash stands for itself.
    """
    if "\\" not in line:
        return tuple(line.split(":"))
    fields: list[str] = []
    field: list[str] = []
    characters = iter(range(len(line)))
    for position in characters:
        character = line[position]
        if character == "\\" and line[position + 1 : position + 2] and line[position + 1] in escaped:
            field.append(line[next(characters)])
        elif character == ":":
            fields.append("".join(field))
            field.clear()
        else:
            field.append(character)
    fields.append("".join(field))
    return tuple(fields)


def records(text: str) -> tuple[str, ...]:
    """The lines that hold something, without their ends; only a line feed ends a line."""
    return tuple(line for line in text.split("\n") if line)
