"""What this host's ``zfs`` can do, read from the usage that it prints when it is asked nothing.

Asking is free of side effects and needs no dataset; the options stand in the synopses, whose wording has hardly
changed from the first ZFS in user space to OpenZFS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SYNOPSIS = re.compile(r"^\t(?P<verbs>[a-z][a-z|-]*)(?P<rest>(?:[^\n]|\n\t {2,})*)", re.MULTILINE)
_OPTION_GROUP = re.compile(r"\[-(?P<letters>[A-Za-z]+)\]")


@dataclass(frozen=True, slots=True)
class Features:
    """Each says whether it is there."""

    exact_lists: bool  # list -p
    many_snapshots: bool  # snapshot a@s b@s at one instant
    bookmarks: bool
    estimates: bool  # send -nP
    compressed_send: bool  # send -c
    large_blocks: bool  # send -L
    raw_send: bool  # send -w
    receive_properties: bool  # receive -o name=value
    resumable: bool  # receive -s, send -t


def parse_features(usage: str) -> Features | None:
    """What a usage text says; None when it is not one."""
    synopses: dict[str, list[str]] = {}
    for match in _SYNOPSIS.finditer(usage):
        for verb in match["verbs"].split("|"):
            synopses.setdefault(verb, []).append(match["rest"])
    if "list" not in synopses or "send" not in synopses:
        return None
    send, receive = _letters(synopses["send"]), _letters(synopses.get("receive", []))
    return Features(
        exact_lists="p" in _letters(synopses["list"]),
        many_snapshots=any(text.rstrip().endswith("...") for text in synopses.get("snapshot", [])),
        bookmarks="bookmark" in synopses,
        estimates={"n", "P"} <= send,
        compressed_send="c" in send,
        large_blocks="L" in send,
        raw_send="w" in send,
        receive_properties=any("[-o <property>=" in text or "[-o property=" in text for text in synopses["receive"]),
        resumable="s" in receive,
    )


def _letters(texts: list[str]) -> set[str]:
    return {letter for text in texts for match in _OPTION_GROUP.finditer(text) for letter in match["letters"]}
